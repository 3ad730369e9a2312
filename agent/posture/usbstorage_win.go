//go:build !darwin

package posture

import "context"

// Where Windows is told not to use USB disks: by a policy, or by disabling the
// driver.
const (
	removableStorage = `SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices`
	usbStorageDriver = `SYSTEM\CurrentControlSet\Services\USBSTOR`
)

const driverDisabled = 4 // SERVICE_DISABLED

func usbStorageWin(_ context.Context, m Machine) outcome {
	denied, there, err := m.Windows.Number(removableStorage, "Deny_All")
	if err != nil {
		return cannot("the policy on removable storage cannot be read: %v", err)
	}
	if there && denied == 1 {
		return passes(map[string]string{"by": "policy"})
	}
	start, there, err := m.Windows.Number(usbStorageDriver, "Start")
	if err != nil {
		return cannot("the driver of USB disks cannot be read: %v", err)
	}
	if there && start == driverDisabled {
		return passes(map[string]string{"by": "driver"})
	}
	return fails(nil, "USB disks can be used")
}
