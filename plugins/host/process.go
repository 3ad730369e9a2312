//go:build linux

package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one running plugin. It implements go-plugin's runner.Runner.
type process struct {
	name      string
	command   *exec.Cmd
	socketDir string
	log       *slog.Logger

	stdout, stderr, reports *os.File
	ended                   chan struct{} // closed when the process was reaped

	mu      sync.Mutex
	pid     int    // 0 before the start and after the end
	address string // of the socket that it announced
	status  error
	box     sandbox
}

// newProcess prepares launcher with the specification as its last argument and
// nothing but env around it.
func newProcess(name string, launcher []string, spec launchSpec, env []string, log *slog.Logger) (*process, error) {
	spec.HostPID = os.Getpid()
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	arguments := append(append([]string(nil), launcher[1:]...), string(raw))
	p := &process{name: name, socketDir: spec.SocketDir, log: log, ended: make(chan struct{})}
	p.command = exec.Command(launcher[0], arguments...) // #nosec G204 -- the operator's own launcher; the plugin is verified by it
	p.command.Env = env
	p.command.Dir = "/"
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return p, nil
}

// Start implements runner.Runner. The death signal belongs to the thread that
// forks, so one locked thread starts the process and stays until it has ended.
func (p *process) Start(context.Context) error {
	pipes, err := p.makePipes()
	if err != nil {
		return err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.command.Start()
		pipes.close()
		if err != nil {
			started <- err
			return
		}
		p.mu.Lock()
		p.pid = p.command.Process.Pid
		p.mu.Unlock()
		started <- nil
		p.reap()
	}()
	if err := <-started; err != nil {
		p.closeOwnEnds()
		close(p.ended)
		return err
	}
	go p.forwardStderr()
	p.readReport()
	return nil
}

// pipes are the plugin's ends.
type pipes []*os.File

func (p pipes) close() {
	for _, f := range p {
		_ = f.Close() // the plugin has its own copies
	}
}

func (p *process) makePipes() (pipes, error) {
	var theirs pipes
	for _, own := range []**os.File{&p.stdout, &p.stderr, &p.reports} {
		r, w, err := os.Pipe()
		if err != nil {
			theirs.close()
			p.closeOwnEnds()
			return nil, err
		}
		*own = r
		theirs = append(theirs, w)
	}
	p.command.Stdout, p.command.Stderr = theirs[0], theirs[1]
	p.command.ExtraFiles = []*os.File{theirs[2]}
	return theirs, nil
}

func (p *process) closeOwnEnds() {
	for _, f := range []*os.File{p.stdout, p.stderr, p.reports} {
		if f != nil {
			_ = f.Close() // nothing was read from it
		}
	}
}

// reap waits for the end without collecting it, kills what is left of the
// group while its number cannot belong to anybody else, then collects.
func (p *process) reap() {
	for {
		err := unix.Waitid(unix.P_PID, p.command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	_ = unix.Kill(-p.pid, unix.SIGKILL) // none may be left
	p.status = p.command.Wait()
	p.pid = 0
	p.mu.Unlock()
	close(p.ended)
}

// kill ends the whole process group at once; a stopped process, too.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = unix.Kill(-p.pid, unix.SIGKILL) // gone is what we want
	}
}

// reportWait bounds how long the launcher may take to say what it enforced.
const reportWait = 5 * time.Second

func (p *process) readReport() {
	defer func() { _ = p.reports.Close() }()
	_ = p.reports.SetReadDeadline(time.Now().Add(reportWait)) // without a deadline the start's own ends it
	var box sandbox
	if err := json.NewDecoder(io.LimitReader(p.reports, 64<<10)).Decode(&box); err != nil {
		box = sandbox{Missing: []string{"no report from the launcher"}}
	}
	p.mu.Lock()
	p.box = box
	p.mu.Unlock()
}

func (p *process) sandbox() sandbox {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.box
}

// Bounds of what a plugin may write into the host's log.
const (
	maxStderrLine  = 1 << 10
	maxStderrLines = 50
)

func (p *process) forwardStderr() {
	defer func() { _ = p.stderr.Close() }()
	reader := bufio.NewReaderSize(p.stderr, maxStderrLine)
	for lines := 0; ; {
		line, more, err := reader.ReadLine()
		if err != nil {
			return
		}
		if !more && lines < maxStderrLines {
			lines++
			p.log.Warn("plugin wrote to stderr", "plugin", p.name, "line", strconv.QuoteToASCII(string(line)))
		}
	}
}

// Wait implements runner.Runner.
func (p *process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.status
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements runner.Runner.
func (p *process) Kill(context.Context) error {
	p.kill()
	return nil
}

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr implements runner.Runner; the host reads the real one itself, bounded.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(eof{}) }

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Name implements runner.Runner.
func (p *process) Name() string { return p.name }

// ID implements runner.Runner.
func (p *process) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strconv.Itoa(p.pid)
}

// Diagnose implements runner.Runner.
func (p *process) Diagnose(context.Context) string { return "" }

// HostToPlugin implements runner.Runner; nothing of the host is offered.
func (p *process) HostToPlugin(string, string) (string, string, error) {
	return "", "", errors.New("plugin: the host offers no address")
}

// PluginToHost implements runner.Runner: the address that a plugin prints must
// be a socket in its own folder.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" || filepath.Dir(address) != p.socketDir {
		return "", "", fmt.Errorf("plugin: %s %q is no socket in the plugin's folder", network, address)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.address = address
	return network, address, nil
}

// dial connects to the plugin's socket and makes sure that this very process
// listens there: a plugin could have put a link to somebody else's socket.
func (p *process) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	address := p.address
	p.mu.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	if err := p.checkPeer(conn); err != nil {
		_ = conn.Close() // nothing was sent
		return nil, err
	}
	return conn, nil
}

func (p *process) checkPeer(conn net.Conn) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var peerErr error
	if err := raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if peerErr != nil {
		return peerErr
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 || int(peer.Pid) != p.pid {
		return errors.New("plugin: another process listens on the plugin's socket")
	}
	return nil
}
