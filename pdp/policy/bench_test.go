package policy

import (
	"fmt"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// sized returns the first n policies of a set that grows by portals: one
// permit, then one forbid a portal, each with a condition of its own.
func sized(n int) map[string][]byte {
	text := "@id(\"in\") permit (principal, action, resource) when { principal.active && principal.agency == resource.agency };\n"
	for i := 1; i < n; i++ {
		text += fmt.Sprintf("@id(\"p%d\") @reason(\"ZT-POL-041\") forbid (principal, action, resource == Portal::\"por-%d\") when { context.trust.score < %d };\n", i, i, i%50)
	}
	return map[string][]byte{"a.cedar": []byte(text)}
}

// spread is sized with scopes that no index can narrow.
func spread(n int) map[string][]byte {
	text := "@id(\"in\") permit (principal, action, resource) when { principal.active && principal.agency == resource.agency };\n"
	for i := 1; i < n; i++ {
		text += fmt.Sprintf("@id(\"p%d\") @reason(\"ZT-POL-041\") forbid (principal in Group::\"moda/g%d\", action, resource) when { context.trust.score < %d };\n", i, i, i%50)
	}
	return map[string][]byte{"a.cedar": []byte(text)}
}

func BenchmarkEngine(b *testing.B) {
	sets := map[string]map[string][]byte{"baseline": Baseline()}
	for _, n := range []int{1, 100, 1000} {
		sets[fmt.Sprintf("portals/%d", n)] = sized(n)
		sets[fmt.Sprintf("groups/%d", n)] = spread(n)
	}
	f := good(wire.PortalNormal)
	for name, files := range sets {
		e, err := Load(files)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("decide/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := e.Decide(f, wire.ActionWrite, at); d.Effect != wire.Allow {
					b.Fatal(d)
				}
			}
		})
		b.Run("evaluate/"+name, func(b *testing.B) {
			for b.Loop() {
				if o := e.evaluate(e.view.request(&f, at), wire.ActionWrite); !o.allowed {
					b.Fatal(o)
				}
			}
		})
	}
}
