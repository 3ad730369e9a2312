package posture

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// SystemVolume implements Windows. It asks by WMI, which wants administrators'
// rights: without them this is an error, and so is the claim.
func (thisWindows) SystemVolume(ctx context.Context) (v VolumeState, err error) {
	folder, err := windows.GetSystemWindowsDirectory()
	if err != nil || len(folder) < 2 || folder[1] != ':' {
		return v, fmt.Errorf("the system's folder is not known: %w", errors.Join(err))
	}
	v.Letter = folder[:2]
	wql := "SELECT * FROM Win32_EncryptableVolume WHERE DriveLetter = '" + v.Letter + "'"
	err = query(ctx, `root\CIMV2\Security\MicrosoftVolumeEncryption`, wql, func(row object) error {
		protection := row.call("ExecMethod_", "GetProtectionStatus")
		defer protection.release()
		conversion := row.call("ExecMethod_", "GetConversionStatus")
		defer conversion.release()
		v.Protection, v.Conversion = protection.number("ProtectionStatus"), conversion.number("ConversionStatus")
		return errors.Join(protection.err, conversion.err)
	})
	return v, err
}
