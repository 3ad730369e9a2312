//go:build !windows

package posture

import "context"

// diskEncryptionMac asks FileVault, whose answer is an exit code: 0 where the
// start volume is encrypted, 1 where it is not, 2 while it changes (fdesetup(8),
// isactive).
func diskEncryptionMac(ctx context.Context, m Machine) outcome {
	_, code, err := m.Commands.Run(ctx, "/usr/bin/fdesetup", "isactive")
	if err != nil {
		return cannot("FileVault does not answer: %v", err)
	}
	value := map[string]string{"filevault": "off"}
	switch code {
	case 0:
		value["filevault"] = "on"
		return passes(value)
	case 1:
		return fails(value, "FileVault is off")
	case 2:
		value["filevault"] = "changing"
		return fails(value, "FileVault is not done yet")
	}
	return cannot("FileVault answers with %d", code)
}
