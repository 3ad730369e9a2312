package posture

import (
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestSecureBoot(t *testing.T) {
	const (
		on   = "\x06\x00\x00\x00\x01"
		off  = "\x06\x00\x00\x00\x00"
		boot = efiVariables + "SecureBoot" + efiGlobal
		mode = efiVariables + "SetupMode" + efiGlobal
		shim = efiVariables + "MokSBStateRT" + shimLock
	)
	for _, c := range []struct {
		name    string
		machine recorded
		state   wire.ClaimState
		problem string
	}{
		{"on", recorded{}.file(boot, on).file(mode, off), wire.ClaimPass, ""},
		{"on, by a shim that validates", recorded{}.file(boot, on).file(mode, off).file(shim, off), wire.ClaimPass, ""},
		{"off", recorded{}.file(boot, off).file(mode, off), wire.ClaimFail, ""},
		{"setup mode", recorded{}.file(boot, on).file(mode, on), wire.ClaimFail, ""},
		{"shim told to skip validation", recorded{}.file(boot, on).file(mode, off).file(shim, on), wire.ClaimFail, ""},
		{"no UEFI", recorded{}.file("sys/block/x", ""), wire.ClaimError, "no UEFI"},
		{"no variable", recorded{}.file(efiVariables+"Boot0000", on), wire.ClaimError, "SecureBoot"},
		{"no setup mode", recorded{}.file(boot, on), wire.ClaimError, "SetupMode"},
		{"empty variable", recorded{}.file(boot, "").file(mode, off), wire.ClaimError, "0 bytes"},
		{"long variable", recorded{}.file(boot, on+"\x00").file(mode, off), wire.ClaimError, "6 bytes"},
		{"odd value", recorded{}.file(boot, "\x06\x00\x00\x00\x02").file(mode, off), wire.ClaimError, "value 2"},
		{"odd setup mode", recorded{}.file(boot, on).file(mode, "\x06\x00\x00\x00\xff"), wire.ClaimError, "value 255"},
		{"odd shim", recorded{}.file(boot, on).file(mode, off).file(shim, ""), wire.ClaimError, "MokSBStateRT"},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, c.machine.run(secureBoot), c.state, c.problem) })
	}
}
