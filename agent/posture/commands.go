package posture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Commands runs a program that is a system's own interface, and returns what it
// printed and its exit code. An error says that it did not run, or ran for too
// long.
type Commands interface {
	Run(ctx context.Context, program string, args ...string) ([]byte, int, error)
}

// Bounds of a program that is run.
const (
	commandTime  = 20 * time.Second
	commandBytes = 64 << 20
)

var errTooMuch = errors.New("it printed more than is read")

// Programs runs programs of this machine in an environment.
func Programs(environment []string) Commands { return programs{environment} }

type programs struct{ environment []string }

// Run implements Commands.
func (p programs) Run(ctx context.Context, program string, args ...string) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...) // #nosec G204 -- collectors name programs by constants
	cmd.Env = p.environment
	cmd.WaitDelay = time.Second
	var out bounded
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case out.over:
		return nil, 0, fmt.Errorf("%s: %w", program, errTooMuch)
	case ctx.Err() != nil:
		return nil, 0, fmt.Errorf("%s: %w", program, ctx.Err())
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return out.Bytes(), exit.ExitCode(), nil
	case err != nil:
		return nil, 0, err
	}
	return out.Bytes(), 0, nil
}

// bounded keeps what is written up to a limit.
type bounded struct {
	bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > commandBytes {
		b.over = true
		return 0, errTooMuch
	}
	return b.Buffer.Write(p)
}
