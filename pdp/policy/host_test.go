package policy

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// affirmingHosts is the example of docs/operations.md, "Attesting a portal's
// host"; a test holds the two together.
const affirmingHosts = `@id("hosts.affirming")
@reason("ZT-POL-051")
@remedy("ask-admin")
forbid (principal, action, resource)
when {
    resource.sensitivity != "normal" &&
    context.host.standing == "fresh" && !context.host.contraindicated &&
    context.host.instanceIdentity == "affirming" && !context.host.affirming
};
@id("hosts.named")
@reason("ZT-POL-048")
@remedy("ask-admin")
forbid (principal, action, resource)
when { resource.sensitivity != "normal" && !context.host.named };
`

func TestTheExampleIsTheDocumentedOne(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```cedar\n"+affirmingHosts+"```") {
		t.Error("docs/operations.md shows another example")
	}
}

// TestSensitivePortalsMayAskForAffirmingHosts tries the documented example on
// top of the baseline.
func TestSensitivePortalsMayAskForAffirmingHosts(t *testing.T) {
	files := Baseline()
	files["70-hosts.cedar"] = []byte(affirmingHosts)
	e, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	affirmed := wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming}
	for _, tt := range []struct {
		name   string
		portal wire.Sensitivity
		set    func(*wire.Facts)
		codes  []string
	}{
		{"all affirmed", wire.PortalSensitive, func(f *wire.Facts) { hosted(f); f.Host.Vector = affirmed }, nil},
		{"a warning", wire.PortalSensitive, hosted, []string{reason.HostNotAffirming}},
		{"a tier of none", wire.PortalSensitive, func(f *wire.Facts) { hosted(f); f.Host.Vector = affirmed; f.Host.Vector.Executables = "" }, []string{reason.HostNotAffirming}},
		{"silent says that alone", wire.PortalSensitive, func(f *wire.Facts) { hosted(f); f.Host.Standing = wire.StandingSilent }, []string{reason.HostNotFresh}},
		{"no host named", wire.PortalSensitive, func(*wire.Facts) {}, []string{reason.HostUnknown}},
		{"normal with a warning", wire.PortalNormal, hosted, nil},
		{"normal without a host", wire.PortalNormal, func(*wire.Facts) {}, nil},
	} {
		f := good(tt.portal)
		tt.set(&f)
		if d := e.Decide(f, wire.ActionRead, at); !slices.Equal(codes(d.Reasons), tt.codes) || (d.Effect == wire.Allow) != (tt.codes == nil) {
			t.Errorf("%s: %v %q, want %q", tt.name, d.Effect, codes(d.Reasons), tt.codes)
		}
	}
}

// A portal without hosts is not concerned, whatever is said of one.
func TestHostsConcernOnlyPortalsThatNameThem(t *testing.T) {
	f := good(wire.PortalSensitive)
	f.Host = wire.HostFacts{Known: true, Standing: wire.StandingRefused, Vector: wire.TrustVector{Hardware: wire.Contraindicated}}
	if d := baseline(t).Decide(f, wire.ActionRead, at); d.Effect != wire.Allow {
		t.Errorf("%+v", d)
	}
}
