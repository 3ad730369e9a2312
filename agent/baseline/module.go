package baseline

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// ModuleCheck passes where a kernel module can neither be loaded by modprobe
// nor is part of the running kernel.
type ModuleCheck struct {
	Name string `yaml:"name"`
}

func (c *ModuleCheck) wrong(path string) []yamlfile.Fault { return needs(path, "name", c.Name) }

func (*ModuleCheck) compares() bool { return false }

func (c *ModuleCheck) measure(m *measurement, _ *Expect) outcome {
	config, err := m.modprobe()
	if err != nil {
		return cannot("modprobe.d: %v", err)
	}
	loaded, err := m.read("/proc/modules")
	if err != nil {
		return cannot("the loaded modules: %v", err)
	}
	name := moduleName(c.Name)
	for line := range strings.Lines(loaded) {
		if first, _, _ := strings.Cut(line, " "); moduleName(first) == name {
			return passIf(false, "%s is loaded", c.Name)
		}
	}
	known, err := m.readIfThere("/proc/filesystems")
	if err != nil {
		return cannot("the kernel's file systems: %v", err)
	}
	for line := range strings.Lines(known) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] == c.Name {
			return passIf(false, "%s is part of this kernel", c.Name)
		}
	}
	command, installs := config.installOf(name)
	listed := slices.Contains(config.blacklist, name)
	harmless := installs && slices.Contains([]string{"false", "true"}, path.Base(strings.TrimSpace(command)))
	return passIf(harmless && listed, "install: %s, blacklist: %t", orNone(command), listed)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// moduleName is one spelling: modprobe takes hyphen and underscore for the same.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// modprobeConfig is what modprobe.d(5) says, with all its folders, and what the
// kernel's command line adds.
type modprobeConfig struct {
	installs  [][2]string // pattern, command
	blacklist []string
}

// installOf returns the first install command whose pattern fits.
func (c modprobeConfig) installOf(name string) (string, bool) {
	for _, i := range c.installs {
		if ok, err := path.Match(i[0], name); err == nil && ok {
			return i[1], true
		}
	}
	return "", false
}

func (m *measurement) readModprobe() (modprobeConfig, error) {
	var c modprobeConfig
	files, err := m.dropIns(".conf", "/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
	if err != nil {
		return c, err
	}
	for _, name := range files {
		text, err := m.read(name)
		if err != nil {
			return c, err
		}
		for _, line := range lines(strings.ReplaceAll(text, "\\\n", " ")) {
			f := strings.Fields(line)
			switch {
			case len(f) >= 3 && f[0] == "install":
				c.installs = append(c.installs, [2]string{moduleName(f[1]), strings.Join(f[2:], " ")})
			case len(f) == 2 && f[0] == "blacklist":
				c.blacklist = append(c.blacklist, moduleName(f[1]))
			}
		}
	}
	arguments, err := m.cmdline()
	if err != nil {
		return c, err
	}
	for _, a := range arguments {
		name, list, _ := strings.Cut(a, "=")
		if name == "modprobe.blacklist" || name == "module_blacklist" {
			for module := range strings.SplitSeq(list, ",") {
				c.blacklist = append(c.blacklist, moduleName(module))
			}
		}
	}
	return c, nil
}

func (m *measurement) readCommandLine() ([]string, error) {
	text, err := m.read("/proc/cmdline")
	if err != nil {
		return nil, fmt.Errorf("the kernel's command line: %w", err)
	}
	return strings.Fields(text), nil
}

// KernelCheck reads an argument from the running kernel's command line.
type KernelCheck struct {
	Name string `yaml:"name"`
}

func (c *KernelCheck) wrong(path string) []yamlfile.Fault { return needs(path, "name", c.Name) }

func (*KernelCheck) compares() bool { return true }

func (c *KernelCheck) measure(m *measurement, expect *Expect) outcome {
	arguments, err := m.cmdline()
	if err != nil {
		return cannot("%v", err)
	}
	v := value{name: c.Name, missing: true}
	for _, a := range arguments { // the last one counts
		if name, text, _ := strings.Cut(a, "="); name == c.Name {
			v.text, v.missing = text, false
		}
	}
	return expect.judge(v)
}
