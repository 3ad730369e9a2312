package admin

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

// ServeHTTP answers one request of a permitted user.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := r.Context().Value(peerKey{}).(peer)
	if !ok {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.Unauthorized))
		return
	}
	if p.uid != 0 && !slices.Contains(a.UIDs, p.uid) {
		a.refuseUser(w, r, p)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// Each refused user is recorded once a minute, with how often: a local user
// must not fill the audit log.
const (
	refusalEvery = time.Minute
	mostRefused  = 256
)

type refusals struct {
	mu    sync.Mutex
	users map[uint32]*refusedUser
}

type refusedUser struct {
	recorded time.Time
	since    int
}

// due counts a refusal and returns how many are to be recorded now, 0 if it is
// too early.
func (f *refusals) due(uid uint32, now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.users[uid]
	if u == nil {
		if len(f.users) >= mostRefused {
			clear := now.Add(-refusalEvery)
			for id, old := range f.users {
				if old.recorded.Before(clear) {
					delete(f.users, id)
				}
			}
		}
		if len(f.users) >= mostRefused {
			return 0
		}
		u = &refusedUser{}
		f.users[uid] = u
	}
	u.since++
	if !u.recorded.IsZero() && now.Sub(u.recorded) < refusalEvery {
		return 0
	}
	n := u.since
	u.recorded, u.since = now, 0
	return n
}

func (a *Admin) refuseUser(w http.ResponseWriter, r *http.Request, p peer) {
	a.Logger.Warn("administration refused", "uid", p.uid, "pid", p.pid, "path", r.URL.Path)
	if n := a.refused.due(p.uid, a.Clock()); n > 0 {
		act := act{Action: "refused", Target: r.Method + " " + r.URL.Path, By: p.text(), Outcome: outcomeRefused, Times: n}
		if err := a.record(r.Context(), act); err != nil {
			problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.AuditClosed))
			return
		}
	}
	problem.Write(w, r, http.StatusForbidden, reason.New(reason.CfgNotPermitted, "uid", strconv.FormatUint(uint64(p.uid), 10)))
}

// text names the user in records and in codes.
func (p peer) text() string { return "uid:" + strconv.FormatUint(uint64(p.uid), 10) }
