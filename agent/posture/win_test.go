//go:build !darwin

package posture

import (
	"context"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// recordedWindows answers what a Windows answered, or what it might.
type recordedWindows struct {
	registry map[string]any // by key and name; an error for a value that cannot be read
	build    string
	updates  *UpdateState
	volume   *VolumeState
	profiles []FirewallProfile
	health   *uint32
	defender *DefenderState
	services []uint32
	members  []string
	runs     map[string]bool
}

func (w recordedWindows) Number(key, name string) (uint64, bool, error) {
	switch v := w.registry[key+`\`+name].(type) {
	case error:
		return 0, false, v
	case int:
		return uint64(v), true, nil
	}
	return 0, false, nil
}

func (w recordedWindows) Text(key, name string) (string, bool, error) {
	switch v := w.registry[key+`\`+name].(type) {
	case error:
		return "", false, v
	case string:
		return v, true, nil
	}
	return "", false, nil
}

func (w recordedWindows) Build() (string, error) {
	if w.build == "" {
		return "", errSilent
	}
	return w.build, nil
}

func answered[T any](v *T) (T, error) {
	if v == nil {
		var none T
		return none, errSilent
	}
	return *v, nil
}

func (w recordedWindows) Updates(context.Context) (UpdateState, error) { return answered(w.updates) }
func (w recordedWindows) SystemVolume(context.Context) (VolumeState, error) {
	return answered(w.volume)
}
func (w recordedWindows) SecurityHealth() (uint32, error) { return answered(w.health) }
func (w recordedWindows) Defender(context.Context) (DefenderState, error) {
	return answered(w.defender)
}

func (w recordedWindows) FirewallProfiles(context.Context) ([]FirewallProfile, error) {
	if w.profiles == nil {
		return nil, errSilent
	}
	return w.profiles, nil
}

func (w recordedWindows) SecurityServices(context.Context) ([]uint32, error) {
	if w.services == nil {
		return nil, errSilent
	}
	return w.services, nil
}

func (w recordedWindows) Administrators() ([]string, error) {
	if w.members == nil {
		return nil, errSilent
	}
	return w.members, nil
}

func (w recordedWindows) ServiceRuns(name string) (bool, error) {
	runs, there := w.runs[name]
	if !there {
		return false, errSilent
	}
	return runs, nil
}

func TestWindows(t *testing.T) {
	type windows = recordedWindows
	set := func(path string, value any) windows { return windows{registry: map[string]any{path: value}} }
	updates := func(waiting int, ago time.Duration, restart bool, level int) windows {
		return windows{updates: &UpdateState{waiting, recordedAt.Add(-ago), restart, level}}
	}
	volume := func(protection, conversion uint32) windows {
		return windows{volume: &VolumeState{"C:", protection, conversion}}
	}
	health := func(h uint32) windows { return windows{health: &h} }
	defender := func(d DefenderState) windows { return windows{defender: &d} }
	profile := func(enabled, blocks bool) FirewallProfile { return FirewallProfile{"private", enabled, blocks} }
	clock := func(kind string, runs map[string]bool) windows {
		w := set(timeParameters+`\Type`, kind)
		w.runs = runs
		return w
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name    string
		measure func(context.Context, Machine) outcome
		windows windows
		want    wire.ClaimState
	}{
		{"release", osReleaseWin, windows{build: "10.0.26100.4652"}, wire.ClaimPass},
		{"release, silent", osReleaseWin, windows{}, wire.ClaimError},

		{"nothing waits", osUpdatesWin, updates(0, day, false, 4), wire.ClaimPass},
		{"two wait", osUpdatesWin, updates(2, day, false, 4), wire.ClaimFail},
		{"a restart waits", osUpdatesWin, updates(0, day, true, 4), wire.ClaimFail},
		{"searched long ago", osUpdatesWin, updates(0, 8*day, false, 4), wire.ClaimFail},
		{"searched tomorrow", osUpdatesWin, updates(0, -day, false, 4), wire.ClaimError},
		{"never searched", osUpdatesWin, windows{updates: &UpdateState{}}, wire.ClaimError},
		{"updates, silent", osUpdatesWin, windows{}, wire.ClaimError},

		{"scheduled", autoUpdatesWin, updates(0, 0, false, 4), wire.ClaimPass},
		{"notified only", autoUpdatesWin, updates(0, 0, false, 2), wire.ClaimFail},
		{"level not configured", autoUpdatesWin, updates(0, 0, false, 0), wire.ClaimError},
		{"off by policy", autoUpdatesWin, windows{registry: map[string]any{updatePolicy + `\NoAutoUpdate`: 1}, updates: updates(0, 0, false, 4).updates}, wire.ClaimFail},
		{"policy unreadable", autoUpdatesWin, windows{registry: map[string]any{updatePolicy + `\NoAutoUpdate`: errSilent}, updates: updates(0, 0, false, 4).updates}, wire.ClaimError},
		{"automatic, silent", autoUpdatesWin, windows{}, wire.ClaimError},

		{"BitLocker on", diskEncryptionWin, volume(1, 1), wire.ClaimPass},
		{"still encrypting", diskEncryptionWin, volume(1, 2), wire.ClaimFail},
		{"suspended", diskEncryptionWin, volume(0, 1), wire.ClaimFail},
		{"BitLocker off", diskEncryptionWin, volume(0, 0), wire.ClaimFail},
		{"locked", diskEncryptionWin, volume(2, 1), wire.ClaimError},
		{"BitLocker silent", diskEncryptionWin, windows{}, wire.ClaimError},

		{"firewall on", firewallWin, windows{profiles: []FirewallProfile{profile(true, true)}}, wire.ClaimPass},
		{"one profile off", firewallWin, windows{profiles: []FirewallProfile{profile(true, true), profile(false, true)}}, wire.ClaimFail},
		{"lets everything in", firewallWin, windows{profiles: []FirewallProfile{profile(true, false)}}, wire.ClaimFail},
		{"no profile", firewallWin, windows{profiles: []FirewallProfile{}}, wire.ClaimError},
		{"firewall silent", firewallWin, windows{}, wire.ClaimError},

		{"Secure Boot", secureBootWin, set(secureBootState+`\UEFISecureBootEnabled`, 1), wire.ClaimPass},
		{"Secure Boot off", secureBootWin, set(secureBootState+`\UEFISecureBootEnabled`, 0), wire.ClaimFail},
		{"no UEFI", secureBootWin, windows{}, wire.ClaimFail},
		{"Secure Boot unreadable", secureBootWin, set(secureBootState+`\UEFISecureBootEnabled`, errSilent), wire.ClaimError},

		{"memory integrity", lockdownWin, windows{services: []uint32{1, 2}}, wire.ClaimPass},
		{"credential guard alone", lockdownWin, windows{services: []uint32{1}}, wire.ClaimFail},
		{"Device Guard silent", lockdownWin, windows{}, wire.ClaimError},

		{"locks", screenLockWin, set(systemPolicies+`\InactivityTimeoutSecs`, 900), wire.ClaimPass},
		{"locks late", screenLockWin, set(systemPolicies+`\InactivityTimeoutSecs`, 901), wire.ClaimFail},
		{"limit of 0 is none", screenLockWin, set(systemPolicies+`\InactivityTimeoutSecs`, 0), wire.ClaimFail},
		{"no limit", screenLockWin, windows{}, wire.ClaimError},
		{"limit unreadable", screenLockWin, set(systemPolicies+`\InactivityTimeoutSecs`, errSilent), wire.ClaimError},

		{"antivirus good", antivirusWin, health(0), wire.ClaimPass},
		{"not watched", antivirusWin, health(1), wire.ClaimError},
		{"antivirus poor", antivirusWin, health(2), wire.ClaimFail},
		{"antivirus asleep", antivirusWin, health(3), wire.ClaimFail},
		{"odd health", antivirusWin, health(9), wire.ClaimError},
		{"server, Defender", antivirusWin, defender(DefenderState{true, true, 7}), wire.ClaimPass},
		{"server, old signatures", antivirusWin, defender(DefenderState{true, true, 8}), wire.ClaimFail},
		{"server, off", antivirusWin, defender(DefenderState{true, false, 0}), wire.ClaimFail},
		{"server, disabled", antivirusWin, defender(DefenderState{false, true, 0}), wire.ClaimFail},
		{"no antivirus answers", antivirusWin, windows{}, wire.ClaimError},

		{"domain time", timeSyncWin, clock("NT5DS", map[string]bool{"W32Time": true}), wire.ClaimPass},
		{"no source", timeSyncWin, clock("NoSync", map[string]bool{"W32Time": true}), wire.ClaimFail},
		{"time service disabled", timeSyncWin, clock("NTP", map[string]bool{"W32Time": false}), wire.ClaimFail},
		{"odd source", timeSyncWin, clock("Sundial", map[string]bool{"W32Time": true}), wire.ClaimError},
		{"time service silent", timeSyncWin, clock("NTP", nil), wire.ClaimError},
		{"no time service", timeSyncWin, windows{}, wire.ClaimError},

		{"listed administrators", administratorsWin, windows{members: []string{`LT-1\it`}}, wire.ClaimPass},
		{"another administrator", administratorsWin, windows{members: []string{`LT-1\it`, `LT-1\wang`}}, wire.ClaimFail},
		{"administrators silent", administratorsWin, windows{}, wire.ClaimError},

		{"denied by policy", usbStorageWin, set(removableStorage+`\Deny_All`, 1), wire.ClaimPass},
		{"driver disabled", usbStorageWin, set(usbStorageDriver+`\Start`, 4), wire.ClaimPass},
		{"USB open", usbStorageWin, set(usbStorageDriver+`\Start`, 3), wire.ClaimFail},
		{"USB policy unreadable", usbStorageWin, set(removableStorage+`\Deny_All`, errSilent), wire.ClaimError},
		{"USB driver unreadable", usbStorageWin, set(usbStorageDriver+`\Start`, errSilent), wire.ClaimError},
	} {
		m := Machine{Windows: c.windows, Clock: func() time.Time { return recordedAt }, Settings: Settings{Administrators: []string{`LT-1\it`}}}
		o := c.measure(t.Context(), m)
		if o.state != c.want || (o.state == wire.ClaimPass) != (o.problem == "") {
			t.Errorf("%s: %s %q, want %s", c.name, o.state, o.problem, c.want)
		}
	}
}
