package telemetry

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
)

const (
	// lookEvery is how often each part is looked at.
	lookEvery = 500 * time.Millisecond
	// followEvery is how long a follower may be behind.
	followEvery = 100 * time.Millisecond
	// believedFor is how long a part counts as working after it was last seen
	// to (design: State; memory is not trusted past that).
	believedFor = 2 * time.Second
)

// Part is something without which the PDP cannot decide.
type Part struct {
	Name string
	// Look reports what is wrong with the part now. It is given until
	// believedFor has passed; one that does not return is wrong by then.
	Look func(ctx context.Context) error
	// Code is the reason that is told while the part does not work.
	Code string
}

// PartState is one line of the answer of /readyz.
type PartState struct {
	Part string `json:"part"`
	OK   bool   `json:"ok"`
	// Code and Text tell what is wrong and what to do, Detail what was seen.
	Code   string `json:"code,omitempty"`
	Text   string `json:"text,omitempty"`
	Detail string `json:"detail,omitempty"`
	// WorkedAt is when the part was last seen to work.
	WorkedAt time.Time `json:"worked_at,omitzero"`
}

// Readiness says whether the PDP can decide. Its zero value is not usable.
type Readiness struct {
	clock func() time.Time
	parts []Part

	mu      sync.Mutex
	seen    []seen
	running bool
}

type seen struct {
	worked time.Time
	err    error
}

// NewReadiness returns one that is not ready until Run has looked at every part.
func NewReadiness(clock func() time.Time, parts ...Part) *Readiness {
	return &Readiness{clock: clock, parts: parts, seen: make([]seen, len(parts))}
}

// Run looks at the parts until ctx ends, and is not ready from then on.
func (r *Readiness) Run(ctx context.Context) {
	r.set(true)
	defer r.set(false)
	var looking sync.WaitGroup
	for n := range r.parts {
		looking.Go(func() { r.watch(ctx, n) })
	}
	<-ctx.Done()
	looking.Wait()
}

func (r *Readiness) set(running bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = running
}

// watch looks at one part again and again. A look that hangs holds up no other
// part's, and grows old meanwhile.
func (r *Readiness) watch(ctx context.Context, n int) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		r.look(ctx, n)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Follow tells f whether the PDP is ready, as State has it: at once, whenever it
// changes, and that it is not when ctx ends.
func (r *Readiness) Follow(ctx context.Context, f func(ready bool)) {
	defer f(false)
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	last, _ := r.State(reason.English)
	f(last)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if ready, _ := r.State(reason.English); ready != last {
				last = ready
				f(ready)
			}
		}
	}
}

func (r *Readiness) look(ctx context.Context, n int) {
	began := r.clock()
	bounded, cancel := context.WithTimeout(ctx, believedFor)
	defer cancel()
	err := r.parts[n].Look(bounded)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[n].err = err
	if err == nil {
		// What a look says is true of when it began.
		r.seen[n].worked = began
	}
}

// State returns whether the PDP is ready, and each part's state.
func (r *Readiness) State(language reason.Language) (ready bool, parts []PartState) {
	now := r.clock()
	r.mu.Lock()
	running, all := r.running, slices.Clone(r.seen)
	r.mu.Unlock()
	ready = running
	if !running {
		parts = append(parts, wrong(PartState{Part: "service"}, reason.ServiceNotRunning, language))
	}
	for n, s := range all {
		p := PartState{Part: r.parts[n].Name, WorkedAt: s.worked}
		p.OK = s.err == nil && !s.worked.IsZero() && now.Sub(s.worked) < believedFor
		if !p.OK {
			ready = false
			p = wrong(p, r.parts[n].Code, language)
			if s.err != nil {
				p.Detail = s.err.Error()
			}
		}
		parts = append(parts, p)
	}
	return ready, parts
}

func wrong(p PartState, code string, language reason.Language) PartState {
	text := reason.Of(language, reason.New(code))
	p.Code, p.Text = code, text.What+" "+text.Do
	return p
}
