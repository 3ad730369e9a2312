package baseline

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// SysctlCheck reads kernel settings from /proc/sys: what the kernel does now.
type SysctlCheck struct {
	// Keys are names such as net.ipv4.ip_forward; each must be as expected.
	Keys []string `yaml:"keys"`
}

var sysctlKey = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_-]+)+$`)

func (c *SysctlCheck) wrong(path string) []yamlfile.Fault {
	for _, key := range c.Keys {
		if !sysctlKey.MatchString(key) {
			return []yamlfile.Fault{{Path: path + ".keys", Problem: key + " is no name of a kernel setting"}}
		}
	}
	return needs(path, "keys", c.Keys...)
}

func (*SysctlCheck) compares() bool { return true }

func (c *SysctlCheck) measure(m *measurement, expect *Expect) outcome {
	var values []value
	for _, key := range c.Keys {
		text, err := m.read("/proc/sys/" + strings.ReplaceAll(key, ".", "/"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return notApplicable("this kernel has no %s", key)
		case err != nil:
			return cannot("%s: %v", key, err)
		}
		values = append(values, value{name: key, text: strings.Join(strings.Fields(text), " ")})
	}
	return expect.judge(values...)
}
