package decision

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
)

const (
	endedPath = "/connections/ended"
	// endedWait is how long a proxy waits for the next connection to cut.
	endedWait = 20 * time.Second
	// maxEnded bounds what a portal's proxy is told late, and maxTold what it
	// is told at once.
	maxEnded = 4096
	maxTold  = 512
	// maxAsking bounds the requests of one portal that wait at one time.
	maxAsking = 16
)

// Headers of the answer.
const (
	answerEpoch = "Menshen-Epoch"
	answerNext  = "Menshen-Next"
	answerAll   = "Menshen-All"
)

// endings are the connections that proxies are to cut, in order, for each portal.
type endings struct {
	// epoch is another after each start: what was open before is not known.
	epoch string

	mu       sync.Mutex
	byPortal map[string]*endingsOf
	closed   bool
}

// endingsOf are those of one portal. Number first is the first that is kept.
type endingsOf struct {
	first   uint64
	ids     []string
	waiting int
	more    chan struct{} // closed when there are more
}

func newEndings(epoch string) *endings {
	return &endings{epoch: epoch, byPortal: map[string]*endingsOf{}}
}

// of needs mu.
func (e *endings) of(portal string) *endingsOf {
	if e.byPortal[portal] == nil {
		e.byPortal[portal] = &endingsOf{first: 1, more: make(chan struct{})}
	}
	return e.byPortal[portal]
}

func (e *endings) add(name connectionName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.of(name.portal)
	p.ids = append(p.ids, name.id)
	if over := len(p.ids) - maxEnded; over > 0 {
		p.ids, p.first = append([]string(nil), p.ids[over:]...), p.first+uint64(over) // #nosec G115 -- positive
	}
	close(p.more)
	p.more = make(chan struct{})
}

// close lets nobody wait any more.
func (e *endings) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, p := range e.byPortal {
		close(p.more)
		p.more = make(chan struct{})
	}
}

// told is what a proxy is told: the connections to cut after those that it
// knows of. All says that some may be missing: it has to cut every one.
type told struct {
	ids  []string
	next uint64
	all  bool
}

// after returns what a proxy has to know that knows epoch up to a number, and
// what to wait for if that is nothing.
func (e *endings) after(portal, epoch string, number uint64) (told, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.of(portal)
	last := p.first + uint64(len(p.ids)) - 1
	if epoch != e.epoch || number+1 < p.first || number > last {
		return told{next: last, all: true}, nil
	}
	fresh := p.ids[number+1-p.first:]
	fresh = fresh[:min(len(fresh), maxTold)]
	t := told{ids: fresh, next: number + uint64(len(fresh))}
	if len(fresh) > 0 || e.closed {
		return t, nil
	}
	return t, p.more
}

// wait is after, with patience.
func (e *endings) wait(ctx context.Context, portal, epoch string, number uint64) (t told, ok bool) {
	if !e.queue(portal) {
		return told{}, false
	}
	defer e.leave(portal)
	ctx, cancel := context.WithTimeout(ctx, endedWait)
	defer cancel()
	for {
		t, more := e.after(portal, epoch, number)
		if more == nil {
			return t, true
		}
		select {
		case <-more:
		case <-ctx.Done():
			return t, true
		}
	}
}

func (e *endings) queue(portal string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.of(portal)
	if p.waiting >= maxAsking {
		return false
	}
	p.waiting++
	return true
}

func (e *endings) leave(portal string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.byPortal[portal].waiting--
}

// connectionsEnded tells a portal's proxy which connections to cut: one name a
// line, oldest first. It waits while there are none.
func (s *Server) connectionsEnded(w http.ResponseWriter, r *http.Request, portal *Portal) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		problem.Write(w, r, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod))
		return
	}
	query := r.URL.Query()
	number, err := strconv.ParseUint(query.Get("after"), 10, 63)
	epoch := query.Get("epoch")
	if err != nil { // nothing is known there yet
		number, epoch = 0, ""
	}
	t, ok := s.connections.ended.wait(r.Context(), portal.ID, epoch, number)
	if !ok {
		w.Header().Set("Retry-After", "1")
		problem.Write(w, r, http.StatusTooManyRequests, reason.New(reason.ConnectionsBusy))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=us-ascii")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(answerEpoch, s.connections.ended.epoch)
	h.Set(answerNext, strconv.FormatUint(t.next, 10))
	if t.all {
		h.Set(answerAll, "1")
	}
	for _, id := range t.ids {
		if _, err := w.Write([]byte(id + "\n")); err != nil {
			return // it asks again from the same number
		}
	}
}
