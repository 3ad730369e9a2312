package admission

import (
	"container/list"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

// turns gives out the turns of a lane.
//
// The runtime asks its poller who has become ready only when nothing is left to
// run. Were turns handed on from one to the next, something always would be, and
// whom the lane is to give way to would stay unfound for 10 ms and more. So every
// turn is given by way of the poller: by then, those whose bytes came before have
// been found too, and go ahead.
type turns struct {
	// called wakes the giver, call calls it: the ends of a pipe.
	called, call *os.File

	mu sync.Mutex
	// free are the turns that may begin. It falls below none if a turn does not
	// end and the lane goes on without it.
	free int
	// newcomers wait with a new connection, regulars on one that has been served.
	newcomers, regulars list.List
	fair                uint // counts, so that all take turns at being next
	calling, closed     bool
}

// waiting is somebody who waits for a turn.
type waiting struct {
	since  time.Time
	behind bool // others were there before
	begin  chan struct{}
	late   bool // set before begin is closed
}

func newTurns(most int) (*turns, error) {
	called, call, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("admission: a pipe for turns: %w", err)
	}
	t := &turns{called: called, call: call, free: most}
	go t.give()
	return t, nil
}

// take waits for a turn, which end ends, and reports whether that took longer
// than laneWait. If done ends before, there is no turn.
func (t *turns) take(among *list.List, done <-chan struct{}) (late, ok bool) {
	t.mu.Lock()
	if t.closed {
		t.free--
		t.mu.Unlock()
		return false, true
	}
	w, place := t.join(among)
	select {
	case <-w.begin:
		return w.late, true
	case <-done:
	}
	t.mu.Lock()
	select {
	case <-w.begin: // meanwhile
		t.mu.Unlock()
		t.end()
	default:
		among.Remove(place)
		t.mu.Unlock()
	}
	return false, false
}

// pass waits until all who were ready have been found and as many as have
// turns have begun.
func (t *turns) pass() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	w, _ := t.join(&t.newcomers)
	<-w.begin
	t.end()
}

// join lines up, and unlocks.
func (t *turns) join(among *list.List) (*waiting, *list.Element) {
	first := t.none()
	w := &waiting{since: time.Now(), behind: !first || t.free <= 0, begin: make(chan struct{})}
	place := among.PushBack(w)
	calls := t.calls(first)
	t.mu.Unlock()
	t.wake(calls)
	return w, place
}

func (t *turns) end() {
	t.mu.Lock()
	t.free++
	calls := t.calls(t.free > 0 && !t.none())
	t.mu.Unlock()
	t.wake(calls)
}

func (t *turns) none() bool { return t.newcomers.Len()+t.regulars.Len() == 0 }

// calls reports whether the giver is to be called: once is enough.
func (t *turns) calls(needed bool) bool {
	if !needed || t.calling || t.closed {
		return false
	}
	t.calling = true
	return true
}

func (t *turns) wake(calls bool) {
	if calls {
		_, _ = t.call.Write([]byte{0}) // fails if it is closed, and then nobody waits
	}
}

// give gives turns out until the lane is closed. Where none has ended for
// laneWait it gives one all the same: a lane slows down, and never stops.
func (t *turns) give() {
	defer func() { _ = t.called.Close() }()
	for {
		t.mu.Lock()
		limit := time.Time{}
		if !t.none() {
			limit = time.Now().Add(laneWait)
		}
		t.mu.Unlock()
		_ = t.called.SetReadDeadline(limit) // a pipe has deadlines
		_, err := t.called.Read(make([]byte, 1))
		stuck := errors.Is(err, os.ErrDeadlineExceeded)
		if err != nil && !stuck {
			return
		}
		runtime.Gosched() // after those who were found with it
		t.mu.Lock()
		t.calling = t.calling && stuck
		for ; (t.free > 0 || stuck) && !t.none(); stuck = false {
			t.next()
		}
		t.mu.Unlock()
	}
}

// next gives one turn. Newcomers and regulars take turns, so that neither keeps
// the other out. Regulars that have waited for too long and will be told to come
// again alternate with the latest, who can still be served in time.
func (t *turns) next() {
	t.fair++
	among := &t.newcomers
	if t.fair%2 == 0 && t.regulars.Len() > 0 || t.newcomers.Len() == 0 {
		among = &t.regulars
	}
	place := among.Front()
	if first, _ := place.Value.(*waiting); among == &t.regulars && t.fair%4 < 2 && first.isLate() {
		place = among.Back()
	}
	t.free--
	t.begin(among, place)
}

func (t *turns) begin(among *list.List, place *list.Element) {
	w, _ := among.Remove(place).(*waiting)
	w.late = w.isLate()
	close(w.begin)
}

// isLate is nobody whom only a slow machine held up.
func (w *waiting) isLate() bool { return w.behind && time.Since(w.since) > laneWait }

// close ends the giving; from then on nobody waits.
func (t *turns) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	for _, among := range []*list.List{&t.newcomers, &t.regulars} {
		for among.Len() > 0 {
			t.free--
			t.begin(among, among.Front())
		}
	}
	return t.call.Close()
}
