package decision

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// checkEvery is how soon a session may ask for another measurement.
	checkEvery = 5 * time.Second
	// checkPatience is how long the agent has to answer (pages 3).
	checkPatience = 60 * time.Second
	// checkKept is how long a check's outcome can be asked for.
	checkKept = 2 * time.Minute
	// maxChecks bounds the checks under way.
	maxChecks = 4096
	// limitCheck bounds the body: a return path and little else.
	limitCheck = 2 * wire.MaxReturnPath
)

// check is one measurement that a person asked for. What it was asked about
// does not change; the answer does, under mu.
type check struct {
	request  wire.AccessRequest
	device   string
	command  string
	path     string
	done     <-chan struct{}
	deadline time.Time

	mu     sync.Mutex
	answer wire.CheckAnswer
}

// checks are the checks under way, one a session.
type checks struct {
	mu        sync.Mutex
	bySession map[[sha256.Size]byte]*check
}

func (s *Server) check(w http.ResponseWriter, r *http.Request, q *question) {
	if r.Method == http.MethodGet {
		s.checkState(w, r, q)
		return
	}
	// The header makes another site's script ask first (a preflight, which is
	// never granted); its forms cannot set it at all.
	if !ownOrigin(r.Header, q.Portal) || r.Header.Get(wire.CheckHeader) != "1" {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.CrossSite))
		return
	}
	var body wire.CheckRequest
	if !problem.ReadJSON(w, r, limitCheck, &body) {
		return
	}
	request := q.AccessRequest
	request.Navigation = false
	request.Action = action(http.MethodPost, false)
	if body.Action == wire.ActionRead {
		request.Action = wire.ActionRead
	}
	device, ok := s.Sessions.Admitted(request)
	if !ok {
		w.Header().Set("WWW-Authenticate", challenge)
		problem.Write(w, r, http.StatusUnauthorized, reason.New(reason.SessionNone), problem.WithSignIn(q.Portal.Origin+startPath(body.Continue)))
		return
	}
	c, wait := s.checks.begin(request, s.Clock(), func() *check {
		command, done := s.Devices.Ask(device)
		return &check{request: request, device: device, command: command, path: returnPath(body.Continue), done: done}
	})
	if c == nil {
		w.Header().Set("Retry-After", seconds(wait))
		problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.CheckTooSoon, "seconds", seconds(wait)))
		return
	}
	problem.WriteJSON(w, r, s.progress(r, c))
}

func seconds(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }

// begin starts a check unless this session or all together have asked too much.
func (k *checks) begin(request wire.AccessRequest, now time.Time, ask func() *check) (*check, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if last := k.bySession[request.CookieHash]; last != nil {
		if wait := last.answer.SentAt.Add(checkEvery).Sub(now); wait > 0 {
			return nil, wait
		}
	}
	if len(k.bySession) >= maxChecks {
		for key, c := range k.bySession {
			if now.Sub(c.answer.SentAt) >= checkKept {
				delete(k.bySession, key)
			}
		}
		if len(k.bySession) >= maxChecks {
			return nil, checkEvery
		}
	}
	c := ask()
	c.deadline = now.Add(checkPatience)
	c.answer = wire.CheckAnswer{ID: c.command, Stage: wire.CheckSent, SentAt: now.UTC()}
	k.bySession[request.CookieHash] = c
	return c, 0
}

func (k *checks) find(cookie [sha256.Size]byte, id string, now time.Time) *check {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.bySession[cookie]
	if c == nil || id == "" || c.answer.ID != id {
		return nil
	}
	if now.Sub(c.answer.SentAt) >= checkKept {
		delete(k.bySession, cookie)
		return nil
	}
	return c
}

func (s *Server) checkState(w http.ResponseWriter, r *http.Request, q *question) {
	c := s.checks.find(q.CookieHash, r.URL.Query().Get("id"), s.Clock())
	if c == nil || c.request.Portal.ID != q.Portal.ID {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.CheckUnknown))
		return
	}
	problem.WriteJSON(w, r, s.progress(r, c))
}

// progress says how far c has come, and decides once the Evidence is there.
func (s *Server) progress(r *http.Request, c *check) wire.CheckAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := s.Clock().UTC()
	switch c.answer.Stage {
	case wire.CheckSent, wire.CheckMeasuring:
		select {
		case <-c.done:
			c.answer.Stage, c.answer.AppraisedAt = wire.CheckDeciding, now
		default:
			s.await(c, now)
		}
	case wire.CheckDeciding:
		// Whoever is told of the Evidence first: it counts now.
		s.Sessions.DeviceChanged(c.device)
		s.conclude(c, s.Sessions.Authorize(r.Context(), c.request))
	}
	return c.answer
}

// await looks whether the agent has taken the question, or will not any more.
func (s *Server) await(c *check, now time.Time) {
	switch {
	case !now.Before(c.deadline):
		c.answer.Stage, c.answer.Code = wire.CheckNoAnswer, reason.AgentDidNotAnswer
	case c.answer.Stage == wire.CheckSent && s.Taken != nil && s.Taken(c.device, c.command):
		c.answer.Stage, c.answer.TakenAt = wire.CheckMeasuring, now
	}
}

func (s *Server) conclude(c *check, a wire.Access) {
	c.answer.DecidedAt = s.Clock().UTC()
	c.answer.Decision, c.answer.Code = decisionID(&a), a.Reason.Code
	switch a.Outcome {
	case wire.AccessGranted:
		c.answer.Stage, c.answer.Continue = wire.CheckAllowed, c.path
	case wire.AccessSignIn:
		c.answer.Stage, c.answer.Continue = wire.CheckSignIn, startPath(c.path)
	default:
		c.answer.Stage = wire.CheckDenied
	}
}
