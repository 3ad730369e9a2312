package posture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// packaging is how a distribution installs software.
type packaging int

const (
	packagingUnknown packaging = iota
	packagingDebian
	packagingRPM
)

// packagingOf tells by the package database that is there.
func packagingOf(files fs.FS) packaging {
	exists := func(name string) bool {
		_, err := fs.Stat(files, name)
		return err == nil
	}
	switch {
	case exists("var/lib/dpkg/status"):
		return packagingDebian
	case exists("var/lib/rpm"), exists("usr/lib/sysimage/rpm"):
		return packagingRPM
	}
	return packagingUnknown
}

var errPackaging = errors.New("this system's packages are neither dpkg's nor rpm's")

// autoUpdates passes when security updates install themselves.
func autoUpdates(ctx context.Context, m Machine) outcome {
	switch packagingOf(m.Files) {
	case packagingDebian:
		return aptUpdates(ctx, m)
	case packagingRPM:
		return dnfUpdates(ctx, m)
	}
	return cannot("%v", errPackaging)
}

// What apt's daily service looks at (apt.systemd.daily, apt.conf(5)).
const (
	aptEnable     = "APT::Periodic::Enable"
	aptLists      = "APT::Periodic::Update-Package-Lists"
	aptUnattended = "APT::Periodic::Unattended-Upgrade"
	aptUpgrader   = "usr/bin/unattended-upgrade"
)

// aptUpdates asks apt for its effective settings, and systemd for its timers.
func aptUpdates(ctx context.Context, m Machine) outcome {
	settings, err := aptSettings(ctx, m)
	if err != nil {
		return cannot("%v", err)
	}
	value := map[string]string{"lists": settings[aptLists], "unattended_upgrade": settings[aptUnattended]}
	switch {
	case settings[aptEnable] == "0":
		return fails(value, "%s is 0", aptEnable)
	case !periodic(settings[aptLists]):
		return fails(value, "%s is off", aptLists)
	case !periodic(settings[aptUnattended]):
		return fails(value, "%s is off", aptUnattended)
	}
	if _, err := fs.Stat(m.Files, aptUpgrader); err != nil {
		return fails(value, "unattended-upgrades is not installed")
	}
	timers, err := units(ctx, m, "apt-daily.timer", "apt-daily-upgrade.timer")
	if err != nil {
		return cannot("%v", err)
	}
	for i, name := range []string{"apt-daily.timer", "apt-daily-upgrade.timer"} {
		if !timers[i].running() {
			return fails(value, "%s does not run", name)
		}
	}
	return passes(value)
}

// periodic reports whether a period of apt.systemd.daily is more than none.
func periodic(value string) bool {
	if value == "always" {
		return true
	}
	days, err := strconv.ParseUint(strings.TrimRight(value, "smhd"), 10, 32)
	return err == nil && days > 0
}

func aptSettings(ctx context.Context, m Machine) (map[string]string, error) {
	if m.Commands == nil {
		return nil, errNoCommands
	}
	out, exit, err := m.Commands.Run(ctx, "/usr/bin/apt-config", "dump", "--format", "%f=%v%n")
	if err != nil {
		return nil, fmt.Errorf("asking apt: %w", err)
	}
	if exit != 0 {
		return nil, fmt.Errorf("apt-config ended with exit code %d", exit)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		settings[name] = value
	}
	return settings, nil
}

// The timers of dnf-automatic that install, whatever its file says; the last
// one does what the file says (dnf-automatic(8)).
var dnfTimers = [...]string{"dnf-automatic-install.timer", "dnf5-automatic.timer", "dnf-automatic.timer"}

func dnfUpdates(ctx context.Context, m Machine) outcome {
	timers, err := units(ctx, m, dnfTimers[:]...)
	if err != nil {
		return cannot("%v", err)
	}
	if timers[0].running() {
		return passes(map[string]string{"timer": dnfTimers[0]})
	}
	for i, timer := range timers[1:] {
		if !timer.running() {
			continue
		}
		value := map[string]string{"timer": dnfTimers[i+1]}
		applies, err := dnfApplies(m.Files)
		if err != nil {
			return cannot("%v", err)
		}
		if !applies {
			return fails(value, "apply_updates is off")
		}
		return passes(value)
	}
	return fails(nil, "no timer of dnf-automatic runs")
}

// dnfApplies reads apply_updates of dnf-automatic's file; off without it.
func dnfApplies(files fs.FS) (bool, error) {
	raw, err := read(files, "etc/dnf/automatic.conf", 256<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	applies := false
	for name, value := range iniValues(string(raw), "commands") {
		if name == "apply_updates" {
			switch strings.ToLower(value) {
			case "1", "yes", "true", "on":
				applies = true
			default:
				applies = false
			}
		}
	}
	return applies, nil
}

// iniValues are the settings of one section of an INI file, in their order.
func iniValues(text, section string) func(yield func(string, string) bool) {
	return func(yield func(string, string) bool) {
		inside := false
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "[") {
				inside = line == "["+section+"]"
				continue
			}
			name, value, ok := strings.Cut(line, "=")
			if !inside || !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
				continue
			}
			if !yield(strings.TrimSpace(name), strings.TrimSpace(value)) {
				return
			}
		}
	}
}
