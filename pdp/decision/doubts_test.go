package decision

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestDoubtsAreToldWhereTheScoreDecides(t *testing.T) {
	term := func(code string, nats float64) wire.TrustTerm {
		return wire.TrustTerm{Nats: nats, Reasons: []wire.Reason{{Code: code}}}
	}
	facts := &wire.Facts{Trust: wire.TrustAssessment{Terms: []wire.TrustTerm{
		term(reason.TrustBase, -0.5), term("ZT-TRU-003", -0.6), term("ZT-TRU-120", -3.9), term("ZT-TRU-101", -0.4),
		term("ZT-TRU-020", 1.8), {Name: "network", Nats: -4.5}, term("ZT-TRU-003", -0.5),
	}}}
	decided := func(code string) *wire.Decision { return &wire.Decision{Reasons: []wire.Reason{{Code: code}}} }
	for name, tt := range map[string]struct {
		access wire.Access
		want   []wire.Reason
	}{
		"the most first":    {wire.Access{Decision: decided(reason.TrustLow), Facts: facts}, []wire.Reason{{Code: "ZT-TRU-120"}, {Code: "ZT-TRU-003"}}},
		"another reason":    {wire.Access{Decision: decided(reason.FreshKeyNeeded), Facts: facts}, nil},
		"nothing was known": {wire.Access{Decision: decided(reason.TrustLow)}, nil},
	} {
		if diff := cmp.Diff(tt.want, doubts(&tt.access)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestATouchIsAskedForWithItsReasons(t *testing.T) {
	many := &wire.Access{Decision: &wire.Decision{Reasons: []wire.Reason{{Code: reason.TrustLow}, {Code: "ZT-POL-001"}, {Code: "ZT-POL-002"}}}, Facts: &wire.Facts{
		Trust: wire.TrustAssessment{Terms: []wire.TrustTerm{{Nats: -2, Reasons: []wire.Reason{{Code: "ZT-TRU-120"}, {Code: "ZT-TRU-121"}}}}},
	}}
	want := []wire.Reason{{Code: reason.TrustLow}, {Code: "ZT-POL-001"}, {Code: "ZT-POL-002"}, {Code: "ZT-TRU-120"}}
	if diff := cmp.Diff(want, touchReasons(many)); diff != "" {
		t.Error(diff)
	}
	if got := touchReasons(&wire.Access{}); got != nil {
		t.Errorf("without a decision: %v", got)
	}
}
