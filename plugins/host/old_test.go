//go:build linux

package host

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// oldProgram is a plugin that knows version 1 of the contract alone.
func oldProgram(t *testing.T) Config {
	t.Helper()
	c := program(t, "odd-fine") // for its folder
	c.Name = "old"
	c.Path = filepath.Join(filepath.Dir(c.Path), "old")
	copyFile(t, built(t, "../contract/testdata/old"), c.Path)
	c.SHA256 = digest(t, c.Path)
	return c
}

// A plugin that was built long ago is started, taught, asked, killed and
// started again like any other.
func TestAPluginOfTheOldContractLives(t *testing.T) {
	o, e := options(t)
	o.Replay = func(_ context.Context, send func([]wire.Observation) error) error {
		first, failed := seen("192.0.2.0"), seen("203.0.113.0")
		first.At, failed.Kind = now.Add(-time.Hour), wire.ObservedFailure
		return send([]wire.Observation{first, failed})
	}
	h := start(t, o, oldProgram(t))
	judge := func(when string) {
		t.Helper()
		for network, want := range map[string]float64{"192.0.2.0": 1, "203.0.113.0": -1} {
			if v := h.Assess(t.Context(), seen(network))[0]; v.Missing || v.Abstained || v.LLR != want {
				t.Errorf("%s: from %s %+v", when, network, v)
			}
		}
	}
	judge("after its start")
	h.Observe(t.Context(), seen("198.51.100.0"))
	if v := h.Assess(t.Context(), seen("198.51.100.0"))[0]; v.LLR != 1 || v.Reasons[0].Code != reason.NetworkKnown {
		t.Errorf("after one more sign-in: %+v", v)
	}
	if err := unix.Kill(pidOf(t, h), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e.wait(t, 3) // up, down, up
	judge("after kill -9")
}
