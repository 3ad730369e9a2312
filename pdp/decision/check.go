package decision

import (
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	// checkEvery is how soon a session may ask for another measurement.
	checkEvery = 5 * time.Second
	// checkPatience is how long the agent has to answer (pages: rule 3).
	checkPatience = 60 * time.Second
	// checkKept is how long a check's outcome can be asked for.
	checkKept = 2 * time.Minute
	// maxChecks bounds the checks under way.
	maxChecks = 4096
	// limitCheck bounds the body, which says nothing.
	limitCheck = 256

	checkPath = "/.menshen/check"
)

// check is one measurement that a person asked for. The upper part does not
// change; the lower does, under mu.
type check struct {
	id       string
	request  wire.AccessRequest
	device   string
	done     <-chan struct{}
	asked    time.Time
	mu       sync.Mutex
	stage    wire.CheckStage
	outcome  wire.Access
	overtime bool
}

// checks are the checks under way, one a session.
type checks struct {
	mu        sync.Mutex
	bySession map[[sha256.Size]byte]*check
}

// startCheck asks the session's laptop to measure now. Browsers put Origin or
// Sec-Fetch-Site on every POST, and another site's script may not even send
// this content type without a preflight, which is never granted.
func (s *Server) startCheck(w http.ResponseWriter, r *http.Request, q *question) {
	if !ownOrigin(r.Header, q.Portal) {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.CrossSite))
		return
	}
	var body wire.CheckRequest
	if !problem.ReadJSON(w, r, limitCheck, &body) {
		return
	}
	device, ok := s.Sessions.Admitted(q.AccessRequest)
	if !ok {
		s.signInAgain(w, r, q, reason.New(reason.SessionNone), false)
		return
	}
	c, wait := s.checks.begin(s.lastRefused(q), s.Clock(), func(c *check) {
		c.device = device
		c.id, c.done = s.Devices.Ask(device)
	})
	if c == nil {
		seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
		w.Header().Set("Retry-After", seconds)
		problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.CheckTooSoon, "seconds", seconds))
		return
	}
	problem.WriteJSON(w, r, wire.CheckAnswer{ID: c.id, Stage: wire.CheckSent})
}

// lastRefused is what the session asks to have decided again; reading, if
// nothing was refused.
func (s *Server) lastRefused(q *question) wire.AccessRequest {
	request := q.AccessRequest
	request.Navigation, request.Action, request.Class = false, wire.ActionRead, ""
	if action, class, ok := s.Sessions.LastRefused(request); ok {
		request.Action, request.Class = action, class
	}
	return request
}

// begin starts a check unless this session, or all together, have asked too
// much; then it says how long to wait.
func (k *checks) begin(request wire.AccessRequest, now time.Time, ask func(*check)) (*check, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if last := k.bySession[request.CookieHash]; last != nil {
		if wait := last.asked.Add(checkEvery).Sub(now); wait > 0 {
			return nil, wait
		}
	}
	if len(k.bySession) >= maxChecks {
		for key, c := range k.bySession {
			if now.Sub(c.asked) >= checkKept {
				delete(k.bySession, key)
			}
		}
		if len(k.bySession) >= maxChecks {
			return nil, checkEvery
		}
	}
	c := &check{request: request, asked: now, stage: wire.CheckSent}
	ask(c)
	k.bySession[request.CookieHash] = c
	return c, 0
}

// find returns the session's check of this id while it can be asked for.
func (k *checks) find(q *question, id string, now time.Time) *check {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.bySession[q.CookieHash]
	if c == nil || id == "" || c.id != id || c.request.Portal.ID != q.Portal.ID {
		return nil
	}
	if now.Sub(c.asked) >= checkKept {
		delete(k.bySession, q.CookieHash)
		return nil
	}
	return c
}

// followCheck tells how far a check has come, and decides once the Evidence is
// there.
func (s *Server) followCheck(w http.ResponseWriter, r *http.Request, q *question) {
	c := s.checks.find(q, strings.TrimPrefix(r.URL.Path, checkPath+"/"), s.Clock())
	if c == nil {
		problem.Write(w, r, http.StatusNotFound, reason.New(reason.CheckUnknown))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.advance(r, c)
	switch {
	case c.overtime:
		problem.Write(w, r, http.StatusGatewayTimeout, reason.New(reason.AgentDidNotAnswer))
	case c.stage == wire.CheckResult && c.outcome.Outcome == wire.AccessSignIn:
		s.signInAgain(w, r, q, c.outcome.Reason, c.outcome.FreshKey)
	default:
		problem.WriteJSON(w, r, wire.CheckAnswer{ID: c.id, Stage: c.stage, Allowed: c.outcome.Outcome == wire.AccessGranted,
			Code: c.outcome.Reason.Code, Decision: decisionID(&c.outcome)})
	}
}

// advance moves c on by what has happened. c.mu is held.
func (s *Server) advance(r *http.Request, c *check) {
	switch c.stage {
	case wire.CheckDeciding:
		// Whoever is told of the Evidence first: it counts now.
		s.Sessions.DeviceChanged(c.device)
		c.outcome = s.Sessions.Authorize(r.Context(), c.request)
		c.stage = wire.CheckResult
	case wire.CheckSent, wire.CheckMeasuring:
		select {
		case <-c.done:
			c.stage = wire.CheckDeciding
			return
		default:
		}
		c.overtime = s.Clock().Sub(c.asked) >= checkPatience
		if c.stage == wire.CheckSent && s.Taken != nil && s.Taken(c.device, c.id) {
			c.stage = wire.CheckMeasuring
		}
	}
}
