package baseline

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// PackageCheck asks the package database what is installed.
type PackageCheck struct {
	// Present must all be installed, of Absent none.
	Present []string `yaml:"present"`
	Absent  []string `yaml:"absent"`
}

func (c *PackageCheck) wrong(path string) []yamlfile.Fault {
	if (len(c.Present) > 0) == (len(c.Absent) > 0) {
		return []yamlfile.Fault{{Path: path, Problem: "either present or absent is needed"}}
	}
	return nil
}

func (*PackageCheck) compares() bool { return false }

func (c *PackageCheck) measure(m *measurement, _ *Expect) outcome {
	installed, err := m.packages()
	if err != nil {
		return cannot("the installed packages: %v", err)
	}
	good := true
	var seen []string
	for _, name := range append(append([]string{}, c.Present...), c.Absent...) {
		if installed[name] {
			seen = append(seen, name+" installed")
		} else {
			seen = append(seen, name+" not installed")
		}
		good = good && installed[name] == (len(c.Present) > 0)
	}
	return passIf(good, "%s", strings.Join(seen, ", "))
}

var errNoPackages = errors.New("neither dpkg nor rpm keeps a database here")

// readPackages reads dpkg's database, or asks rpm for its.
func (m *measurement) readPackages() (map[string]bool, error) {
	text, err := m.readUpTo("/var/lib/dpkg/status", maxDpkg)
	if err == nil {
		return parseDpkg(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, folder := range []string{"/var/lib/rpm", "/usr/lib/sysimage/rpm"} {
		if _, err := m.stat(folder); err == nil {
			return m.askRPM()
		}
	}
	return nil, errNoPackages
}

// parseDpkg reads /var/lib/dpkg/status (deb-control(5), dpkg(1)): installed is
// what is unpacked and configured, whether or not it is on hold.
func parseDpkg(text string) (map[string]bool, error) {
	installed := map[string]bool{}
	name := ""
	for line := range strings.Lines(text) {
		if after, ok := strings.CutPrefix(line, "Package: "); ok {
			name = strings.TrimSpace(after)
		}
		if after, ok := strings.CutPrefix(line, "Status: "); ok && strings.HasSuffix(strings.TrimSpace(after), " installed") {
			installed[name] = true
		}
	}
	if len(installed) == 0 {
		return nil, fmt.Errorf("dpkg's database names no package")
	}
	return installed, nil
}

func (m *measurement) askRPM() (map[string]bool, error) {
	if m.machine.Runner == nil {
		return nil, fmt.Errorf("rpm cannot be asked")
	}
	out, err := m.machine.Runner.Output(m.ctx, "rpm", "-qa", "--qf", `%{NAME}\n`)
	if err != nil {
		return nil, fmt.Errorf("rpm does not answer: %w", err)
	}
	installed := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			installed[line] = true
		}
	}
	if len(installed) == 0 {
		return nil, fmt.Errorf("rpm names no package")
	}
	return installed, nil
}
