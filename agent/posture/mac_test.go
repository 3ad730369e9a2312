//go:build !windows

package posture

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// recordedMac is what programs of a Mac printed, by their command line; "exit N"
// and a line end before it give the exit code.
type recordedMac map[string]string

// Run implements Commands.
func (r recordedMac) Run(_ context.Context, program string, args ...string) ([]byte, int, error) {
	out, there := r[strings.Join(append([]string{program}, args...), " ")]
	if !there {
		if program == "/usr/bin/plutil" { // no such key
			return nil, 1, nil
		}
		return nil, 0, errSilent
	}
	for code := range 10 {
		if rest, ok := strings.CutPrefix(out, "exit "+string(rune('0'+code))+"\n"); ok {
			return []byte(rest), code, nil
		}
	}
	return []byte(out), 0, nil
}

// plist is one value of a property list, under its path.
func plist(path, key, value string) recordedMac {
	return recordedMac{"/usr/bin/plutil -extract " + key + " raw -o - " + path: value + "\n"}
}

func (r recordedMac) and(more recordedMac) recordedMac {
	all := recordedMac{}
	for _, m := range []recordedMac{r, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func TestMac(t *testing.T) {
	const (
		updatesList = "/Library/Preferences/com.apple.SoftwareUpdate.plist"
		managedList = "/Library/Managed Preferences/com.apple.SoftwareUpdate.plist"
		saver       = "/Library/Managed Preferences/com.apple.screensaver.plist"
		timed       = "/Library/Preferences/com.apple.timed.plist"
		mounts      = "/Library/Managed Preferences/com.apple.systemuiserver.plist"
		firewall    = "/usr/libexec/ApplicationFirewall/socketfilterfw --getglobalstate"
		bridge      = "/usr/sbin/system_profiler -json SPiBridgeDataType"
		admins      = "/usr/bin/dscl . -read /Groups/admin GroupMembership"
	)
	files := fstest.MapFS{}
	for _, name := range []string{updatesList, managedList, saver, timed, mounts} {
		files[name[1:]] = &fstest.MapFile{}
	}
	searched := func(at, waiting string) recordedMac {
		return plist(updatesList, "LastSuccessfulDate", at).and(plist(updatesList, "LastUpdatesAvailable", waiting))
	}
	locks := func(idle, delay, ask string) recordedMac {
		return plist(saver, "idleTime", idle).and(plist(saver, "askForPasswordDelay", delay)).and(plist(saver, "askForPassword", ask))
	}
	chip := func(policy string) recordedMac {
		return recordedMac{bridge: `{"SPiBridgeDataType":[{"ibridge_model_name":"Apple T2","ibridge_secure_boot":"` + policy + `"}]}`}
	}
	for _, c := range []struct {
		name    string
		measure func(context.Context, Machine) outcome
		mac     recordedMac
		want    wire.ClaimState
	}{
		{"release", osReleaseMac, recordedMac{"/usr/bin/sw_vers -productVersion": "26.1\n"}, wire.ClaimPass},
		{"release, silent", osReleaseMac, recordedMac{}, wire.ClaimError},

		{"nothing waits", osUpdatesMac, searched("2026-11-21T08:00:00Z", "0"), wire.ClaimPass},
		{"three wait", osUpdatesMac, searched("2026-11-21T08:00:00Z", "3"), wire.ClaimFail},
		{"searched long ago", osUpdatesMac, searched("2026-11-01T08:00:00Z", "0"), wire.ClaimFail},
		{"searched tomorrow", osUpdatesMac, searched("2026-11-23T18:00:00Z", "0"), wire.ClaimError},
		{"an odd number", osUpdatesMac, searched("2026-11-21T08:00:00Z", "-1"), wire.ClaimError},
		{"never searched", osUpdatesMac, recordedMac{}, wire.ClaimError},

		{"nothing is set", autoUpdatesMac, recordedMac{}, wire.ClaimPass},
		{"on", autoUpdatesMac, plist(updatesList, "AutomaticDownload", "true"), wire.ClaimPass},
		{"off", autoUpdatesMac, plist(updatesList, "CriticalUpdateInstall", "false"), wire.ClaimFail},
		{"the profile wins", autoUpdatesMac, plist(updatesList, "AutomaticDownload", "false").and(plist(managedList, "AutomaticDownload", "1")), wire.ClaimPass},
		{"an odd value", autoUpdatesMac, plist(updatesList, "AutomaticDownload", "maybe"), wire.ClaimError},

		{"FileVault on", diskEncryptionMac, recordedMac{"/usr/bin/fdesetup isactive": "true\n"}, wire.ClaimPass},
		{"FileVault off", diskEncryptionMac, recordedMac{"/usr/bin/fdesetup isactive": "exit 1\nfalse\n"}, wire.ClaimFail},
		{"FileVault changing", diskEncryptionMac, recordedMac{"/usr/bin/fdesetup isactive": "exit 2\n"}, wire.ClaimFail},
		{"FileVault odd", diskEncryptionMac, recordedMac{"/usr/bin/fdesetup isactive": "exit 9\n"}, wire.ClaimError},
		{"FileVault silent", diskEncryptionMac, recordedMac{}, wire.ClaimError},

		{"firewall on", firewallMac, recordedMac{firewall: "Firewall is enabled. (State = 1)\n"}, wire.ClaimPass},
		{"firewall blocks all", firewallMac, recordedMac{firewall: "Firewall is blocking all non-essential incoming connections. (State = 2)\n"}, wire.ClaimPass},
		{"firewall off", firewallMac, recordedMac{firewall: "Firewall is disabled. (State = 0)\n"}, wire.ClaimFail},
		{"firewall odd", firewallMac, recordedMac{firewall: "(State = 7)\n"}, wire.ClaimError},
		{"firewall not understood", firewallMac, recordedMac{firewall: "enabled\n"}, wire.ClaimError},
		{"firewall silent", firewallMac, recordedMac{}, wire.ClaimError},

		{"full security", secureBootMac, chip("Full Security"), wire.ClaimPass},
		{"reduced security", secureBootMac, chip("Reduced Security"), wire.ClaimFail},
		{"unknown security", secureBootMac, chip("最高安全性"), wire.ClaimError},
		{"no chip", secureBootMac, recordedMac{bridge: `{"SPiBridgeDataType":[]}`}, wire.ClaimError},
		{"no report", secureBootMac, recordedMac{bridge: `?`}, wire.ClaimError},

		{"SIP on", lockdownMac, recordedMac{"/usr/bin/csrutil status": "System Integrity Protection status: enabled.\n"}, wire.ClaimPass},
		{"SIP off", lockdownMac, recordedMac{"/usr/bin/csrutil status": "System Integrity Protection status: disabled.\n"}, wire.ClaimFail},
		{"SIP in parts", lockdownMac, recordedMac{"/usr/bin/csrutil status": "System Integrity Protection status: unknown (Custom Configuration).\n\nConfiguration:\n\tKext Signing: disabled\n"}, wire.ClaimFail},
		{"SIP odd", lockdownMac, recordedMac{"/usr/bin/csrutil status": "?\n"}, wire.ClaimError},
		{"SIP silent", lockdownMac, recordedMac{}, wire.ClaimError},

		{"locks", screenLockMac, locks("600", "5", "true"), wire.ClaimPass},
		{"locks late", screenLockMac, locks("899", "5", "true"), wire.ClaimFail},
		{"never starts", screenLockMac, locks("0", "0", "true"), wire.ClaimFail},
		{"asks nothing", screenLockMac, locks("600", "5", "false"), wire.ClaimFail},
		{"asks oddly", screenLockMac, locks("600", "5", "perhaps"), wire.ClaimError},
		{"odd seconds", screenLockMac, locks("soon", "5", "true"), wire.ClaimError},
		{"no profile", screenLockMac, recordedMac{}, wire.ClaimError},

		{"network time", timeSyncMac, plist(timed, "TMAutomaticTimeOnlyEnabled", "true"), wire.ClaimPass},
		{"by hand", timeSyncMac, plist(timed, "TMAutomaticTimeOnlyEnabled", "false"), wire.ClaimFail},
		{"time not known", timeSyncMac, recordedMac{}, wire.ClaimError},

		{"listed administrators", administratorsMac, recordedMac{admins: "GroupMembership: root it\n"}, wire.ClaimPass},
		{"another administrator", administratorsMac, recordedMac{admins: "GroupMembership: root it wang\n"}, wire.ClaimFail},
		{"odd group", administratorsMac, recordedMac{admins: "No such key\n"}, wire.ClaimError},
		{"group silent", administratorsMac, recordedMac{}, wire.ClaimError},

		{"disks denied", usbStorageMac, plist(mounts, "mount-controls.harddisk-external", "1").and(plist(mounts, "mount-controls.harddisk-external.0", "deny")), wire.ClaimPass},
		{"disks asked for", usbStorageMac, plist(mounts, "mount-controls.harddisk-external", "1").and(plist(mounts, "mount-controls.harddisk-external.0", "authenticate")), wire.ClaimFail},
		{"disks free", usbStorageMac, recordedMac{}, wire.ClaimFail},
	} {
		m := Machine{Files: files, Commands: c.mac, Clock: func() time.Time { return recordedAt }, Settings: Settings{Administrators: []string{"it"}}}
		o := c.measure(t.Context(), m)
		if o.state != c.want || (o.state == wire.ClaimPass) != (o.problem == "") {
			t.Errorf("%s: %s %q, want %s", c.name, o.state, o.problem, c.want)
		}
	}
}

func TestAntivirusOfAMac(t *testing.T) {
	const day = 24 * time.Hour
	signatures := func(name string, ago time.Duration) fstest.MapFS {
		return fstest.MapFS{name: {ModTime: recordedAt.Add(-ago)}}
	}
	edr := Antivirus{Process: "falcond", Signatures: "/Library/Falcon/db"}
	const runs = "/usr/bin/pgrep -x falcond"
	for name, c := range map[string]struct {
		files   fstest.MapFS
		mac     recordedMac
		setting Antivirus
		want    wire.ClaimState
	}{
		"XProtect":            {signatures(xprotect, day), nil, Antivirus{}, wire.ClaimPass},
		"XProtect, old":       {signatures(xprotect, 8*day), nil, Antivirus{}, wire.ClaimFail},
		"XProtect, tomorrow":  {signatures(xprotect, -day), nil, Antivirus{}, wire.ClaimError},
		"no XProtect":         {fstest.MapFS{}, nil, Antivirus{}, wire.ClaimError},
		"EDR":                 {signatures("Library/Falcon/db", day), recordedMac{runs: "71\n"}, edr, wire.ClaimPass},
		"EDR stopped":         {signatures("Library/Falcon/db", day), recordedMac{runs: "exit 1\n"}, edr, wire.ClaimFail},
		"EDR not to be asked": {signatures("Library/Falcon/db", day), recordedMac{runs: "exit 3\n"}, edr, wire.ClaimError},
		"EDR, no signatures":  {signatures(xprotect, day), recordedMac{runs: "71\n"}, edr, wire.ClaimError},
	} {
		m := Machine{Files: c.files, Commands: c.mac, Clock: func() time.Time { return recordedAt }, Settings: Settings{Antivirus: c.setting}}
		if o := antivirusMac(t.Context(), m); o.state != c.want {
			t.Errorf("%s: %s %q, want %s", name, o.state, o.problem, c.want)
		}
	}
}
