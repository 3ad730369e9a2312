package decision

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// denied answers a browser that was refused with 403: the page with what is
// not met, or a problem document for a script. It tells of the decision that
// refused; if that is not known any more, of the one that holds now.
func (s *Server) denied(w http.ResponseWriter, r *http.Request, q *question) {
	a, known := s.Sessions.Peek(q.AccessRequest)
	if !known || a.Outcome != wire.AccessRefused {
		a = s.Sessions.Authorize(r.Context(), q.AccessRequest)
	}
	back := returnPath(q.uri)
	switch {
	case a.Outcome == wire.AccessSignIn && q.Navigation:
		s.begin(w, r, q, back, a.FreshKey)
		return
	case a.Outcome == wire.AccessGranted && q.Navigation:
		goTo(w, back) // settled meanwhile
		return
	}
	status, why := http.StatusForbidden, a.Reason
	switch a.Outcome {
	case wire.AccessSignIn:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", challenge)
	case wire.AccessGranted: // settled meanwhile, and yet nothing is repeated
		why = reason.New(reason.FormNotSent)
	}
	w.Header()[answerDecision] = []string{decisionID(&a)}
	if !q.document {
		options := []problem.Option{problem.WithDecision(decisionID(&a))}
		if status == http.StatusUnauthorized {
			options = append(options, problem.WithSignIn(signInAddress(r, q)))
		}
		problem.Write(w, r, status, why, options...)
		return
	}
	if !q.Navigation {
		back = pageOf(r, q) // where the form is: its address would not repeat it
	}
	if a.Outcome != wire.AccessRefused || a.Decision == nil {
		s.Pages.Fault(w, r, status, why, back)
		return
	}
	s.Pages.Denial(w, r, s.denialPage(q, &a, back))
}

func (s *Server) denialPage(q *question, a *wire.Access, back string) wire.DenialPage {
	p := wire.DenialPage{Portal: *q.Portal, Decision: *a.Decision, ReturnPath: back}
	if a.Facts != nil {
		p.Person, p.Device = a.Facts.Person.Name, a.Facts.Device.Name
		p.Claims, p.Findings = a.Facts.Standing.Result.Claims, a.Facts.Standing.Result.Findings
	}
	if q.Action != wire.ActionRead {
		read := q.AccessRequest
		read.Action = wire.ActionRead
		last, known := s.Sessions.Peek(read)
		p.ReadAllowed = known && last.Outcome == wire.AccessGranted
	}
	return p
}
