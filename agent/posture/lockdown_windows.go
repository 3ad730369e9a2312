package posture

import (
	"context"
	"fmt"
)

// SecurityServices implements Windows.
func (thisWindows) SecurityServices(ctx context.Context) (running []uint32, err error) {
	err = query(ctx, `root\Microsoft\Windows\DeviceGuard`, "SELECT SecurityServicesRunning FROM Win32_DeviceGuard", func(row object) error {
		value := row.get("SecurityServicesRunning")
		if value == nil {
			return row.err
		}
		defer func() { _ = value.Clear() }()
		array := value.ToArray()
		if array == nil {
			return fmt.Errorf("the services are no list")
		}
		for _, one := range array.ToValueArray() {
			n, ok := one.(int32)
			if !ok {
				return fmt.Errorf("a service is no number")
			}
			running = append(running, uint32(n)) // #nosec G115 -- WMI hands out unsigned numbers as signed ones
		}
		return nil
	})
	return running, err
}
