package baseline

import (
	"fmt"
	"regexp"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// ShellCheck reads what the shells' system-wide start files set. They are
// programs and are not run: every assignment in them must be as expected, and
// there must be one.
type ShellCheck struct {
	// Sets is TMOUT or umask.
	Sets string `yaml:"sets"`
}

func shellAssignments() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"TMOUT": regexp.MustCompile(`(?:^|[\s;])TMOUT=["']?([0-9]+)`),
		"umask": regexp.MustCompile(`(?:^|[\s;])umask\s+([0-7]{1,4})(?:$|[\s;#])`),
	}
}

func (c *ShellCheck) wrong(path string) []yamlfile.Fault {
	if shellAssignments()[c.Sets] == nil {
		return []yamlfile.Fault{{Path: path + ".sets", Problem: "must be TMOUT or umask"}}
	}
	return nil
}

func (*ShellCheck) compares() bool { return true }

func (c *ShellCheck) measure(m *measurement, expect *Expect) outcome {
	files, err := m.dropIns(".sh", "/etc/profile.d")
	if err != nil {
		return cannot("%v", err)
	}
	var values []value
	for _, name := range append([]string{"/etc/profile", "/etc/bash.bashrc", "/etc/bashrc"}, files...) {
		text, err := m.readIfThere(name)
		if err != nil {
			return cannot("%v", err)
		}
		for _, line := range lines(text) {
			for _, match := range shellAssignments()[c.Sets].FindAllStringSubmatch(line, -1) {
				values = append(values, value{name: fmt.Sprintf("%s: %s", name, c.Sets), text: match[1]})
			}
		}
	}
	if len(values) == 0 {
		values = []value{{name: c.Sets, missing: true}}
	}
	return expect.judge(values...)
}
