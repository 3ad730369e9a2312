package posture

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing/fstest"
	"time"
)

// said is what programs printed, by their command line; "exit N" before a line
// end gives the exit code.
type said map[string]string

// Run implements Commands.
func (s said) Run(_ context.Context, program string, args ...string) ([]byte, int, error) {
	out, ok := s[strings.Join(append([]string{program}, args...), " ")]
	if !ok {
		return nil, 0, errors.New("no such program")
	}
	if rest, failed := strings.CutPrefix(out, "exit 2\n"); failed {
		return []byte(rest), 2, nil
	}
	return []byte(out), 0, nil
}

// shows is systemd's answer for units, each "loadstate activestate".
func (s said) shows(states string, names ...string) said {
	var blocks []string
	for state := range strings.SplitSeq(states, ",") {
		load, active, _ := strings.Cut(state, " ")
		blocks = append(blocks, "LoadState="+load+"\nActiveState="+active+"\nUnitFileState=enabled")
	}
	s["/usr/bin/systemctl show --property=LoadState,ActiveState,UnitFileState -- "+strings.Join(names, " ")] = strings.Join(blocks, "\n\n") + "\n"
	return s
}

var recordedNow = time.Unix(1_800_000_000, 0)

// changed sets a file's time of change.
func (r recorded) changed(name string, ago time.Duration) recorded {
	if r[name] == nil {
		r[name] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	}
	r[name].ModTime = recordedNow.Add(-ago)
	return r
}

func (r recorded) with(change func(*Machine)) Machine {
	m := r.machine()
	change(&m)
	return m
}

func (r recorded) says(s said) Machine {
	return r.with(func(m *Machine) { m.Commands = s })
}
