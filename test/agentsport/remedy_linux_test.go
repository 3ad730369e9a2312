package agentsport_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/agent/remedy"
	"github.com/menshen-zt/menshen/internal/command"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// apt's configuration, as the process of the remedies writes it under its root.
const aptDropIn = "etc/apt/apt.conf.d/99menshen-automatic-updates"

// allow runs the real process of the remedies, over a file system of its own,
// with automatic updates alone allowed.
func (m *plainMachine) allow(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, file := range []string{"etc/apt/apt.conf.d/20auto", "usr/bin/unattended-upgrade"} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.config.Remedy = filepath.Join(m.dir, "remedy.sock")
	background(t, func(ctx context.Context) error {
		return remedy.Run(ctx, remedy.Config{
			Socket: m.config.Remedy, AgentUID: os.Geteuid(), Allowed: []remedy.Name{remedy.AutoUpdates}, Folder: filepath.Join(root, "state"), Root: root,
			Commands: command.System{}, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
	})
	return root
}

// background runs something until the test ends.
func background(t *testing.T, run func(ctx context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// repaired asks for a repair and waits for its end.
func (p *pdp) repaired(t *testing.T, id string, claim wire.ClaimID) wire.Repair {
	t.Helper()
	dev, err := p.directory.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.appraisal.Repair(dev, claim, "uid:0")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(50 * time.Second); r.Stage != wire.RepairEnded; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no end: %+v", r)
		}
		if r, err = p.appraisal.RepairOf(id, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestAnAdministratorHasADeviceRepaired: the real agent, the agents' port, and
// the process that repairs; what the machine's own administrator did not allow
// is not done.
func TestAnAdministratorHasADeviceRepaired(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the agent believes root's process alone")
	}
	p := newPlainPDP(t)
	m := newPlainMachine(t, p, 47931)
	root := m.allow(t)
	code, err := p.enrolment.IssueCode(t.Context(), "moda", "VM-1", "uid:0", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id := m.enrol(t, code)
	if _, err := p.directory.ApproveDevice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(m.config, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	background(t, a.Run)

	if r := p.repaired(t, id, wire.ClaimAutoUpdates); !r.Done || !r.Measured || r.Reason != nil {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(filepath.Join(root, aptDropIn)); err != nil {
		t.Errorf("not applied: %v", err)
	}
	if r := p.repaired(t, id, wire.ClaimTimeSync); r.Done || r.Reason == nil || r.Reason.Code != reason.RemedyNotAllowed {
		t.Errorf("what is not allowed: %+v", r)
	}
}
