package baseline

import (
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// SudoCheck reads one of sudoers' Defaults that hold for everybody. A setting
// that is negated counts as not set.
type SudoCheck struct {
	Name string `yaml:"name"`
}

func (c *SudoCheck) wrong(path string) []yamlfile.Fault { return needs(path, "name", c.Name) }

func (*SudoCheck) compares() bool { return true }

// measure: the last of several settings counts (sudoers(5), Defaults). One for
// a user, host or command alone stands right after the word Defaults; where it
// is worse than what is expected, the rule fails.
func (c *SudoCheck) measure(m *measurement, expect *Expect) outcome {
	found, instead := m.fact(func(f wire.RootFacts) wire.RootFact { return f.SudoDefaults }, "sudo")
	if instead != nil {
		return *instead
	}
	v := value{name: c.Name, missing: true}
	for _, line := range found {
		if line != "" && line[0] != ' ' {
			scope, rest, _ := strings.Cut(line, " ")
			for _, s := range sudoSettings(rest) {
				if narrow := s.of(c.Name); narrow != nil && !expect.accepts(*narrow) {
					return passIf(false, "%s for %s", narrow, scope)
				}
			}
			continue
		}
		for _, s := range sudoSettings(line) {
			if now := s.of(c.Name); now != nil {
				v = *now
			}
		}
	}
	return expect.judge(v)
}

// sudoSetting is one entry of a Defaults line: name, !name or name=value.
type sudoSetting string

// of returns the value that the entry gives to name, nil if it is about another.
func (s sudoSetting) of(name string) *value {
	entry, negated := strings.CutPrefix(strings.TrimSpace(string(s)), "!")
	key, text, assigned := strings.Cut(entry, "=")
	if strings.TrimSpace(key) != name {
		return nil
	}
	text = strings.Trim(strings.TrimSpace(text), `"`)
	if !assigned {
		text = "on"
	}
	return &value{name: name, text: text, missing: negated}
}

// sudoSettings splits a Defaults line at its commas, but not within quotes.
func sudoSettings(line string) []sudoSetting {
	var all []sudoSetting
	quoted, from := false, 0
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ',' && !quoted:
			all = append(all, sudoSetting(line[from:i]))
			from = i + 1
		}
	}
	return append(all, sudoSetting(line[from:]))
}
