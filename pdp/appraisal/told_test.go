package appraisal

import (
	"testing"
	"testing/synctest"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Whoever forges Evidence does not learn from the answer what gave it away;
// officers and policy see it whole.
func TestTheAnswerTellsNoHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t)
		defer f.close(t)
		f.next = func(in Input) wire.Appraised {
			out := healthy(in)
			out.Findings = []wire.Finding{
				{Type: wire.FindingTampered, Claim: wire.ClaimSecureBoot, Reason: reason.New(reason.EventLogMismatch, "pcr", "7"), Expected: "a", Seen: "b"},
				{Type: wire.FindingFailing, Claim: wire.ClaimFirewall, Reason: reason.New(reason.DeviceRetired, "why", "x"), Expected: "on", Seen: "off"},
			}
			return out
		}
		got := f.attest(t).Result.Findings
		if f := got[0]; f.Type != wire.FindingTampered || f.Reason.Code != reason.EventLogMismatch || f.Claim != "" || f.Reason.Args != nil || f.Expected != "" || f.Seen != "" {
			t.Errorf("%+v", f)
		}
		if f := got[1]; f.Expected != "on" || f.Seen != "off" || f.Reason.Args["why"] != "x" {
			t.Errorf("%+v", f)
		}
		if kept := f.Standing(laptop.ID).Result.Findings; kept[0].Seen != "b" || kept[0].Claim != wire.ClaimSecureBoot || kept[0].Reason.Args["pcr"] != "7" {
			t.Errorf("officers see %+v", kept)
		}
	})
}
