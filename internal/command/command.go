// Package command runs the few programs that are a system's own interface, such
// as rpm or systemctl.
//
// Guarantees: a program is named by its absolute path or found in the system's
// own directories, never by the caller's PATH; its environment is fixed, so
// that nothing is translated; its time and what it prints are bounded.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Bounds of one run.
const (
	maxTime   = 20 * time.Second
	maxOutput = 64 << 20
	// killWait is how long a killed program's children may hold its output.
	killWait = time.Second
)

// ErrTooMuch says that a program printed more than is read.
var ErrTooMuch = errors.New("command: it printed more than is read")

// System runs programs of this machine.
type System struct {
	// Environment takes the place of the fixed one where it is not nil: a
	// person's own session finds its bus and its settings by it.
	Environment []string
}

// Run runs program and returns what it printed on standard output, and its exit
// code. An error says that it did not run to its end: it is not there, took too
// long, printed too much, or was killed.
func (s System) Run(ctx context.Context, program string, args ...string) ([]byte, int, error) {
	path, err := find(program)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...) // #nosec G204 -- callers name programs by constants
	if cmd.Env = s.Environment; cmd.Env == nil {
		cmd.Env = environment()
	}
	cmd.WaitDelay = killWait
	var out bounded
	cmd.Stdout = &out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case out.over:
		return nil, 0, fmt.Errorf("%w: %s", ErrTooMuch, program)
	case ctx.Err() != nil:
		return nil, 0, fmt.Errorf("command: %s: %w", program, ctx.Err())
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return out.kept.Bytes(), exit.ExitCode(), nil
	case err != nil:
		return nil, 0, fmt.Errorf("command: %w", err)
	}
	return out.kept.Bytes(), 0, nil
}

// Output is Run for a program whose every exit code but 0 is a failure.
func (s System) Output(ctx context.Context, program string, args ...string) ([]byte, error) {
	out, code, err := s.Run(ctx, program, args...)
	if err == nil && code != 0 {
		err = fmt.Errorf("command: %s ended with %d", program, code)
	}
	return out, err
}

// bounded keeps what is written up to a limit. It does not embed the buffer,
// whose ReadFrom would then be used, and know no limit.
type bounded struct {
	kept bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > maxOutput {
		b.over = true
		return 0, ErrTooMuch
	}
	return b.kept.Write(p)
}
