package admission

import (
	"container/list"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Who is ready when a turn ends goes before the next one, with one processor
// too: this is what keeps known sessions' answers quick.
func TestWhoIsReadyGoesBeforeTheNextTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	turns, err := newTurns(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = turns.close() }()
	answers, asks, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = asks.Close(), answers.Close() }()
	var answered atomic.Int64
	go func() {
		for {
			n, err := answers.Read(make([]byte, 1))
			if err != nil {
				return
			}
			answered.Add(int64(n))
		}
	}()
	const strangers = 200
	seen, done := make([]int64, 0, strangers), make(chan struct{})
	for range strangers {
		go func() {
			_, _ = turns.take(&turns.newcomers, nil)
			seen = append(seen, answered.Load())
			_, _ = asks.Write([]byte("?")) // somebody known asks meanwhile
			if len(seen) == strangers {
				close(done)
			}
			turns.end()
		}()
	}
	<-done
	for i, n := range seen {
		if int(n) < i-1 { // the runtime lets one turn in 61 go ahead
			t.Fatalf("turn %d began when %d of %d were answered", i, n, i)
		}
	}
}

// Newcomers and regulars take turns; a regular who is late anyhow alternates
// with the latest.
func TestTurnsAreGivenToAll(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct{ newcomers, regulars, want string }{
		{"1 2 3", "", "1 2 3"},
		{"", "a b c", "a b c"},
		{"1 2 3", "a b c", "1 a 2 b 3 c"},
		{"1 2", "a b c d", "1 a 2 b c d"},
		{"", "A B c d", "d A B c"},
		{"1 2 3 4", "A B c d", "1 A 2 d 3 B 4 c"},
	} {
		turns, names := new(turns), map[*waiting]string{}
		for among, who := range map[*list.List]string{&turns.newcomers: tt.newcomers, &turns.regulars: tt.regulars} {
			for _, name := range strings.Fields(who) {
				w := &waiting{since: now.Add(time.Hour), behind: true, begin: make(chan struct{})}
				if name < "a" && name > "9" {
					w.since = now.Add(-2 * laneWait)
				}
				names[w] = name
				among.PushBack(w)
			}
		}
		var order []string
		for !turns.none() {
			turns.next()
			for w, name := range names {
				select {
				case <-w.begin:
					order = append(order, name)
					delete(names, w)
					if late := w.since.Before(now); w.late != late {
						t.Errorf("%s: late is %v", name, w.late)
					}
				default:
				}
			}
		}
		if got := strings.Join(order, " "); got != tt.want {
			t.Errorf("%q, %q: %s, not %s", tt.newcomers, tt.regulars, got, tt.want)
		}
	}
}
