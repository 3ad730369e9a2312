package signals

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/test/ssf"
)

// Whoever ends a session asks whether anybody listens, so nobody may wait for a
// stream with the transmitter held: who deletes the stream waits for that one.
func TestAStreamThatIsDeletedHoldsUpNobody(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	w.stop()
	deleting, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.mu.Lock()
	w.during = func() { once.Do(func() { close(deleting); <-release }) }
	w.mu.Unlock()

	var all sync.WaitGroup
	all.Go(func() {
		if err := c.Delete(context.WithoutCancel(t.Context()), s.ID); err != nil {
			t.Error(err)
		}
	})
	<-deleting
	ctx, cancel := context.WithCancel(t.Context())
	w.stop = func() { cancel(); all.Wait() }
	all.Go(func() { w.tx.Run(ctx) })
	for w.tx.mu.TryRLock() { // until Run looks at the stream
		started := w.tx.base == ctx
		w.tx.mu.RUnlock()
		if started {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(release)
	silent := make(chan bool, 1)
	go func() {
		for !w.tx.silent() {
			time.Sleep(time.Millisecond)
		}
		silent <- true
	}()
	select {
	case <-silent:
	case <-time.After(20 * time.Second):
		t.Fatal("deleting a stream and pushing its events wait for one another")
	}
}

// slow signs when the test lets it.
type slow struct {
	Signer
	begun, release chan struct{}
}

func (s slow) SignSET(agency string, claims []byte) (string, error) {
	s.begun <- struct{}{}
	<-s.release
	return s.Signer.SignSET(agency, claims)
}

// Each poll may cost many signatures, also one that does not wait.
func TestPollsAtOnceAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	w.revoke(w.somebody("moda"))
	w.poll(c, s) // it is there, and stays until it is acknowledged
	signer := slow{w.tx.Signer, make(chan struct{}, 8), make(chan struct{})}
	w.tx.Signer = signer
	poll := func() error {
		_, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Immediate: true})
		return err
	}
	var all sync.WaitGroup
	for range mostPolls {
		all.Go(func() {
			if err := poll(); err != nil {
				t.Error(err)
			}
		})
		<-signer.begun
	}
	third := make(chan error, 1)
	go func() { third <- poll() }()
	select {
	case err := <-third:
		if statusOf(err) != http.StatusTooManyRequests {
			t.Error(err)
		}
	case <-signer.begun:
		t.Error("one more signs")
	}
	close(signer.release)
	all.Wait()
	if err := poll(); statusOf(err) == http.StatusTooManyRequests {
		t.Error("a turn was not given back")
	}
}
