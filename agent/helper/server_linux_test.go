package helper

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/unixsocket"
	"github.com/menshen-zt/menshen/internal/wire"
)

const agentUID, strangerUID = 4711, 4712

// fakeFilter answers as the packet filter would; netfilter's own tests ask the
// kernel.
type fakeFilter struct {
	mu      sync.Mutex
	rules   wire.FirewallRuleset
	err     error
	broken  bool
	changed func()
	// measured is the error of reading what was measured.
	measured error
}

func (f *fakeFilter) Ruleset() (wire.FirewallRuleset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rules, f.err
}

func (f *fakeFilter) Watch(ctx context.Context, ready, changed func()) error {
	f.mu.Lock()
	f.changed = changed
	broken := f.broken
	f.mu.Unlock()
	if broken {
		return errors.New("broken")
	}
	ready()
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeFilter) change() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed()
}

type running struct {
	socket string
	log    *syncBuffer
	filter *fakeFilter
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs a helper whose socket everybody may connect to as far as the file
// system is concerned, so that the peer's credentials alone decide.
func start(t *testing.T, filter *fakeFilter) running {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the helper runs as root")
	}
	dir, err := os.MkdirTemp("", "menshen-helper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r := running{socket: filepath.Join(dir, "helper.sock"), log: &syncBuffer{}, filter: filter}
	c := Config{
		Socket: r.socket, AgentUID: agentUID, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
		EventLog: func() ([]byte, error) { return []byte("log"), filter.measured },
		IMA: func(from int) (*wire.IMAPiece, error) {
			return &wire.IMAPiece{From: from, Log: []byte("list"), More: true}, filter.measured
		},
	}
	listener, err := unixsocket.Listen(c.Socket, 0o600, c.AgentUID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- newServer(c, filter).serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the helper ended: %v", err)
		}
	})
	return r
}

// as runs do in a thread that belongs to another user.
func as(t *testing.T, uid int, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			t.Errorf("setresuid: %v", errno)
			return
		}
		do()
	}()
	<-done
}

// talk sends raw bytes and returns everything that comes back.
func talk(socket, send string) (string, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, send); err != nil {
		return "", err
	}
	back, err := io.ReadAll(conn)
	return string(back), err
}

const askLine = `{"v":1,"ask":"firewall"}` + "\n"

func TestTheAgentAndRootAreAnswered(t *testing.T) {
	r := start(t, &fakeFilter{rules: wire.FirewallRuleset{Interfaces: []string{"eth0"}}})
	for _, uid := range []int{0, agentUID} {
		as(t, uid, func() {
			rules, err := NewClient(r.socket).Firewall(context.Background())
			if err != nil || len(rules.Interfaces) != 1 {
				t.Errorf("uid %d: %+v, %v", uid, rules, err)
			}
		})
	}
}

func TestAnotherUserIsNotAnswered(t *testing.T) {
	r := start(t, &fakeFilter{})
	as(t, strangerUID, func() {
		if _, err := talk(r.socket, askLine); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("the socket let a stranger connect: %v", err)
		}
	})
	if err := os.Chmod(r.socket, 0o666); err != nil { // #nosec G302 -- to test the second guard alone
		t.Fatal(err)
	}
	as(t, strangerUID, func() {
		if back, _ := talk(r.socket, askLine); back != "" {
			t.Errorf("a stranger was told %q", back)
		}
	})
	if !strings.Contains(r.log.String(), "a stranger asked") {
		t.Errorf("not logged: %s", r.log)
	}
	as(t, agentUID, func() {
		if back, err := talk(r.socket, askLine); !strings.HasPrefix(back, `{"firewall":`) {
			t.Errorf("the agent was told %q, %v", back, err)
		}
	})
}

func TestEverythingElseIsRefused(t *testing.T) {
	r := start(t, &fakeFilter{})
	for _, line := range []string{
		`{"v":1,"ask":"reboot"}`,
		`{"v":1,"ask":""}`,
		`{"v":2,"ask":"firewall"}`,
		`{"ask":"firewall"}`,
		`{"v":1,"ask":"firewall","path":"/etc/shadow"}`,
		`{"v":1,"ask":"event-log","path":"/etc/shadow"}`,
		`{"v":1,"ask":"ima","from":-1}`,
		`{"v":1,"ask":"ima","from":"/etc/shadow"}`,
		`{"v":1,"ask":"firewall","ask":"firewall"}`,
		`{"v":1,"ask":"firewall"}{"v":1,"ask":"firewall"}`,
		`firewall`,
		``,
	} {
		if back, err := talk(r.socket, line+"\n"); !strings.HasPrefix(back, `{"problem":`) {
			t.Errorf("%s: %q, %v", line, back, err)
		}
	}
	if back, _ := talk(r.socket, strings.Repeat("x", maxQuestion+2)+"\n"); back != "" {
		t.Errorf("a long line: %q", back)
	}
}

func TestAProblemReachesTheAgent(t *testing.T) {
	r := start(t, &fakeFilter{err: errors.New("netlink: operation not permitted")})
	_, err := NewClient(r.socket).Firewall(t.Context())
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not permitted") {
		t.Errorf("%v", err)
	}
}

func TestNoHelper(t *testing.T) {
	_, err := NewClient(filepath.Join(t.TempDir(), "none")).Firewall(t.Context())
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

func TestAWatchTellsOfChanges(t *testing.T) {
	filter := &fakeFilter{}
	r := start(t, filter)
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan struct{}, 10), make(chan error)
	go func() { ended <- NewClient(r.socket).Watch(ctx, func() { told <- struct{}{} }) }()
	<-told // ready
	filter.change()
	<-told
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAWatchThatCannotStandSaysSo(t *testing.T) {
	r := start(t, &fakeFilter{broken: true})
	if err := NewClient(r.socket).Watch(t.Context(), func() { t.Error("told of nothing") }); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestAWatchThatBreaksEndsItsStreams(t *testing.T) {
	var h hub
	h.up()
	events, leave := h.join()
	defer leave()
	h.tell()
	h.tell() // a slow stream is told once
	<-events
	h.down()
	if _, open := <-events; open || h.standing() {
		t.Error("the stream goes on")
	}
}

func TestTooManyConnectionsAreClosed(t *testing.T) {
	r := start(t, &fakeFilter{})
	for range maxConnections {
		conn, err := net.Dial("unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	if back, _ := talk(r.socket, askLine); back != "" {
		t.Errorf("one too many was answered: %q", back)
	}
}

func TestAWatcherThatHangsUpFreesItsPlace(t *testing.T) {
	r := start(t, &fakeFilter{})
	for range 3 * maxConnections {
		conn, err := net.Dial("unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, `{"v":1,"ask":"watch"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, eventReady) {
			t.Fatalf("%q, %v", line, err)
		}
		_ = conn.Close()
		time.Sleep(time.Millisecond) // the helper sees the end of the connection
	}
}

// TestAStrangerInTheHelpersPlaceIsNotBelieved: the agent checks who answers.
func TestAStrangerInTheHelpersPlaceIsNotBelieved(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("other users need root")
	}
	dir, err := os.MkdirTemp("", "menshen-fake")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chown(dir, strangerUID, -1); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "helper.sock")
	as(t, strangerUID, func() {
		listener, err := net.Listen("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = listener.Close() })
	})
	if _, err := NewClient(socket).Firewall(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

func FuzzReadLine(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add([]byte(strings.Repeat("x", maxQuestion+1) + "\n"))
	f.Add([]byte("no end"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		line, err := readLine(bufio.NewReaderSize(bytes.NewReader(raw), 16), maxQuestion)
		if err == nil && (len(line) > maxQuestion || bytes.IndexByte(line, '\n') >= 0 || !bytes.HasPrefix(raw, line)) {
			t.Errorf("%d bytes: %q", len(line), line)
		}
	})
}

func TestWhatWasMeasuredReachesTheAgent(t *testing.T) {
	r := start(t, &fakeFilter{})
	as(t, agentUID, func() {
		c := NewClient(r.socket)
		if log, err := c.EventLog(context.Background()); err != nil || string(log) != "log" {
			t.Errorf("%q, %v", log, err)
		}
		piece, err := c.IMA(context.Background(), 7)
		if err != nil || piece == nil || piece.From != 7 || string(piece.Log) != "list" || !piece.More {
			t.Errorf("%+v, %v", piece, err)
		}
	})
	r = start(t, &fakeFilter{measured: fs.ErrPermission})
	if _, err := NewClient(r.socket).EventLog(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
	if _, err := NewClient(r.socket).IMA(t.Context(), 0); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}
