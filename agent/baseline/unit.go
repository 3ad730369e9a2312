package baseline

import (
	"fmt"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// UnitCheck looks at units of systemd as the manager itself sees them.
type UnitCheck struct {
	Names []string `yaml:"names"`
	// State is "running": each is active and started at boot; or "off": none is
	// active and none is started at boot.
	State string `yaml:"state"`
}

// States of a UnitCheck.
const (
	unitRunning = "running"
	unitOff     = "off"
)

func (c *UnitCheck) wrong(path string) []yamlfile.Fault {
	faults := needs(path, "names", c.Names...)
	for _, name := range c.Names {
		if !strings.Contains(name, ".") || strings.HasPrefix(name, "-") || strings.ContainsAny(name, "*?[ ") {
			faults = append(faults, yamlfile.Fault{Path: path + ".names", Problem: name + " is no unit's name, such as cron.service"})
		}
	}
	if c.State != unitRunning && c.State != unitOff {
		faults = append(faults, yamlfile.Fault{Path: path + ".state", Problem: "must be running or off"})
	}
	return faults
}

func (*UnitCheck) compares() bool { return false }

func (c *UnitCheck) measure(m *measurement, _ *Expect) outcome {
	blocks, err := m.show([]string{"Id", "LoadState", "ActiveState", "UnitFileState"}, c.Names...)
	if err != nil {
		return cannot("%v", err)
	}
	if len(blocks) != len(c.Names) {
		return cannot("the service manager told of %d units and not of %d", len(blocks), len(c.Names))
	}
	o := outcome{state: wire.ClaimPass}
	var seen []string
	for i, b := range blocks {
		if b["LoadState"] == "" || b["ActiveState"] == "" {
			return cannot("%s: the service manager gave no state", c.Names[i])
		}
		seen = append(seen, fmt.Sprintf("%s %s %s", c.Names[i], b["ActiveState"], orNone(b["UnitFileState"])))
		if !c.accepts(b) {
			o.state = wire.ClaimFail
		}
	}
	o.seen = strings.Join(seen, ", ")
	return o
}

// accepts: a unit that something else starts (static, alias) is judged by
// whether it is active.
func (c *UnitCheck) accepts(b map[string]string) bool {
	starts := strings.HasPrefix(b["UnitFileState"], "enabled") || b["UnitFileState"] == "generated"
	if c.State == unitRunning {
		return b["LoadState"] == "loaded" && b["ActiveState"] == "active" && starts
	}
	return b["ActiveState"] != "active" && b["ActiveState"] != "activating" && !starts
}

// show asks systemd for properties of units, whose names and values are not
// translated (systemctl(1), show).
func (m *measurement) show(properties []string, units ...string) ([]map[string]string, error) {
	if m.machine.Runner == nil {
		return nil, fmt.Errorf("the service manager cannot be asked")
	}
	args := append([]string{"show", "--no-pager", "--property=" + strings.Join(properties, ","), "--"}, units...)
	out, err := m.machine.Runner.Output(m.ctx, "systemctl", args...)
	if err != nil {
		return nil, fmt.Errorf("the service manager does not answer: %w", err)
	}
	var blocks []map[string]string
	block := map[string]string{}
	for line := range strings.Lines(string(out) + "\n\n") {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			if len(block) > 0 {
				blocks = append(blocks, block)
				block = map[string]string{}
			}
			continue
		}
		if name, text, ok := strings.Cut(line, "="); ok {
			block[name] = text
		}
	}
	return blocks, nil
}
