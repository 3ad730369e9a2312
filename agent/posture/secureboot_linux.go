package posture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/menshen-zt/menshen/internal/wire"
)

// EFI variables as efivarfs shows them: 4 bytes of attributes, then the data
// (UEFI 2.10, 3.3 globally defined variables).
const (
	efiDirectory      = "sys/firmware/efi"
	efiVariables      = efiDirectory + "/efivars/"
	efiGlobal         = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	shimLock          = "-605dab50-e046-4300-abb6-3dd810dd8b23"
	efiAttributeBytes = 4
)

// secureBoot passes when the firmware enforces Secure Boot: SecureBoot is 1,
// SetupMode is 0 (in setup mode anybody may change the keys), and the shim was
// not told to skip its own validation (MokSBStateRT).
func secureBoot(_ context.Context, m Machine) outcome {
	if _, err := fs.Stat(m.Files, efiDirectory); err != nil {
		return cannot("no UEFI: this machine was not booted by UEFI firmware")
	}
	enforced, err := efiByte(m.Files, "SecureBoot"+efiGlobal)
	if err != nil {
		return cannot("reading SecureBoot: %v", err)
	}
	setup, err := efiByte(m.Files, "SetupMode"+efiGlobal)
	if err != nil {
		return cannot("reading SetupMode: %v", err)
	}
	shim, err := efiByte(m.Files, "MokSBStateRT"+shimLock)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without a shim there is none
		return cannot("reading MokSBStateRT: %v", err)
	}
	o := outcome{state: wire.ClaimPass, value: map[string]string{
		"secure_boot": onOff(enforced == 1), "setup_mode": onOff(setup != 0), "shim_validation": onOff(shim == 0),
	}}
	if enforced != 1 || setup != 0 || shim != 0 {
		o.state = wire.ClaimFail
	}
	return o
}

// efiByte reads a variable of one byte, which is 0 or 1.
func efiByte(files fs.FS, name string) (byte, error) {
	raw, err := read(files, efiVariables+name, 64)
	if err != nil {
		return 0, err
	}
	if len(raw) != efiAttributeBytes+1 {
		return 0, fmt.Errorf("%d bytes, %d expected", len(raw), efiAttributeBytes+1)
	}
	if raw[efiAttributeBytes] > 1 {
		return 0, fmt.Errorf("value %d, 0 or 1 expected", raw[efiAttributeBytes])
	}
	return raw[efiAttributeBytes], nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
