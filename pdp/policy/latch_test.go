package policy

import (
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// TestALatchStandsOverEveryPolicy: a human's word denies where policies permit
// all, for every action, and nothing that the person could do helps.
func TestALatchStandsOverEveryPolicy(t *testing.T) {
	e, err := Load(map[string][]byte{"all.cedar": []byte(`@id("all") permit (principal, action, resource);`)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, action := range []wire.Action{wire.ActionRead, wire.ActionWrite, wire.ActionAdmin} {
		if d := e.Decide(wire.Facts{}, action, now); d.Effect != wire.Allow {
			t.Fatalf("%s: %+v", action, d)
		}
		d := e.Decide(wire.Facts{Trust: wire.TrustAssessment{Score: 100, Coverage: 1, Latched: "ovr-1"}}, action, now)
		if d.Effect != wire.Deny || len(d.Reasons) != 1 || d.Reasons[0].Code != reason.TrustLatched || d.Suffices || d.Remedies[0].Action != "ask-admin" {
			t.Errorf("%s: %+v", action, d)
		}
	}
}
