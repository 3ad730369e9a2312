//go:build linux

package host

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// forked is a child of this very process.
type forked struct {
	command *exec.Cmd
	gone    chan struct{}

	mu     sync.Mutex
	number int
	result error
}

// fork starts launcher with the specification as its last argument and nothing
// but env around it. The death signal belongs to the thread that forks, so one
// locked thread starts the process and stays until it has ended.
func fork(launcher []string, spec launchSpec, env []string, theirs pipes) (*forked, error) {
	spec.HostPID = os.Getpid()
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	arguments := append(append([]string(nil), launcher[1:]...), string(raw))
	f := &forked{gone: make(chan struct{})}
	f.command = exec.Command(launcher[0], arguments...) // #nosec G204 -- the operator's own launcher; the plugin is verified by it
	f.command.Env = env
	f.command.Dir = "/"
	f.command.Stdout, f.command.Stderr = theirs[0], theirs[1]
	f.command.ExtraFiles = []*os.File{theirs[2]}
	f.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := f.command.Start()
		if err == nil {
			f.number = f.command.Process.Pid
		}
		started <- err
		if err == nil {
			f.reap()
		}
	}()
	return f, <-started
}

// reap waits for the end without collecting it, kills what is left of the
// group while its number cannot belong to anybody else, then collects.
func (f *forked) reap() {
	for {
		err := unix.Waitid(unix.P_PID, f.command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	f.mu.Lock()
	_ = unix.Kill(-f.number, unix.SIGKILL) // none may be left
	f.result = f.command.Wait()
	f.number = 0
	f.mu.Unlock()
	close(f.gone)
}

func (f *forked) pid() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.number
}

func (f *forked) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.number != 0 {
		_ = unix.Kill(-f.number, unix.SIGKILL) // gone is what we want
	}
}

func (f *forked) ended() <-chan struct{} { return f.gone }

func (f *forked) status() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.result
}
