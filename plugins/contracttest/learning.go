package contracttest

import (
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

const (
	enough = 10 // days of history
	slack  = 1e-9
)

func noHistory(t *testing.T, p *program, c contract.Client) {
	for i, v := range p.judged(t, c, situations(0, "p")) {
		if evidence(v) > 0 {
			t.Errorf("%s: speaks for somebody it never saw: %+v", changes[i].name, v)
		}
	}
}

func bounds(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.days("p", 0, 40)...)
	p.judged(t, c, situations(41, "p"))
	for _, at := range []time.Time{time.Unix(0, 0), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)} {
		o := signIn("p", 41)
		o.At = at
		p.assess(t, c, o)
	}
}

func assessingIsNotLearning(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.days("p", 0, 2)...)
	o := signIn("p", 3)
	o.Network, o.Address, o.Device, o.Portal = "203.0.113.0", "203.0.113.9", "another", "another"
	first := p.assess(t, c, o)
	for range 20 {
		p.assess(t, c, o)
	}
	if last := p.assess(t, c, o); !alike(first, last) {
		t.Errorf("%+v became %+v by being asked", first, last)
	}
}

// unaskedKinds teaches what the plugin does not want to be taught; a situation
// it is never taught.
func unaskedKinds(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.days("p", 0, enough)...)
	panel := situations(enough+1, "p", "q")
	before := p.judged(t, c, panel)
	for _, kind := range []contract.Kind{contract.KindSituation, contract.KindSignIn, contract.KindFailedSignIn, contract.KindActivity} {
		if p.asks(kind) {
			continue
		}
		for n := range enough {
			o := happened(kind, "p", n)
			o.At = o.At.Add(time.Hour)
			o.Network, o.Address, o.Device, o.Portal = "203.0.113.0", "203.0.113.9", "another", "another"
			if learned := p.teach(t, c, o); learned != 0 {
				t.Errorf("kind %d taught something", kind)
			}
		}
		for i, after := range p.judged(t, c, panel) {
			if !alike(before[i], after) {
				t.Errorf("%s: %+v became %+v by kind %d", changes[i%len(changes)].name, before[i], after, kind)
			}
		}
	}
}

// failuresSpeakForNobody: who tries somebody's account only ever lowers what
// is said for that person, from wherever, and never raises it for others.
func failuresSpeakForNobody(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.days("p", 0, enough)...)
	p.teach(t, c, p.days("q", 0, enough)...)
	panel := situations(enough+1, "p", "q", "stranger")
	before := p.judged(t, c, panel)
	for i := range 3 * len(changes) {
		failed := happened(contract.KindFailedSignIn, []string{"p", "stranger"}[i%2], enough+1)
		changes[i%len(changes)].change(&failed)
		failed.At = start.Add((enough+1)*24*time.Hour - time.Duration(100-i)*time.Minute)
		p.teach(t, c, failed)
	}
	for i, after := range p.judged(t, c, panel) {
		if evidence(after) > evidence(before[i])+slack {
			t.Errorf("%s of %s: %+v became %+v by failures", changes[i%len(changes)].name, panel[i].Person, before[i], after)
		}
	}
}

// peopleAreApart: what is known of others may speak against a stranger, such
// as a device that is somebody else's, never for one.
func peopleAreApart(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.days("p", 0, enough)...)
	p.teach(t, c, p.days("r", 0, enough)...)
	for i, o := range situations(enough+1, "stranger", "stranger") {
		if i >= len(changes) && o.Device == "device-stranger" {
			o.Device = "device-p"
		}
		if v := p.assess(t, c, o); evidence(v) > 0 {
			t.Errorf("%s, %s: others' history speaks for a stranger: %+v", changes[i%len(changes)].name, o.Device, v)
		}
	}
}

func deterministic(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, append(p.days("p", 0, 2), p.days("q", 1, 2)...)...)
	p.teach(t, c, p.days("r", 0, 1)...)
	p.teach(t, c, append(p.days("r", 1, 2), p.days("q", 1, 2)...)...)
	p.teach(t, c, p.days("r", 0, 2)...) // what comes twice counts once
	first, second := p.judged(t, c, situations(2, "p")), p.judged(t, c, situations(2, "r"))
	for i := range first {
		if !alike(first[i], second[i]) {
			t.Errorf("%s: the same history gives %+v and %+v", changes[i].name, first[i], second[i])
		}
	}
}

// rehearsal is Assess, then Observe, of each in its order.
func rehearsal(t *testing.T, p *program, c contract.Client) {
	var all []contract.Observation
	for n := range enough {
		for _, person := range []string{"p", "q"} {
			for _, o := range p.days(person, n, n+1) {
				changes[n%len(changes)].change(&o)
				all = append(all, p.only(o))
			}
		}
	}
	given, heard := 0, []contract.Verdict(nil)
	next := func() (contract.Observation, bool) {
		if given == len(all) {
			return contract.Observation{}, false
		}
		given++
		return all[given-1], true
	}
	if err := c.Rehearse(within(t), next, func(v contract.Verdict) error { heard = append(heard, v); return nil }); err != nil || len(heard) != len(all) {
		t.Fatalf("%d of %d verdicts: %v", len(heard), len(all), err)
	}
	other := p.launch(t)
	for i, o := range all {
		if v := p.assess(t, other, o); !alike(v, heard[i]) {
			t.Errorf("observation %d: rehearsed %+v, lived %+v", i, heard[i], v)
		}
		p.teach(t, other, o)
	}
}

// officersWord: that it was not the person never speaks for what was seen.
func officersWord(t *testing.T, p *program, c contract.Client) {
	p.teach(t, c, p.days("p", 0, enough)...)
	o := signIn("p", enough)
	o.Network, o.Address, o.Device = "203.0.113.0", "203.0.113.9", "another"
	p.teach(t, c, o)
	o.At = o.At.Add(time.Hour)
	before := p.assess(t, c, o)
	for _, f := range []contract.Feedback{{Observation: p.only(o)}, {Observation: p.only(o)}} {
		if err := c.Learn(within(t), f); err != nil {
			t.Fatalf("learn: %v", err)
		}
	}
	if after := p.assess(t, c, o); evidence(after) > evidence(before)+slack {
		t.Errorf("%+v became %+v by an officer's “it was not”", before, after)
	}
	if err := c.Learn(within(t), contract.Feedback{Observation: p.only(signIn("p", 3)), Genuine: true}); err != nil {
		t.Errorf("learn: %v", err)
	}
	p.judged(t, c, situations(enough+1, "p", "nobody"))
}
