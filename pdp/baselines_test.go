package pdp

import (
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

func goodBaseline() BaselineConfig {
	return BaselineConfig{ID: "TWGCB-01-014", Version: "1.2", OS: []string{"ubuntu 22.04"}, RuleSets: []string{strings.Repeat("ab", 32)}, Rules: 130, Least: "all"}
}

func TestBaselinePolicies(t *testing.T) {
	all, err := baselinePolicies([]BaselineConfig{goodBaseline()})
	if err != nil || len(all) != 1 || all[0].Least != 100 || all[0].OS[0] != (verifier.OS{ID: "ubuntu", Version: "22.04"}) || all[0].RuleSets[0][0] != 0xab {
		t.Fatalf("%+v, %v", all, err)
	}
	share := goodBaseline()
	share.Least = "90%"
	if all, err := baselinePolicies([]BaselineConfig{share}); err != nil || all[0].Least != 90 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := baselinePolicies([]BaselineConfig{goodBaseline(), goodBaseline()}); err == nil {
		t.Error("one baseline twice")
	}
	for name, spoil := range map[string]func(*BaselineConfig){
		"no id":        func(c *BaselineConfig) { c.ID = "" },
		"no version":   func(c *BaselineConfig) { c.Version = "" },
		"no system":    func(c *BaselineConfig) { c.OS = nil },
		"odd system":   func(c *BaselineConfig) { c.OS = []string{"ubuntu"} },
		"no rule set":  func(c *BaselineConfig) { c.RuleSets = nil },
		"odd rule set": func(c *BaselineConfig) { c.RuleSets = []string{"ab"} },
		"no rules":     func(c *BaselineConfig) { c.Rules = 0 },
		"no least":     func(c *BaselineConfig) { c.Least = "" },
		"nothing":      func(c *BaselineConfig) { c.Least = "0%" },
		"too much":     func(c *BaselineConfig) { c.Least = "101%" },
		"a number":     func(c *BaselineConfig) { c.Least = "90" },
	} {
		c := goodBaseline()
		spoil(&c)
		if _, err := baselinePolicies([]BaselineConfig{c}); err == nil || !strings.Contains(err.Error(), "attestation.baselines") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExceptionsAreInTheRulesVersion: the same Evidence is judged anew when an
// exception begins or ends.
func TestExceptionsAreInTheRulesVersion(t *testing.T) {
	var given []wire.Exception
	version := ""
	j, err := newJudge(AttestationConfig{Baselines: []BaselineConfig{goodBaseline()}}, "1.0", func(string) *wire.ReferenceSet { return nil },
		func(wire.Device, time.Time) ([]wire.Exception, string) { return given, version })
	if err != nil {
		t.Fatal(err)
	}
	before := j.rules(wire.Device{}, time.Time{})
	given, version = []wire.Exception{{ID: "exc-1"}}, " exc-1"
	after := j.rules(wire.Device{}, time.Time{})
	newer, err := newJudge(AttestationConfig{Baselines: []BaselineConfig{goodBaseline()}}, "1.1", j.references, j.exceptions)
	if err != nil {
		t.Fatal(err)
	}
	if newer.rules(wire.Device{}, time.Time{}).Version == after.Version {
		t.Error("what an older program judged stands for what this one would")
	}
	if before.Version == after.Version || len(after.Exceptions) != 1 || len(after.Policy.Baselines) != 1 {
		t.Errorf("%q, %q, %+v", before.Version, after.Version, after.Exceptions)
	}
}
