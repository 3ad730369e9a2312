package main

import "testing"

const deviceID = "dev-00000000000000000000000004"

func TestADevicesLife(t *testing.T) {
	c := newConsole(t)
	c.run(0, "agency", "create", "moda", "--name-zh", "數位發展部", "--name-en", "Digital Affairs")
	c.run(0, "person", "create", "li", "--agency", "nstc", "--name", "李")
	c.run(0, "device", "approve", deviceID)
	out, _ := c.run(0, "device", "quarantine", "LT-1", "--agency", "nstc", "--reason", "found in a taxi")
	holds(t, out, "in quarantine", "found in a taxi")
	out, _ = c.run(0, "device", "list", "--agency", "nstc")
	holds(t, out, "in quarantine")
	out, _ = c.run(0, "device", "release", deviceID, "--reason", "wiped")
	holds(t, out, "active", "wiped")
	out, _ = c.run(0, "device", "assign", "LT-1", "li", "--agency", "nstc")
	holds(t, out, "Given to", "per-")
	out, _ = c.run(0, "device", "group", deviceID, "pilot")
	holds(t, out, "pilot")
	out, _ = c.run(0, "device", "show", deviceID)
	holds(t, out, "pilot", "wiped", "per-")
	out, _ = c.run(0, "device", "assign", deviceID, "--nobody")
	holds(t, out, "Given to  –")
	out, _ = c.run(0, "device", "group", deviceID)
	holds(t, out, "Group     –")

	c.run(0, "portal", "create", "https://hr.example", "--agency", "nstc", "--name-zh", "人事", "--name-en", "HR")
	out, _ = c.run(0, "portal", "hosts", "https://hr.example")
	holds(t, out, "(none)")
	out, _ = c.run(0, "portal", "hosts", "https://hr.example", "LT-1")
	holds(t, out, "LT-1", "active", "fresh", deviceID)
	out, _ = c.run(0, "portal", "hosts", "https://hr.example")
	holds(t, out, "LT-1")

	out, _ = c.run(0, "device", "transfer", "LT-1", "--agency", "nstc", "--to", "moda", "--name", "MO-7", "--reason", "lent")
	holds(t, out, "MO-7", "moda", "active", "lent")
	out, _ = c.run(0, "portal", "hosts", "https://hr.example")
	holds(t, out, "retired", deviceID)
	out, _ = c.run(0, "portal", "hosts", "https://hr.example", "--none")
	holds(t, out, "(none)")
}

func TestADevicesLifeAskedForBadly(t *testing.T) {
	c := newConsole(t)
	for _, args := range [][]string{
		{"device", "quarantine", deviceID},
		{"device", "assign", deviceID},
		{"device", "assign", deviceID, "li", "--nobody"},
		{"device", "transfer", deviceID},
		{"portal", "hosts"},
		{"portal", "hosts", "https://hr.example", "LT-1", "--none"},
	} {
		c.run(exitUsage, args...)
	}
	c.run(exitRefused, "portal", "hosts", "https://nowhere.example")
	c.run(exitRefused, "device", "release", deviceID) // it waits for approval
}
