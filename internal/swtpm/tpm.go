//go:build linux

package swtpm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 10 * time.Second
	stopLimit  = 5 * time.Second
	// maxSocketPath is what fits into sockaddr_un (unix(7)).
	maxSocketPath = 107
)

// TPM is a running software TPM. It has no resource manager: whoever leaves
// objects or sessions loaded takes them from the next.
type TPM struct {
	dir string
	mu  sync.Mutex
	cmd *exec.Cmd
	// ended is closed when the process has ended.
	ended chan struct{}
}

// Start runs the TPM that was manufactured in dir, as a machine's power button
// would: PCRs start over and the reset count grows. The process ends with
// Stop, and with this process.
func Start(ctx context.Context, dir string) (*TPM, error) {
	t := &TPM{dir: dir}
	if len(t.Socket()) > maxSocketPath {
		return nil, fmt.Errorf("swtpm: socket path %q is longer than %d bytes", t.Socket(), maxSocketPath)
	}
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Socket is the path of the Unix socket that takes TPM commands.
func (t *TPM) Socket() string { return filepath.Join(t.dir, "tpm.sock") }

// Device is what the agent's device setting must say.
func (t *TPM) Device() string { return "unix:" + t.Socket() }

// Stop ends the process as a power cut does: no TPM2_Shutdown is sent.
func (t *TPM) Stop() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stop()
}

// Restart is a power cycle: a TPM Reset (TPM 2.0 part 1, 12.2.3).
func (t *TPM) Restart(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.stop(); err != nil {
		return err
	}
	return t.start(ctx)
}

func (t *TPM) stop() error {
	if t.cmd == nil {
		return nil
	}
	cmd := t.cmd
	t.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("swtpm: %w", err)
	}
	select {
	case <-t.ended:
	case <-time.After(stopLimit):
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("swtpm: %w", err)
		}
		<-t.ended
	}
	if err := os.Remove(t.Socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("swtpm: %w", err)
	}
	return nil
}

func (t *TPM) start(ctx context.Context) error {
	var output bytes.Buffer
	cmd := exec.Command("swtpm", "socket", "--tpm2", // #nosec G204 -- fixed program; lives until Stop
		"--tpmstate", "dir="+t.dir,
		"--server", "type=unixio,path="+t.Socket(),
		"--flags", "not-need-init,startup-clear")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ended := make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// The parent of Pdeathsig is a thread: this one must live as long as swtpm.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its output
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("swtpm: install swtpm: %w", err)
	}
	t.cmd, t.ended = cmd, ended
	if err := t.ready(ctx); err != nil {
		_ = cmd.Process.Kill()
		<-t.ended
		t.cmd = nil
		return fmt.Errorf("%w\n%s", err, output.Bytes())
	}
	return nil
}

func (t *TPM) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", t.Socket()); err == nil {
			return conn.Close()
		}
		select {
		case <-t.ended:
			return errors.New("swtpm: it ended at start")
		case <-ctx.Done():
			return fmt.Errorf("swtpm: no answer on %s: %w", t.Socket(), ctx.Err())
		case <-tick.C:
		}
	}
}
