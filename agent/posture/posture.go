package posture

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// FirewallSource asks the privileged helper for the packet filter's rules.
type FirewallSource interface {
	Firewall(ctx context.Context) (wire.FirewallRuleset, error)
}

// Machine is everything that collectors look at.
type Machine struct {
	// Files is the file system from its root, os.DirFS("/") outside of tests.
	Files fs.FS
	// Firewall is nil where there is no helper; the claim is then an error.
	Firewall FirewallSource
	// Commands runs the few programs that are a system's own interface.
	Commands Commands
	// Windows is nil on other systems.
	Windows Windows
	// ScreenLocks are the latest reports of the desktops' sessions.
	ScreenLocks func() []ScreenLock
	Settings    Settings
	Clock       func() time.Time
}

// Set is all the collectors of this operating system for one machine.
type Set struct {
	machine    Machine
	collectors []collector
	memory     *memory
}

// collector measures one claim.
type collector struct {
	id      wire.ClaimID
	source  string
	measure func(ctx context.Context, m Machine) outcome
	// keep says how long what was measured may be said again; the zero value
	// measures every time.
	keep keep
}

// outcome is a claim without its frame.
type outcome struct {
	state   wire.ClaimState
	value   map[string]string
	problem string
}

// New returns the collectors for m.
func New(m Machine) *Set {
	return &Set{machine: m, collectors: collectors(), memory: &memory{kept: map[wire.ClaimID]kept{}}}
}

// Only returns the set's collector of one claim, Without all but that.
func (s *Set) Only(id wire.ClaimID) *Set {
	return s.filter(func(c collector) bool { return c.id == id })
}

// Without returns the set without one claim.
func (s *Set) Without(id wire.ClaimID) *Set {
	return s.filter(func(c collector) bool { return c.id != id })
}

func (s *Set) filter(keep func(collector) bool) *Set {
	some := &Set{machine: s.machine, memory: s.memory}
	for _, c := range s.collectors {
		if keep(c) {
			some.collectors = append(some.collectors, c)
		}
	}
	return some
}

// Measure measures every claim of the set now.
func (s *Set) Measure(ctx context.Context) wire.Claims {
	var claims wire.Claims
	for _, c := range s.collectors {
		o, at := s.recent(ctx, c)
		claims.Claims = append(claims.Claims, wire.Claim{
			ID: c.id, State: o.state, Value: o.value, Problem: o.problem, MeasuredAt: at.UTC(), Source: c.source,
		})
	}
	return claims
}

// one runs a collector. One that panics has measured nothing, and must not take
// the agent with it: a silent agent would say less than an error does.
func (s *Set) one(ctx context.Context, c collector) (o outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			o = cannot("the collector failed: %v", fault)
		}
	}()
	if o = c.measure(ctx, s.machine); !o.state.Valid() {
		return cannot("the collector gave no result")
	}
	return o
}

// Same reports whether a and b say the same, whenever they were measured.
func Same(a, b wire.Claims) bool {
	if len(a.Claims) != len(b.Claims) {
		return false
	}
	for i, x := range a.Claims {
		y := b.Claims[i]
		if x.ID != y.ID || x.State != y.State || x.Problem != y.Problem || !maps.Equal(x.Value, y.Value) {
			return false
		}
	}
	return true
}

// fails is the outcome of a claim that does not hold.
func fails(value map[string]string, format string, args ...any) outcome {
	return outcome{state: wire.ClaimFail, value: value, problem: fmt.Sprintf(format, args...)}
}

// passes is the outcome of a claim that holds.
func passes(value map[string]string) outcome {
	return outcome{state: wire.ClaimPass, value: value}
}

// cannot is the outcome of a claim that could not be measured.
func cannot(format string, args ...any) outcome {
	return outcome{state: wire.ClaimError, problem: fmt.Sprintf(format, args...)}
}
