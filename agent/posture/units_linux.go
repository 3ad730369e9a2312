package posture

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// unit is what systemd says of one of its units.
type unit struct{ load, active, file string }

func (u unit) running() bool { return u.load == "loaded" && u.active == "active" }

var errNoCommands = errors.New("no program can be run here")

// units asks systemd for its units' state by properties, which are not
// translated (org.freedesktop.systemd1(5)). The answers have the names' order.
func units(ctx context.Context, m Machine, names ...string) ([]unit, error) {
	if m.Commands == nil {
		return nil, errNoCommands
	}
	args := append([]string{"show", "--property=LoadState,ActiveState,UnitFileState", "--"}, names...)
	out, exit, err := m.Commands.Run(ctx, "/usr/bin/systemctl", args...)
	if err != nil {
		return nil, fmt.Errorf("asking systemd: %w", err)
	}
	blocks := strings.Split(strings.TrimSpace(string(out)), "\n\n")
	if exit != 0 || len(blocks) != len(names) {
		return nil, fmt.Errorf("systemd answered for %d of %d units, with exit code %d", len(blocks), len(names), exit)
	}
	all := make([]unit, len(names))
	for i, block := range blocks {
		for line := range strings.Lines(block) {
			switch name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name {
			case "LoadState":
				all[i].load = value
			case "ActiveState":
				all[i].active = value
			case "UnitFileState":
				all[i].file = value
			}
		}
	}
	return all, nil
}
