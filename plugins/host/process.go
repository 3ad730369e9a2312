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
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// child is a plugin's process group, whoever forked it.
type child interface {
	// pid is 0 once the process was reaped.
	pid() int
	// kill ends the whole group at once; a stopped process, too.
	kill()
	// ended is closed once the process was reaped; status says how it ended then.
	ended() <-chan struct{}
	status() error
}

// process is one running plugin. It implements go-plugin's runner.Runner.
type process struct {
	name string
	log  *slog.Logger
	// fork starts the plugin on its ends of the pipes and names the folder of
	// its socket.
	fork func(theirs pipes) (child, string, error)

	stdout, stderr, reports *os.File
	ended                   chan struct{} // closed when the process was reaped

	mu        sync.Mutex
	child     child // nil before the start
	socketDir string
	address   string // of the socket that it announced
	box       sandbox
}

func newProcess(name string, log *slog.Logger, fork func(theirs pipes) (child, string, error)) *process {
	return &process{name: name, log: log, fork: fork, ended: make(chan struct{})}
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	theirs, err := p.makePipes()
	if err != nil {
		return err
	}
	one, socketDir, err := p.fork(theirs)
	theirs.close()
	if err != nil {
		p.closeOwnEnds()
		close(p.ended)
		return err
	}
	p.mu.Lock()
	p.child, p.socketDir = one, socketDir
	p.mu.Unlock()
	go func() {
		<-one.ended()
		close(p.ended)
	}()
	go p.forwardStderr()
	p.readReport()
	return nil
}

// pipes are the plugin's ends: standard output, standard error, report.
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
	return theirs, nil
}

func (p *process) closeOwnEnds() {
	for _, f := range []*os.File{p.stdout, p.stderr, p.reports} {
		if f != nil {
			_ = f.Close() // nothing was read from it
		}
	}
}

// started returns the child; nil before the start.
func (p *process) started() child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.child
}

// pid is 0 before the start and after the end.
func (p *process) pid() int {
	if one := p.started(); one != nil {
		return one.pid()
	}
	return 0
}

func (p *process) kill() {
	if one := p.started(); one != nil {
		one.kill()
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
		if one := p.started(); one != nil {
			return one.status()
		}
		return nil
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
func (p *process) ID() string { return strconv.Itoa(p.pid()) }

// Diagnose implements runner.Runner.
func (p *process) Diagnose(context.Context) string { return "" }

// HostToPlugin implements runner.Runner; nothing of the host is offered.
func (p *process) HostToPlugin(string, string) (string, string, error) {
	return "", "", errors.New("plugin: the host offers no address")
}

// PluginToHost implements runner.Runner: the address that a plugin prints must
// be a socket in its own folder.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if network != "unix" || filepath.Dir(address) != p.socketDir {
		return "", "", fmt.Errorf("plugin: %s %q is no socket in the plugin's folder", network, address)
	}
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
	peer, err := peerOf(conn)
	if err != nil {
		return err
	}
	if pid := p.pid(); pid == 0 || int(peer.Pid) != pid {
		return errors.New("plugin: another process listens on the plugin's socket")
	}
	return nil
}

// peerOf asks the kernel who is at the other end of a Unix socket.
func peerOf(conn net.Conn) (*unix.Ucred, error) {
	of, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("plugin: not a Unix socket")
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var peerErr error
	if err := raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) // #nosec G115 -- a descriptor
	}); err != nil {
		return nil, err
	}
	return peer, peerErr
}
