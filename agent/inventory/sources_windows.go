package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/menshen-zt/menshen/internal/wire"
)

func sources() []source { return []source{uninstall} }

const uninstallKey = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`

// views are the registry's two halves on a 64-bit Windows.
var views = [...]struct {
	platform string
	access   uint32
}{{"x64", registry.WOW64_64KEY}, {"x86", registry.WOW64_32KEY}}

// uninstall lists the programs that are installed for all users.
var uninstall = source{name: "registry", stamp: uninstallStamp, read: readUninstall}

// uninstallStamp uses the time of each entry's last change, which Windows
// keeps: an upgrade in place changes its entry alone.
func uninstallStamp(context.Context, Machine) string {
	digest := sha256.New()
	found := false
	for _, v := range views {
		root, err := registry.OpenKey(registry.LOCAL_MACHINE, uninstallKey, registry.ENUMERATE_SUB_KEYS|v.access)
		if err != nil {
			continue
		}
		found = true
		names, err := root.ReadSubKeyNames(-1)
		for _, name := range names {
			fmt.Fprintf(digest, "%s %s %v\n", v.platform, name, changed(root, name, v.access))
		}
		fmt.Fprintln(digest, err)
		_ = root.Close()
	}
	if !found {
		return ""
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// changed is when an entry was written last, the zero time if it is gone.
func changed(root registry.Key, name string, access uint32) time.Time {
	key, err := registry.OpenKey(root, name, registry.QUERY_VALUE|access)
	if err != nil {
		return time.Time{}
	}
	defer func() { _ = key.Close() }()
	info, err := key.Stat()
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func readUninstall(context.Context, Machine) ([]wire.Software, error) {
	var all []wire.Software
	for _, v := range views {
		some, err := readView(v.platform, v.access)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func readView(platform string, access uint32) ([]wire.Software, error) {
	root, err := registry.OpenKey(registry.LOCAL_MACHINE, uninstallKey, registry.ENUMERATE_SUB_KEYS|access)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil // a 32-bit Windows has one view
	}
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	defer func() { _ = root.Close() }()
	names, err := root.ReadSubKeyNames(-1)
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	var all []wire.Software
	for _, name := range names {
		e, err := readEntry(root, name, access)
		if errors.Is(err, registry.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("inventory: %s: %w", name, err)
		}
		e.platform = platform
		if s, shown := programOf(e); shown {
			all = append(all, s)
		}
	}
	return all, nil
}

func readEntry(root registry.Key, name string, access uint32) (uninstallEntry, error) {
	e := uninstallEntry{key: name}
	key, err := registry.OpenKey(root, name, registry.QUERY_VALUE|access)
	if err != nil {
		return e, err
	}
	defer func() { _ = key.Close() }()
	for value, field := range map[string]*string{
		"DisplayName": &e.displayName, "DisplayVersion": &e.version, "Publisher": &e.vendor,
		"ParentKeyName": &e.parent, "ReleaseType": &e.releaseType,
	} {
		text, _, err := key.GetStringValue(value)
		if err != nil && !errors.Is(err, registry.ErrNotExist) && !errors.Is(err, registry.ErrUnexpectedType) {
			return e, err
		}
		*field = text
	}
	component, _, err := key.GetIntegerValue("SystemComponent")
	if err != nil && !errors.Is(err, windows.ERROR_FILE_NOT_FOUND) && !errors.Is(err, registry.ErrUnexpectedType) {
		return e, err
	}
	e.systemComponent = component == 1
	return e, nil
}

// system is the build as Windows counts it, such as 10.0.26100.4652: the last
// part grows with each cumulative update.
func system(context.Context, Machine) (id, release string, err error) {
	version := windows.RtlGetVersion()
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, registry.QUERY_VALUE)
	if err != nil {
		return "", "", fmt.Errorf("inventory: %w", err)
	}
	defer func() { _ = key.Close() }()
	revision, _, err := key.GetIntegerValue("UBR")
	if err != nil {
		return "", "", fmt.Errorf("inventory: the update build revision: %w", err)
	}
	return "windows", fmt.Sprintf("%d.%d.%d.%d", version.MajorVersion, version.MinorVersion, version.BuildNumber, revision), nil
}
