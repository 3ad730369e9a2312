package posture

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/menshen-zt/menshen/internal/command"
)

// Here is this machine, without what others must give: the firewall's source,
// the reports of sessions, the settings and the clock.
func Here() Machine {
	return Machine{Files: os.DirFS(`C:\`), Commands: command.System{}, Windows: thisWindows{}}
}

// thisWindows asks the Windows that this program runs on.
type thisWindows struct{}

// Number implements Windows.
func (thisWindows) Number(path, name string) (uint64, bool, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, registry.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = key.Close() }()
	value, _, err := key.GetIntegerValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		return 0, false, nil
	}
	return value, err == nil, err
}

// Text implements Windows.
func (thisWindows) Text(path, name string) (string, bool, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, registry.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer func() { _ = key.Close() }()
	value, _, err := key.GetStringValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		return "", false, nil
	}
	return value, err == nil, err
}

// Build implements Windows. RtlGetVersion is not told another version for the
// sake of old programs, as GetVersion is.
func (w thisWindows) Build() (string, error) {
	version := windows.RtlGetVersion()
	revision, there, err := w.Number(windowsVersion, "UBR")
	if err != nil {
		return "", err
	}
	if !there {
		return "", errors.New("the update build revision is not set")
	}
	return fmt.Sprintf("%d.%d.%d.%d", version.MajorVersion, version.MinorVersion, version.BuildNumber, revision), nil
}

// ServiceRuns implements Windows. It asks for no right to change anything.
func (thisWindows) ServiceRuns(name string) (bool, error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return false, err
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }()
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return false, err
	}
	handle, err := windows.OpenService(manager, wide, windows.SERVICE_QUERY_CONFIG|windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return false, err
	}
	service := mgr.Service{Name: name, Handle: handle}
	defer func() { _ = service.Close() }()
	config, err := service.Config()
	if err != nil {
		return false, err
	}
	return config.StartType != windows.SERVICE_DISABLED, nil
}
