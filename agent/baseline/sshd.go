package baseline

import (
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// SSHDCheck reads a setting as `sshd -T` prints it: with every included file
// and default taken in.
type SSHDCheck struct {
	// Keys are keywords of sshd_config(5); each must be as expected.
	Keys []string `yaml:"keys"`
}

func (c *SSHDCheck) wrong(path string) []yamlfile.Fault { return needs(path, "keys", c.Keys...) }

func (*SSHDCheck) compares() bool { return true }

func (c *SSHDCheck) measure(m *measurement, expect *Expect) outcome {
	settings, instead := m.fact(func(f wire.RootFacts) wire.RootFact { return f.SSHD }, "sshd")
	if instead != nil {
		return *instead
	}
	var values []value
	for _, key := range c.Keys {
		v := value{name: key, missing: true}
		for _, line := range settings {
			if name, text, ok := strings.Cut(line, " "); ok && strings.EqualFold(name, key) {
				v.text, v.missing = text, false
			}
		}
		values = append(values, v)
	}
	return expect.judge(values...)
}

// BootCheck passes where GRUB asks for a password before its menu is changed.
type BootCheck struct{}

func (*BootCheck) wrong(string) []yamlfile.Fault { return nil }

func (*BootCheck) compares() bool { return false }

func (*BootCheck) measure(m *measurement, _ *Expect) outcome {
	found, instead := m.fact(func(f wire.RootFacts) wire.RootFact { return f.BootPassword }, "GRUB")
	if instead != nil {
		return *instead
	}
	has := map[string]bool{}
	for _, line := range found {
		has[line] = true
	}
	return passIf(has["superusers"] && has["password"], "superusers: %t, password: %t", has["superusers"], has["password"])
}

// ManualCheck is a rule that a person must judge.
type ManualCheck struct {
	// Look says where the person looks.
	Look Text `yaml:"look"`
}

func (c *ManualCheck) wrong(path string) []yamlfile.Fault { return c.Look.wrong(path + ".look") }

func (*ManualCheck) compares() bool { return false }

func (*ManualCheck) measure(*measurement, *Expect) outcome {
	return outcome{state: wire.ClaimManual}
}
