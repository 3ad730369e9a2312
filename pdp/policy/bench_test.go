package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// sized returns the first n policies of a set that grows by portals: one
// permit, then one forbid a portal, each with a condition of its own.
func sized(n int) map[string][]byte {
	return grown(n, `(principal, action, resource == Portal::"por-%d")`)
}

// spread is sized by groups of people.
func spread(n int) map[string][]byte {
	return grown(n, `(principal in Group::"moda/g%d", action, resource)`)
}

// loose is sized with scopes that no index can narrow.
func loose(n int) map[string][]byte {
	return grown(n, `(principal, action, resource) when { context.request.class == "c%d" }`)
}

func grown(n int, scope string) map[string][]byte {
	text := "@id(\"in\") permit (principal, action, resource) when { principal.active && principal.agency == resource.agency };\n"
	for i := 1; i < n; i++ {
		text += fmt.Sprintf("@id(\"p%d\") @reason(\"ZT-POL-041\") forbid "+scope+" when { context.trust.score < %d };\n", i, i, i%50)
	}
	return map[string][]byte{"a.cedar": []byte(text)}
}

// BenchmarkRefusal measures a refusal with its search for what would help.
func BenchmarkRefusal(b *testing.B) {
	e := baseline(b)
	for name, set := range map[string]func(*wire.Facts){
		"nothing helps": func(f *wire.Facts) { f.Device.Status = wire.DeviceRetired },
		"step-up":       func(f *wire.Facts) { f.Network.Proven = false },
		"one change":    func(f *wire.Facts) { failing(f, wire.ClaimFirewall) },
		"four changes": func(f *wire.Facts) {
			failing(f, wire.ClaimDiskEncryption, wire.ClaimAntivirus)
			f.Standing.Standing, f.SignIn.At = wire.StandingStale, at.Add(-time.Hour)
		},
	} {
		f := good(wire.PortalSensitive)
		set(&f)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := e.Decide(f, wire.ActionWrite, at); d.Effect == wire.Allow || d.Suffices != (name != "nothing helps") {
					b.Fatal(d)
				}
			}
		})
	}
}

// BenchmarkEngine measures a whole Decide, beside bare cedar-go on the same
// policies: "cedar" with a request that is built once and costs nothing, and
// "cedar+request" with one that is built for each decision, whole. "people" is
// Decide with another person and portal each time.
func BenchmarkEngine(b *testing.B) {
	sets := []struct {
		name  string
		files map[string][]byte
	}{{"baseline", Baseline()}}
	for _, n := range []int{1, 100, 1000} {
		for name, make := range map[string]func(int) map[string][]byte{"portals": sized, "groups": spread, "loose": loose} {
			sets = append(sets, struct {
				name  string
				files map[string][]byte
			}{fmt.Sprintf("%s/%d", name, n), make(n)})
		}
	}
	for _, set := range sets {
		e, err := Load(set.files)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("decide/"+set.name, func(b *testing.B) { benchmarkDecide(b, e) })
		b.Run("people/"+set.name, func(b *testing.B) { benchmarkPeople(b, e) })
		b.Run("cedar/"+set.name, func(b *testing.B) { benchmarkCedar(b, e, false) })
		b.Run("cedar+request/"+set.name, func(b *testing.B) { benchmarkCedar(b, e, true) })
	}
}

func benchmarkDecide(b *testing.B, e *Engine) {
	f := good(wire.PortalNormal)
	b.ReportAllocs()
	for b.Loop() {
		if d := e.Decide(f, wire.ActionWrite, at); d.Effect != wire.Allow {
			b.Fatal(d)
		}
	}
}

func benchmarkPeople(b *testing.B, e *Engine) {
	people := make([]wire.Facts, 5000)
	for i := range people {
		f := good(wire.PortalNormal)
		f.Person.ID, f.Portal.ID, f.Trust.Score = fmt.Sprintf("per-%d", i), fmt.Sprintf("por-%d", 2000+i%300), 60+i%40
		f.SignIn.PersonID = f.Person.ID
		people[i] = f
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if d := e.Decide(people[i%len(people)], wire.ActionWrite, at); d.Effect != wire.Allow {
			b.Fatal(d)
		}
	}
}

func benchmarkCedar(b *testing.B, e *Engine, build bool) {
	all := cedar.NewPolicySet()
	for id, r := range e.rules.byID {
		all.Add(id, r.policy)
	}
	f := good(wire.PortalNormal)
	request := newRequest(&f, at)
	b.ReportAllocs()
	for b.Loop() {
		if build {
			request = newRequest(&f, at)
		}
		if decision, _ := cedar.Authorize(all, request, request.cedar(wire.ActionWrite)); decision != types.Allow {
			b.Fatal(decision)
		}
	}
}
