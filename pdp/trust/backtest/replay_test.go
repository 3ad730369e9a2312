package backtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

var monday = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

// acquaintance is an honest plugin in this process: it knows the laptops that
// it was taught, and how many requests a session made at most.
type acquaintance struct {
	laptops map[string]map[string]bool
	most    map[string]uint64
	taught  []wire.Observation
}

func newAcquaintance() *acquaintance {
	return &acquaintance{laptops: map[string]map[string]bool{}, most: map[string]uint64{}}
}

func (a *acquaintance) judge(o wire.Observation) wire.Verdict {
	known := a.laptops[o.Person]
	switch {
	case o.Kind == wire.ObservedActivity && a.most[o.Person] > 0 && o.Requests > 10*a.most[o.Person]:
		return wire.Verdict{LLR: -3, Confidence: 1}
	case o.Kind == wire.ObservedActivity:
		return wire.Verdict{LLR: 2, Confidence: 1}
	case len(known) == 0:
		return wire.Verdict{Abstained: true}
	case known[o.Device]:
		return wire.Verdict{LLR: 1, Confidence: 1}
	}
	return wire.Verdict{LLR: -2, Confidence: 1}
}

func (a *acquaintance) teach(o wire.Observation) {
	switch o.Kind {
	case wire.ObservedSignIn:
		if a.laptops[o.Person] == nil {
			a.laptops[o.Person] = map[string]bool{}
		}
		a.laptops[o.Person][o.Device] = true
	case wire.ObservedActivity:
		a.most[o.Person] = max(a.most[o.Person], o.Requests)
	default:
		return
	}
	a.taught = append(a.taught, o)
}

func (a *acquaintance) plugin(name string, cluster wire.Cluster) Plugin {
	return Plugin{
		Name: name, Cluster: cluster, Kinds: []wire.ObservationKind{wire.ObservedSignIn, wire.ObservedActivity}, Activity: true,
		Rehearse: func(_ context.Context, next func() (wire.Observation, bool), heard func(wire.Verdict) error) error {
			for o, more := next(); more; o, more = next() {
				v := a.judge(o)
				a.teach(o)
				if err := heard(v); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func event(kind wire.ObservationKind, person, laptop string, hour, session int) Event {
	return Event{Session: session, Observation: wire.Observation{
		Kind: kind, Person: person, Device: laptop, At: monday.Add(time.Duration(hour) * time.Hour),
	}}
}

func TestEachSignInIsJudgedBeforeItIsTaught(t *testing.T) {
	a := newAcquaintance()
	events := []Event{
		event(wire.ObservedSignIn, "ann", "one", 0, 1),
		event(wire.ObservedSignIn, "ann", "one", 1, 2),
		event(wire.ObservedFailure, "ann", "two", 2, 0),
		event(wire.ObservedSignIn, "ann", "two", 3, 3),
		event(wire.ObservedSignIn, "ann", "two", 4, 4),
	}
	r, err := Replay(t.Context(), events, []Plugin{a.plugin("laptop", wire.ClusterDevice)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []opinion
	for _, s := range r.sessions {
		got = append(got, s.opinions[0])
	}
	want := []opinion{{said: abstained}, {1, 1, answered}, {-2, 1, answered}, {1, 1, answered}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestAnAttackTeachesNothingUnlessItIsPoison(t *testing.T) {
	a := newAcquaintance()
	attack := event(wire.ObservedSignIn, "ann", "stolen", 1, 2)
	attack.Label = Naive
	did := event(wire.ObservedActivity, "ann", "stolen", 2, 2)
	did.Label = Naive
	poison := event(wire.ObservedSignIn, "ann", "poison", 3, 3)
	poison.Label, poison.Poison = Naive, true
	events := []Event{event(wire.ObservedSignIn, "ann", "own", 0, 1), attack, did, poison}
	if _, err := Replay(t.Context(), events, []Plugin{a.plugin("laptop", wire.ClusterDevice)}, nil); err != nil {
		t.Fatal(err)
	}
	var taught []string
	for _, o := range a.taught {
		taught = append(taught, o.Device)
	}
	if !slices.Equal(taught, []string{"own", "poison"}) {
		t.Errorf("taught %v", taught)
	}
}

func TestActivityOnlyLowersASession(t *testing.T) {
	yes, no, shy, gone := opinion{1, 1, answered}, opinion{-1, 1, answered}, opinion{said: abstained}, opinion{}
	say := map[opinion]wire.Verdict{yes: {LLR: 1, Confidence: 1}, no: {LLR: -1, Confidence: 1}, shy: {Abstained: true}, gone: {Missing: true}}
	for _, tt := range []struct{ first, later, want opinion }{
		{yes, no, no},
		{no, yes, no},
		{shy, yes, shy},
		{shy, no, no},
		{no, shy, no},
		{yes, shy, yes},
		{yes, gone, yes},
		{no, gone, no},
		{gone, no, no},
	} {
		var o opinion
		heardOf(&o, say[tt.first], true)
		heardOf(&o, say[tt.later], false)
		if o != tt.want {
			t.Errorf("%+v then %+v became %+v", tt.first, tt.later, o)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	a := newAcquaintance()
	good := []Event{event(wire.ObservedSignIn, "ann", "one", 0, 1), event(wire.ObservedSignIn, "ann", "one", 1, 2)}
	broken := errors.New("the process died")
	silent := Plugin{Name: "silent", Rehearse: func(context.Context, func() (wire.Observation, bool), func(wire.Verdict) error) error { return nil }}
	dying := Plugin{Name: "dying", Rehearse: func(context.Context, func() (wire.Observation, bool), func(wire.Verdict) error) error { return broken }}
	noisy := Plugin{Name: "noisy", Rehearse: func(_ context.Context, next func() (wire.Observation, bool), heard func(wire.Verdict) error) error {
		for _, more := next(); more; _, more = next() {
			if err := errors.Join(heard(wire.Verdict{}), heard(wire.Verdict{})); err != nil {
				return err
			}
		}
		return nil
	}}
	for name, tt := range map[string]struct {
		events []Event
		plugin Plugin
		want   string
	}{
		"disorder":           {[]Event{good[1], good[0]}, a.plugin("p", wire.ClusterDevice), "older"},
		"nothing":            {[]Event{event(wire.ObservedFailure, "ann", "one", 0, 0)}, a.plugin("p", wire.ClusterDevice), ErrNothing.Error()},
		"too few verdicts":   {good, silent, "fewer verdicts"},
		"too many verdicts":  {good, noisy, "more verdicts"},
		"a plugin that dies": {good, dying, "dying: the process died"},
	} {
		if _, err := Replay(t.Context(), tt.events, []Plugin{tt.plugin}, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgressReachesItsEnd(t *testing.T) {
	var events []Event
	for n := range 40 {
		events = append(events, event(wire.ObservedSignIn, fmt.Sprint("p", n%3), "one", n, n+1))
	}
	last := 0
	_, err := Replay(t.Context(), events, []Plugin{newAcquaintance().plugin("p", wire.ClusterDevice)}, func(done, all int) { last = done - all })
	if err != nil || last != 0 {
		t.Errorf("%v, %d from the end", err, last)
	}
}
