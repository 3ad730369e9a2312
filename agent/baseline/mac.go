package baseline

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// MACCheck looks at mandatory access control in the running kernel.
type MACCheck struct {
	// Ask is one of: apparmor-on, apparmor-enforces, selinux-enforces,
	// selinux-configured (enforcing at the next start too), selinux-targeted.
	Ask string `yaml:"ask"`
}

func macQuestions() map[string]func(*measurement) outcome {
	return map[string]func(*measurement) outcome{
		"apparmor-on": appArmorOn, "apparmor-enforces": appArmorEnforces,
		"selinux-enforces": selinuxEnforces, "selinux-configured": selinuxConfigured, "selinux-targeted": selinuxTargeted,
	}
}

func (c *MACCheck) wrong(path string) []yamlfile.Fault {
	if macQuestions()[c.Ask] == nil {
		return []yamlfile.Fault{{Path: path + ".ask", Problem: fmt.Sprintf("%q is not a question that is known", c.Ask)}}
	}
	return nil
}

func (*MACCheck) compares() bool { return false }

func (c *MACCheck) measure(m *measurement, _ *Expect) outcome { return macQuestions()[c.Ask](m) }

func appArmorOn(m *measurement) outcome {
	enabled, err := m.readIfThere("/sys/module/apparmor/parameters/enabled")
	if err != nil {
		return cannot("%v", err)
	}
	return passIf(strings.TrimSpace(enabled) == "Y", "enabled: %s", orNone(strings.TrimSpace(enabled)))
}

func appArmorEnforces(m *measurement) outcome {
	if on := appArmorOn(m); on.state != wire.ClaimPass {
		return on
	}
	profiles, instead := m.fact(func(f wire.RootFacts) wire.RootFact { return f.Profiles }, "AppArmor")
	if instead != nil {
		return *instead
	}
	var others []string
	for _, p := range profiles {
		if !strings.HasSuffix(p, "(enforce)") && !strings.HasSuffix(p, "(kill)") {
			others = append(others, p)
		}
	}
	return passIf(len(profiles) > 0 && len(others) == 0, "%d profiles, not enforced: %s", len(profiles), orNone(strings.Join(others, ", ")))
}

func selinuxEnforces(m *measurement) outcome {
	enforce, err := m.read("/sys/fs/selinux/enforce")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return passIf(false, "SELinux is off")
	case err != nil:
		return cannot("%v", err)
	}
	return passIf(strings.TrimSpace(enforce) == "1", "enforce = %s", strings.TrimSpace(enforce))
}

func selinuxConfigured(m *measurement) outcome { return selinuxSetting(m, "SELINUX", "enforcing") }

func selinuxTargeted(m *measurement) outcome {
	return selinuxSetting(m, "SELINUXTYPE", "targeted", "mls")
}

func selinuxSetting(m *measurement, key string, accepted ...string) outcome {
	text, err := m.readIfThere("/etc/selinux/config")
	if err != nil {
		return cannot("%v", err)
	}
	v := value{name: key, missing: true}
	for _, line := range lines(text) {
		if name, is, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == key {
			v.text, v.missing = strings.TrimSpace(is), false
		}
	}
	return (&Expect{OneOf: accepted}).judge(v)
}
