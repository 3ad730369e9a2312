package main

import (
	"context"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestExceptions(t *testing.T) {
	c := newConsole(t)
	add := []string{"exception", "add", "--agency", "nstc", "--baseline", "TWGCB-01-014", "--rule", "TWGCB-01-014-0002", "--reason", "snap needs squashfs"}
	if _, err := c.run(1, add...); !strings.Contains(err, reason.ExceptionLife) {
		t.Errorf("without an end: %s", err)
	}
	if _, err := c.run(1, append(add, "--days", "30", "--device", "LT-404")...); !strings.Contains(err, reason.ExceptionDevice) {
		t.Errorf("for no device: %s", err)
	}
	if _, err := c.run(1, append(add, "--days", "30", "--claim", "firewall")...); !strings.Contains(err, reason.ExceptionSubject) {
		t.Errorf("for two things: %s", err)
	}
	out, _ := c.run(0, append(add, "--days", "30")...)
	id, _, _ := strings.Cut(out, " ")
	if out, _ := c.run(0, "device", "baseline", "LT-1", "--agency", "nstc"); !strings.Contains(out, "TWGCB-01-014-0002") || !strings.Contains(out, "exception") || !strings.Contains(out, "squashfs is loaded") || strings.Contains(out, "✖ fail") {
		t.Errorf("with its exception:\n%s", out)
	}
	if out, _ := c.run(0, "exception", "list", "--agency", "nstc"); !strings.Contains(out, id) || !strings.Contains(out, "uid:") || !strings.Contains(out, "snap needs squashfs") {
		t.Errorf("%s", out)
	}
	if _, err := c.run(1, "exception", "remove", "--agency", "moda", id); !strings.Contains(err, reason.CfgNotFound) {
		t.Errorf("another agency removed it: %s", err)
	}
	c.run(0, "exception", "remove", "--agency", "nstc", id)
	if out, _ := c.run(0, "device", "baseline", "LT-1", "--agency", "nstc"); !strings.Contains(out, "✖ fail") {
		t.Errorf("without its exception:\n%s", out)
	}
	c.lang = "zh_TW.UTF-8"
	if out, _ := c.run(0, "device", "baseline", "LT-1", "--agency", "nstc"); !strings.Contains(out, "✖ 未符合") {
		t.Errorf("in Chinese:\n%s", out)
	}
}

// Baselines answers for every device with one rule that fails.
func (o *others) Baselines(context.Context, wire.Device) ([]wire.BaselineReport, error) {
	return []wire.BaselineReport{{Baseline: "TWGCB-01-014", Version: "1.2", RuleSet: []byte{0xab}, Results: []wire.RuleResult{
		{Rule: "TWGCB-01-014-0001", State: wire.ClaimPass}, {Rule: "TWGCB-01-014-0002", State: wire.ClaimFail, Seen: "squashfs is loaded"},
	}}}, nil
}
