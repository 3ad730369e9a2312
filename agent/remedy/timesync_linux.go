package remedy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/menshen-zt/menshen/internal/strictjson"
)

// timeSync has systemd-timesyncd keep the clock. systemctl is systemd's own
// client on the bus; it waits for the job and tells whether it was done.
type timeSync struct{ commands Commands }

const (
	systemctl = "/usr/bin/systemctl"
	timesyncd = "systemd-timesyncd.service"
)

var errNoTimesyncd = errors.New("systemd-timesyncd is not installed, or is masked")

// unitBefore is what systemd said of the unit.
type unitBefore struct {
	Enabled bool `json:"enabled"`
	Active  bool `json:"active"`
}

func (t *timeSync) before(ctx context.Context) (json.RawMessage, error) {
	out, err := t.run(ctx, "show", "--property=LoadState,ActiveState,UnitFileState", "--", timesyncd)
	if err != nil {
		return nil, err
	}
	state := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		state[name] = value
	}
	if state["LoadState"] != "loaded" {
		return nil, errNoTimesyncd
	}
	return json.Marshal(unitBefore{
		Enabled: state["UnitFileState"] == "enabled",
		Active:  state["ActiveState"] == "active" || state["ActiveState"] == "activating",
	})
}

func (t *timeSync) apply(ctx context.Context) error {
	_, err := t.run(ctx, "enable", "--now", "--quiet", timesyncd)
	return err
}

func (t *timeSync) restore(ctx context.Context, before json.RawMessage) error {
	var b unitBefore
	if err := strictjson.Unmarshal(before, &b); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	enabling, starting := "disable", "stop"
	if b.Enabled {
		enabling = "enable"
	}
	if b.Active {
		starting = "start"
	}
	if _, err := t.run(ctx, enabling, "--quiet", timesyncd); err != nil {
		return err
	}
	_, err := t.run(ctx, starting, "--quiet", timesyncd)
	return err
}

func (t *timeSync) run(ctx context.Context, args ...string) (string, error) {
	out, exit, err := t.commands.Run(ctx, systemctl, args...)
	if err != nil {
		return "", err
	}
	if exit != 0 {
		return "", fmt.Errorf("systemctl %s ended with exit code %d", args[0], exit)
	}
	return string(out), nil
}
