package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHowAPortalsRequestsAreJudged(t *testing.T) {
	c := newConsole(t)
	c.run(0, "portal", "create", "https://hr.example", "--agency", "nstc", "--name-zh", "人事", "--name-en", "HR")
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := c.run(0, "portal", "routes", "https://hr.example")
	holds(t, out, "(none)")
	write("routes:\n- path: /payroll\n  methods: [GET, POST]\n  action: admin\n  class: pay\n- {path: /help, action: read}\n")
	out, _ = c.run(0, "portal", "routes", "https://hr.example", file)
	holds(t, out, "/payroll", "GET POST", "admin", "pay", "/help")
	write(`{"routes": [{"path": "/json", "class": "j"}]}`)
	out, _ = c.run(0, "portal", "routes", "https://hr.example", file)
	holds(t, out, "/json")
	for _, wrong := range []string{"routes: []\n", "", "routes:\n- path: x\n  class: y\n", "routes:\n- path: /x\n  klass: y\n"} {
		write(wrong)
		c.run(exitUsage, "portal", "routes", "https://hr.example", file)
	}
	c.run(exitUsage, "portal", "routes", "https://hr.example", file, "--none")
	c.run(exitUsage, "portal", "routes", "https://hr.example", filepath.Join(t.TempDir(), "missing"))
	out, _ = c.run(0, "portal", "routes", "https://hr.example")
	holds(t, out, "/json")
	out, _ = c.run(0, "portal", "routes", "https://hr.example", "--none")
	holds(t, out, "(none)")

	out, _ = c.run(0, "agency", "withdraw-keys", "nstc")
	holds(t, out, "withdrawn", "nstc")
	c.run(exitRefused, "agency", "withdraw-keys", "nobody")
	if c.others.withdrawn != "nstc" {
		t.Errorf("withdrawn: %q", c.others.withdrawn)
	}

	out, _ = c.run(0, "portal", "tokens", "https://hr.example", "--from", "192.0.2.0/24", "--from", "2001:db8::/48")
	holds(t, out, "192.0.2.0/24", "2001:db8::/48")
	c.run(exitRefused, "portal", "tokens", "https://hr.example", "--from", "0.0.0.0/0")
	c.run(exitUsage, "portal", "tokens", "https://hr.example", "--from", "192.0.2.0/24", "--none")
	out, _ = c.run(0, "portal", "tokens", "https://hr.example")
	holds(t, out, "192.0.2.0/24")
	out, _ = c.run(0, "portal", "tokens", "https://hr.example", "--none")
	holds(t, out, "(none)")
}
