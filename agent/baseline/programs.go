package baseline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Programs runs programs of the system, in the C locale, bounded in time and
// output.
type Programs struct{}

// Bounds of one run.
const (
	programTime = 20 * time.Second
	maxOutput   = 4 << 20
)

var errTooMuch = errors.New("too much output")

// Run implements Runner.
func (Programs) Run(ctx context.Context, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	out := &bounded{limit: maxOutput}
	c := exec.CommandContext(ctx, program, args...) // #nosec G204 -- systemctl or rpm, with names from root's own rule files
	c.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER="}
	c.Stdout = out
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return out.Bytes(), nil
}

// bounded takes so many bytes and fails on more.
type bounded struct {
	bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, errTooMuch
	}
	return b.Buffer.Write(p)
}
