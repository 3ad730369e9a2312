package appraisal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

func (f *fixture) poll(life time.Duration) []wire.Command {
	ctx, cancel := context.WithTimeout(context.Background(), life)
	defer cancel()
	defer f.Connected(laptop.ID)()
	return f.Commands(ctx, laptop.ID)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestAQuestionIsTakenByTheLongPollAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		id, _ := f.Ask(laptop.ID)
		if f.Taken(laptop.ID, id) {
			t.Error("taken before anybody polled")
		}
		f.poll(time.Second)
		if !f.Taken(laptop.ID, id) || f.Taken(laptop.ID, "cmd-other") || f.Taken("dev-other", id) {
			t.Error("the poll took this question of this device, and no other")
		}
		f.attest(t)
		if f.Taken(laptop.ID, id) {
			t.Error("taken after it was answered")
		}
	})
}

func TestAskReleasesTheLongPollAndIsAnsweredByNewerEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		old := f.nonce(t)
		time.Sleep(time.Second)

		got := make(chan []wire.Command)
		go func() { got <- f.poll(wire.PollLife) }()
		synctest.Wait()
		asked := time.Now()
		id, done := f.Ask(laptop.ID)
		commands := <-got
		if !time.Now().Equal(asked) {
			t.Error("the poll that waits does not hear of it at once")
		}
		if len(commands) != 1 || commands[0].ID != id || commands[0].Kind != wire.CommandMeasure {
			t.Fatalf("commands %v", commands)
		}
		if again, same := f.Ask(laptop.ID); again != id || same != done {
			t.Error("a question that stands is asked twice")
		}
		// What was measured before the question does not answer it.
		if _, err := f.submit(t, old); err != nil {
			t.Fatal(err)
		}
		if closed(done) {
			t.Error("answered by older Evidence")
		}
		f.attest(t)
		if !closed(done) {
			t.Error("not answered")
		}
		if left := f.poll(time.Second); left != nil {
			t.Errorf("an answered question is asked again: %v", left)
		}
	})
}

func TestALostCommandIsSentAgainButNotInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.Ask(laptop.ID)
		begin := time.Now()
		if len(f.poll(wire.PollLife)) != 1 || time.Since(begin) != 0 {
			t.Error("not sent at once")
		}
		if len(f.poll(wire.PollLife)) != 1 || time.Since(begin) != redeliverAfter {
			t.Errorf("sent again after %v", time.Since(begin))
		}
	})
}

func TestForgettingADeviceEndsItsPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		begin := time.Now()
		ended := make(chan struct{})
		go func() { f.poll(wire.PollLife); close(ended) }()
		synctest.Wait()
		f.Forget(laptop.ID)
		<-ended
		if time.Since(begin) != 0 || len(f.devices) != 0 {
			t.Errorf("ended after %v, %d devices stay", time.Since(begin), len(f.devices))
		}
	})
}

func TestAnIdlePollEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		begin := time.Now()
		if f.poll(wire.PollLife) != nil || time.Since(begin) != wire.PollLife {
			t.Errorf("ended after %v", time.Since(begin))
		}
	})
}

func TestACommandForAnotherDeviceDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.Ask(other.ID)
		if got := f.poll(time.Second); got != nil {
			t.Errorf("got %v", got)
		}
	})
}
