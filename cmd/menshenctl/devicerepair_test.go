package main

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const repairID = "cmd-00000000000000000000000004"

// repairs plays how a repair comes along, one step at each look.
type repairs struct {
	mu    sync.Mutex
	asked string
	steps []wire.Repair
}

func (r *repairs) Repair(dev wire.Device, claim wire.ClaimID, by string) (wire.Repair, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = dev.Name + " " + string(claim) + " " + by
	return r.step(), nil
}

func (r *repairs) RepairOf(_, id string) (wire.Repair, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id != repairID || len(r.steps) == 0 {
		return wire.Repair{}, store.ErrNotFound
	}
	return r.step(), nil
}

func (r *repairs) step() wire.Repair {
	one := r.steps[0]
	r.steps = r.steps[1:]
	one.ID, one.Claim = repairID, wire.ClaimFirewall
	return one
}

func (c *console) comes(steps ...wire.Repair) {
	c.others.repairs.mu.Lock()
	defer c.others.repairs.mu.Unlock()
	c.others.repairs.steps = steps
}

func TestARepairIsFollowedToItsEnd(t *testing.T) {
	c := newConsole(t)
	sent, taken, measuring := wire.Repair{Stage: wire.RepairSent}, wire.Repair{Stage: wire.RepairTaken}, wire.Repair{Stage: wire.RepairMeasuring, Done: true}
	ended := wire.Repair{Stage: wire.RepairEnded, Done: true, Measured: true, State: wire.ClaimPass}
	c.comes(sent, taken, taken, measuring, ended)
	out, _ := c.run(0, "device", "repair", "LT-1", "firewall", "--agency", "nstc")
	holds(t, out, "1/3 Waiting", "2/3 The agent", "3/3 Repaired", "✔ LT-1: repaired firewall – ✔ pass")
	if strings.Count(out, "2/3") != 1 {
		t.Errorf("a stage is told twice: %s", out)
	}
	if c.others.repairs.asked != "LT-1 firewall uid:0" {
		t.Errorf("asked %q", c.others.repairs.asked)
	}

	c.comes(wire.Repair{Stage: wire.RepairSent})
	out, _ = c.run(0, "device", "repair", deviceID, "firewall", "--no-wait")
	holds(t, out, "The device is asked")

	c.comes(sent, ended)
	out, _ = c.run(0, "device", "repair", deviceID, "firewall", "--json")
	var told wire.Repair
	if err := json.Unmarshal([]byte(out), &told); err != nil || told.Stage != wire.RepairEnded || told.State != wire.ClaimPass {
		t.Errorf("%v: %s", err, out)
	}

	c.lang = "zh_TW.UTF-8"
	c.comes(sent, wire.Repair{Stage: wire.RepairEnded, Done: true})
	out, _ = c.run(0, "device", "repair", deviceID, "firewall")
	holds(t, out, "等待裝置的代理程式", "已修復", "尚未重新量測")
}

func TestARepairThatTheAgentRefusesIsTold(t *testing.T) {
	c := newConsole(t)
	why := reason.New(reason.RemedyFailed, "claim", "firewall", "problem", "nft\x1b[31m: busy")
	c.comes(wire.Repair{Stage: wire.RepairSent}, wire.Repair{Stage: wire.RepairEnded, Reason: &why})
	_, complaint := c.run(exitRefused, "device", "repair", deviceID, "firewall")
	holds(t, complaint, reason.RemedyFailed, "could not repair", "nft", "busy")
	if strings.ContainsRune(complaint, 0x1b) {
		t.Errorf("a device writes to the terminal: %q", complaint)
	}
	c.comes(wire.Repair{Stage: wire.RepairSent}) // then it is remembered no more
	c.run(exitRefused, "device", "repair", deviceID, "firewall")
	c.run(exitUsage, "device", "repair", deviceID)
	c.run(exitRefused, "device", "repair", "LT-99", "firewall", "--agency", "nstc")
}
