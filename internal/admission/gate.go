package admission

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of what a refused caller is asked to wait, in seconds. They are drawn,
// so that those who were turned away together do not come back together.
const (
	waitLeast = 2
	waitMost  = 8
)

// Gate bounds the work of one kind.
type Gate struct {
	working  chan struct{}
	queueing atomic.Int64
	queue    int64
	patience time.Duration
	shed     atomic.Uint64
}

// NewGate returns a Gate that lets most work at once; as many as queue wait for
// that, no longer than patience.
func NewGate(most, queue int, patience time.Duration) *Gate {
	return &Gate{working: make(chan struct{}, most), queue: int64(queue), patience: patience}
}

// Enter waits for its turn; leave must be called after the work. It reports
// false if there is no turn to be had, or ctx ended.
func (g *Gate) Enter(ctx context.Context) (leave func(), ok bool) {
	select {
	case g.working <- struct{}{}:
		return g.leave, true
	default:
	}
	defer g.queueing.Add(-1)
	if g.queueing.Add(1) > g.queue {
		g.shed.Add(1)
		return nil, false
	}
	turn := time.NewTimer(g.patience)
	defer turn.Stop()
	select {
	case g.working <- struct{}{}:
		return g.leave, true
	case <-turn.C:
	case <-ctx.Done():
	}
	g.shed.Add(1)
	return nil, false
}

func (g *Gate) leave() { <-g.working }

// Shed returns how many found no turn.
func (g *Gate) Shed() uint64 { return g.shed.Load() }

// Handler lets requests through to next one by one's turn, and answers the
// others. An answer leaves after its turn, and so lies in memory whole.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, ok := g.Enter(r.Context())
		if !ok {
			problem.Write(w, r, http.StatusServiceUnavailable, Busy(w.Header()))
			return
		}
		made := &answer{ResponseWriter: w}
		func() {
			defer leave()
			next.ServeHTTP(made, r)
		}()
		made.send()
	})
}

// Busy says in the headers of a 503 when to come again, and returns the reason
// to tell.
func Busy(h http.Header) wire.Reason {
	seconds := strconv.Itoa(waitLeast + rand.IntN(waitMost-waitLeast+1)) // #nosec G404 -- spreads callers, hides nothing
	h.Set("Retry-After", seconds)
	return reason.New(reason.Overloaded, "seconds", seconds)
}
