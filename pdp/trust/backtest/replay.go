package backtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Plugin is one running inference plugin.
type Plugin struct {
	Name    string
	Cluster wire.Cluster
	// Kinds are what it is taught of.
	Kinds []wire.ObservationKind
	// Activity says that it judges what a session does, too.
	Activity bool
	// Rehearse judges and then teaches what next returns until it says false,
	// and gives each verdict to heard, in order.
	Rehearse func(ctx context.Context, next func() (wire.Observation, bool), heard func(wire.Verdict) error) error
}

// opinion is one plugin's verdict on one session, as the fusion takes it.
type opinion struct {
	llr, confidence float64
	said            saying
}

type saying uint8

// The zero saying is a verdict that never came.
const (
	missing saying = iota
	abstained
	answered
)

// session is one sign-in with what all plugins said of it.
type session struct {
	person   int // index of the person
	at       time.Time
	label    Label
	variant  string
	poison   bool
	familiar int
	opinions []opinion // in the plugins' order
}

// Replayed is the past with the plugins' verdicts on it.
type Replayed struct {
	plugins  []Plugin
	sessions []session // in the order of their sign-ins
	people   int
	events   int
	// answers counts each plugin's verdicts on sessions: missing, abstained, answered.
	answers [][3]int
}

// ErrNothing is returned where no event is a sign-in.
var ErrNothing = errors.New("backtest: no sign-in to judge")

// Replay puts the events, which must be in the order of time, to all plugins
// at once: each is judged before it is taught. A session is judged at its
// sign-in and, where a plugin looks at activity, again when it has done
// something; the later verdict may only lower the earlier one, as in the PDP,
// where a session's own sign-in has been taught by then. progress is called
// now and then, from any goroutine, with how many of all verdicts have come.
func Replay(ctx context.Context, events []Event, plugins []Plugin, progress func(done, all int)) (*Replayed, error) {
	for i := 1; i < len(events); i++ {
		if events[i].At.Before(events[i-1].At) {
			return nil, fmt.Errorf("backtest: event %d is older than the one before it", i+1)
		}
	}
	plugins = slices.Clone(plugins)
	slices.SortFunc(plugins, func(a, b Plugin) int { return compareText(a.Name, b.Name) })
	out, of := sessionsOf(events, plugins)
	if len(out.sessions) == 0 {
		return nil, ErrNothing
	}
	p := &progressCount{tell: progress}
	for i := range plugins {
		for n := range events {
			if plugins[i].judges(&events[n]) {
				p.all++
			}
		}
	}
	if err := out.rehearse(ctx, events, of, p); err != nil {
		return nil, err
	}
	out.count()
	return out, nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// rehearse runs the plugins side by side; the first error ends all.
func (r *Replayed) rehearse(ctx context.Context, events []Event, of []int32, p *progressCount) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for i := range r.plugins {
		all.Go(func() {
			if err := r.rehearseOne(ctx, i, events, of, p); err != nil {
				cancel(fmt.Errorf("backtest: %s: %w", r.plugins[i].Name, err))
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// rehearseOne walks the events twice at once: next sends, heard takes in.
func (r *Replayed) rehearseOne(ctx context.Context, i int, events []Event, of []int32, p *progressCount) error {
	plugin := &r.plugins[i]
	sent, taken := 0, 0
	forward := func(n int) int {
		for n < len(events) && !plugin.judges(&events[n]) {
			n++
		}
		return n
	}
	next := func() (wire.Observation, bool) {
		if sent = forward(sent); sent == len(events) {
			return wire.Observation{}, false
		}
		sent++
		return events[sent-1].observation(), true
	}
	heard := func(v wire.Verdict) error {
		if taken = forward(taken); taken == len(events) {
			return errors.New("more verdicts than observations")
		}
		if s := of[taken]; s >= 0 {
			heardOf(&r.sessions[s].opinions[i], v, events[taken].begins())
		}
		taken++
		p.add()
		return nil
	}
	if err := plugin.Rehearse(ctx, next, heard); err != nil {
		return err
	}
	if forward(taken) != len(events) {
		return errors.New("fewer verdicts than observations")
	}
	return nil
}

// judges reports whether the plugin has to see the event.
func (p *Plugin) judges(e *Event) bool {
	switch {
	case e.begins():
		return true
	case e.Kind == wire.ObservedActivity && p.Activity:
		return true
	}
	return slices.Contains(p.Kinds, e.Kind)
}

// heardOf takes in a verdict: the first as it is, a later one as far as it
// lowers (pdp/trust does the same, and says why).
func heardOf(o *opinion, v wire.Verdict, first bool) {
	now := opinion{llr: v.LLR, confidence: v.Confidence, said: answered}
	switch {
	case v.Missing:
		now = opinion{said: missing}
	case v.Abstained:
		now = opinion{said: abstained}
	}
	switch {
	case first || o.said == missing:
		*o = now
	case now.said == missing:
	case o.said == answered && now.said == answered && now.llr < o.llr,
		o.said == abstained && now.said == answered && now.llr <= 0:
		*o = now
	}
}

// sessionsOf makes the sessions and says of each event which one it is part
// of; -1 is none: it only teaches.
func sessionsOf(events []Event, plugins []Plugin) (*Replayed, []int32) {
	out := &Replayed{plugins: plugins, events: len(events)}
	of := make([]int32, len(events))
	people, known := map[string]int{}, map[int]int32{}
	for n := range events {
		e := &events[n]
		of[n] = -1
		if !e.begins() {
			if s, ok := known[e.Session]; ok && e.Session != 0 && e.Kind == wire.ObservedActivity {
				of[n] = s
			}
			continue
		}
		person, ok := people[e.Person]
		if !ok {
			person = len(people)
			people[e.Person] = person
		}
		label := e.Label
		if label == "" {
			label = Genuine
		}
		of[n] = int32(len(out.sessions)) // #nosec G115 -- events fit into memory
		known[e.Session] = of[n]
		out.sessions = append(out.sessions, session{
			person: person, at: e.At, label: label, variant: e.Variant, poison: e.Poison, familiar: e.Familiar,
			opinions: make([]opinion, len(plugins)),
		})
	}
	out.people = len(people)
	return out, of
}

func (r *Replayed) count() {
	r.answers = make([][3]int, len(r.plugins))
	for i := range r.sessions {
		for p, o := range r.sessions[i].opinions {
			r.answers[p][o.said]++
		}
	}
}

// progressCount tells of every thousandth verdict.
type progressCount struct {
	done atomic.Int64
	all  int
	tell func(done, all int)
}

func (p *progressCount) add() {
	if n := int(p.done.Add(1)); p.tell != nil && (n%1000 == 0 || n == p.all) {
		p.tell(n, p.all)
	}
}
