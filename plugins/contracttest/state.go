package contracttest

import (
	"bytes"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

func export(t *testing.T, c contract.Client) []byte {
	t.Helper()
	var state bytes.Buffer
	if err := c.Export(within(t), &state); err != nil {
		t.Fatalf("export: %v", err)
	}
	return state.Bytes()
}

// everything is a history of all that the plugin wants to be taught.
func (p *program) everything(people ...string) []contract.Observation {
	var all []contract.Observation
	for n := range enough {
		for _, person := range people {
			for _, o := range p.days(person, n, n+1) {
				if n%3 == 2 {
					changes[n%len(changes)].change(&o)
				}
				all = append(all, o)
			}
			if n == enough-1 && p.asks(contract.KindFailedSignIn) {
				failed := happened(contract.KindFailedSignIn, person, n)
				failed.At = failed.At.Add(time.Hour)
				all = append(all, failed)
			}
		}
	}
	return all
}

// handedOver: a newer program of the plugin goes on where this one was, and
// what is kept of people is said (requirements 32).
func handedOver(t *testing.T, p *program, c contract.Client) {
	panel := situations(enough+1, "p", "q", "stranger")
	empty := p.judged(t, c, panel)
	p.teach(t, c, p.everything("p", "q", "r")...)
	taught, state := p.judged(t, c, panel), export(t, c)
	switch {
	case len(state) > 0 && (len(p.says.Keeps) == 0 || p.says.Retention <= 0):
		t.Errorf("keeps %d bytes, and says neither what of a person nor how long: %+v", len(state), p.says)
	case len(state) == 0 && !same(empty, taught):
		t.Error("learned something that it cannot hand over")
	}
	next := p.launch(t)
	if err := next.Import(within(t), bytes.NewReader(state)); err != nil {
		t.Fatalf("import: %v", err)
	}
	p.compare(t, c, next, panel)
	more := p.days("p", enough, enough+3)
	p.teach(t, c, more...)
	p.teach(t, next, more...)
	p.compare(t, c, next, situations(enough+4, "p", "q", "stranger"))
}

func same(a, b []contract.Verdict) bool {
	for i := range a {
		if !alike(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (p *program) compare(t *testing.T, a, b contract.Client, panel []contract.Observation) {
	t.Helper()
	first, second := p.judged(t, a, panel), p.judged(t, b, panel)
	for i := range panel {
		if !alike(first[i], second[i]) {
			t.Errorf("%s of %s: %+v, after the handover %+v", changes[i%len(changes)].name, panel[i].Person, first[i], second[i])
		}
	}
}

// garbage: a state that cannot be read whole is refused and changes nothing.
func garbage(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.everything("p", "q")...)
	panel := situations(enough+1, "p", "q", "stranger")
	before, state := p.judged(t, c, panel), export(t, c)
	bad := map[string][]byte{
		"text":  []byte("this is no state\n"),
		"noise": bytes.Repeat([]byte{0, 0xff, 0x80, '{'}, 100_000),
	}
	if len(state) > 2 {
		bad["cut"] = state[:len(state)-2]
		bad["with noise behind"] = append(bytes.Clone(state), 0, 0xff, '{')
	}
	for name, state := range bad {
		if err := c.Import(within(t), bytes.NewReader(state)); err == nil {
			t.Errorf("%s was taken for a state", name)
		}
	}
	if after := p.judged(t, c, panel); !same(before, after) {
		t.Error("what was refused changed the verdicts")
	}
}

// forgotten: of a person who is erased nothing is left, in verdicts or state.
func forgotten(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.everything("to-be-forgotten", "q")...)
	for range 2 { // it may come twice
		if err := c.Forget(within(t), "to-be-forgotten"); err != nil {
			t.Fatalf("forget: %v", err)
		}
	}
	for i, o := range situations(enough+1, "to-be-forgotten") {
		mine := p.assess(t, c, o)
		o.Person = "stranger"
		if theirs := p.assess(t, c, o); !alike(mine, theirs) {
			t.Errorf("%s: forgotten %+v, stranger %+v", changes[i].name, mine, theirs)
		}
	}
	if state := export(t, c); bytes.Contains(state, []byte("to-be-forgotten")) {
		t.Error("the state still names a person who was forgotten")
	}
	if err := c.Forget(within(t), "nobody"); err != nil {
		t.Errorf("forget nobody: %v", err)
	}
}

// retention: what is older than the plugin says speaks for nobody, and is gone
// once somebody else was taught of.
func retention(t *testing.T, p *program, c contract.Client) {
	if p.says.Retention <= 0 {
		return // handedOver asks that nothing is kept
	}
	p.teach(t, c, p.everything("of-long-ago")...)
	later := enough + int(p.says.Retention/(24*time.Hour)) + 2
	for i, v := range p.judged(t, c, situations(later, "of-long-ago")) {
		if evidence(v) > 0 {
			t.Errorf("%s: speaks from beyond its retention: %+v", changes[i].name, v)
		}
	}
	p.teach(t, c, p.days("q", later, later+1)...)
	if bytes.Contains(export(t, c), []byte("of-long-ago")) {
		t.Errorf("a person who was last seen longer ago than %v is still kept", p.says.Retention)
	}
}
