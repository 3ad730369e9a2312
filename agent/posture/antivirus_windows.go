package posture

import (
	"context"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	securityCenter = windows.NewLazySystemDLL("wscapi.dll")
	providerHealth = securityCenter.NewProc("WscGetSecurityProviderHealth")
)

// antivirusProvider is WSC_SECURITY_PROVIDER_ANTIVIRUS.
const antivirusProvider = 4

// SecurityHealth implements Windows.
func (thisWindows) SecurityHealth() (uint32, error) {
	if err := providerHealth.Find(); err != nil {
		return 0, err
	}
	var health uint32
	status, _, _ := providerHealth.Call(antivirusProvider, uintptr(unsafe.Pointer(&health))) // #nosec G103 -- the system call's own form
	if status != 0 {                                                                         // S_FALSE: the service does not run
		return 0, fmt.Errorf("WscGetSecurityProviderHealth: %#x", status)
	}
	return health, nil
}

// Defender implements Windows.
func (thisWindows) Defender(ctx context.Context) (d DefenderState, err error) {
	err = query(ctx, `root\Microsoft\Windows\Defender`, "SELECT AntivirusEnabled, RealTimeProtectionEnabled, AntivirusSignatureAge FROM MSFT_MpComputerStatus", func(row object) error {
		d = DefenderState{row.truth("AntivirusEnabled"), row.truth("RealTimeProtectionEnabled"), row.number("AntivirusSignatureAge")}
		return row.err
	})
	return d, err
}
