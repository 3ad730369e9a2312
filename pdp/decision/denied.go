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
	a, known := s.peek(q)
	if !known || a.Outcome != wire.AccessRefused {
		a = s.authorize(r.Context(), q)
	}
	s.refused(w, r, q, &a)
}

func (s *Server) refused(w http.ResponseWriter, r *http.Request, q *question, a *wire.Access) {
	back := returnPath(q.uri)
	switch {
	case a.Outcome == wire.AccessSignIn && q.Navigation:
		s.begin(w, r, q, back, a.FreshKey, touchReasons(a))
		return
	case a.Outcome == wire.AccessGranted && q.Navigation:
		goTo(w, back) // settled meanwhile
		return
	}
	w.Header()[answerDecision] = []string{decisionID(a)}
	if a.Outcome == wire.AccessGranted { // settled meanwhile, and yet nothing is repeated
		a.Reason = reason.New(reason.FormNotSent)
	}
	if q.document {
		s.deniedPage(w, r, q, a, back)
		return
	}
	if a.Outcome == wire.AccessSignIn {
		s.signInAgain(w, r, q, a.Reason, a.FreshKey)
		return
	}
	problem.Write(w, r, http.StatusForbidden, a.Reason, problem.WithDecision(decisionID(a)))
}

func (s *Server) deniedPage(w http.ResponseWriter, r *http.Request, q *question, a *wire.Access, back string) {
	if !q.Navigation {
		back = pageOf(r, q) // where the form is: the form's address would not repeat it
	}
	switch {
	case a.Outcome == wire.AccessSignIn:
		s.Pages.Fault(w, r, http.StatusUnauthorized, reason.New(reason.FormNotSent), startPath(back, a.FreshKey))
	case a.Outcome == wire.AccessGranted, a.Decision == nil:
		s.Pages.Fault(w, r, http.StatusForbidden, a.Reason, back)
	default:
		s.Pages.Denial(w, r, s.denialPage(q, a, back))
	}
}

func (s *Server) denialPage(q *question, a *wire.Access, back string) wire.DenialPage {
	p := wire.DenialPage{Portal: *q.Portal, Decision: *a.Decision, ReturnPath: back}
	if a.Facts != nil {
		p.Person, p.Device = a.Facts.Person.Name, a.Facts.Device.Name
		p.Claims, p.Findings = a.Facts.Standing.Result.Claims, a.Facts.Standing.Result.Findings
	}
	p.Doubts = doubts(a)
	if q.Action != wire.ActionRead {
		read := q.AccessRequest
		read.Action = wire.ActionRead
		last, known := s.Sessions.Peek(read)
		p.ReadAllowed = known && last.Outcome == wire.AccessGranted
	}
	return p
}
