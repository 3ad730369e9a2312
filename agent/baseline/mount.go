package baseline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// MountCheck looks at one mount point: that it is one, of which type, and with
// which options.
type MountCheck struct {
	Point string `yaml:"point"`
	// Options must all be there; Types is what it may be, any if empty.
	Options []string `yaml:"options"`
	Types   []string `yaml:"types"`
}

func (c *MountCheck) wrong(path string) []yamlfile.Fault {
	if !strings.HasPrefix(c.Point, "/") {
		return []yamlfile.Fault{{Path: path + ".point", Problem: "must be an absolute path"}}
	}
	return nil
}

func (*MountCheck) compares() bool { return false }

func (c *MountCheck) measure(m *measurement, _ *Expect) outcome {
	mounts, err := m.mounts()
	if err != nil {
		return cannot("the mounts: %v", err)
	}
	is, ok := mounts[c.Point]
	if !ok {
		return passIf(false, "%s is no mount point of its own", c.Point)
	}
	good := len(c.Types) == 0 || slices.Contains(c.Types, is.fstype)
	for _, option := range c.Options {
		good = good && slices.Contains(is.options, option)
	}
	return passIf(good, "%s %s %s", c.Point, is.fstype, strings.Join(is.options, ","))
}

// mountPoint is one mount as the whole system sees it.
type mountPoint struct {
	fstype  string
	options []string
}

// readMounts reads the first process's mounts. The agent's own would be those
// of its sandbox, where the service manager sets options that the system has
// not (nosuid above all). Where they may not be read, the service manager tells
// of its mount units, which it reads from there too.
func (m *measurement) readMounts() (map[string]mountPoint, error) {
	text, err := m.readUpTo("/proc/1/mountinfo", 4<<20)
	if err == nil {
		return parseMountinfo(text)
	}
	blocks, problem := m.show([]string{"Where", "Type", "Options", "ActiveState"}, "*.mount")
	if problem != nil {
		return nil, fmt.Errorf("%w; %w", err, problem)
	}
	mounts := map[string]mountPoint{}
	for _, b := range blocks {
		if b["ActiveState"] == "active" && b["Where"] != "" {
			mounts[b["Where"]] = mountPoint{b["Type"], strings.Split(b["Options"], ",")}
		}
	}
	if len(mounts) == 0 {
		return nil, fmt.Errorf("%w; the service manager names no mount", err)
	}
	return mounts, nil
}

// parseMountinfo reads proc_pid_mountinfo(5). Of several mounts on one point
// the last is seen.
func parseMountinfo(text string) (map[string]mountPoint, error) {
	mounts := map[string]mountPoint{}
	for line := range strings.Lines(text) {
		front, back, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		f, b := strings.Fields(front), strings.Fields(back)
		if !ok || len(f) < 6 || len(b) < 1 {
			return nil, fmt.Errorf("odd line in mountinfo: %.80q", line)
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(f[4])
		mounts[point] = mountPoint{b[0], strings.Split(f[5], ",")}
	}
	return mounts, nil
}
