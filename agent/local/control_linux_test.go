package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

type agent struct {
	checked bool
	fixed   wire.ClaimID
	screens map[uint32]ScreenLockReport
}

func (a *agent) ScreenLock(uid uint32, r ScreenLockReport) { a.screens[uid] = r }

func (a *agent) Status() Status {
	return Status{V: 1, Health: HealthGood, DeviceName: "LT-1", Enrolled: true}
}

func (a *agent) Check(context.Context) Status {
	a.checked = true
	return Status{V: 1, Health: HealthFailing}
}

func (a *agent) Remedies(context.Context) Fixed {
	return Fixed{Remedies: []Remedy{{Claim: wire.ClaimFirewall, Allowed: true}}}
}

func (a *agent) Fix(_ context.Context, claim wire.ClaimID) Fixed {
	a.fixed = claim
	return Fixed{Status: &Status{V: 1, Health: HealthGood}}
}

func startControl(t *testing.T, seats Seats) (string, *agent) {
	t.Helper()
	dir, err := os.MkdirTemp("", "menshen-control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- other users connect here
		t.Fatal(err)
	}
	c := ControlConfig{Socket: filepath.Join(dir, "agent.sock"), Agent: &agent{screens: map[uint32]ScreenLockReport{}}, Seats: seats, Logger: quiet()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ServeControl(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if info, err := os.Stat(c.Socket); err == nil && info.Mode().Perm() == 0o666 {
			return c.Socket, c.Agent.(*agent)
		}
	}
	t.Fatal("no socket")
	return "", nil
}

// as runs do in a thread that belongs to another user.
func as(t *testing.T, uid int, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("other users need root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			t.Errorf("setresuid: %v", errno)
			return
		}
		do()
	}()
	<-done
}

func TestTheCommandLineAsks(t *testing.T) {
	socket, a := startControl(t, LogindSeats{Files: seatOf(1000)})
	s, err := AskStatus(t.Context(), socket)
	if err != nil || s.DeviceName != "LT-1" || s.Health != HealthGood {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = AskCheck(t.Context(), socket)
	if err != nil || s.Health != HealthFailing || !a.checked {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestOnlyTheUserAtTheScreenMayAsk: what fails on a laptop is not every local
// user's business.
func TestOnlyTheUserAtTheScreenMayAsk(t *testing.T) {
	c := ControlConfig{Agent: &agent{}, Seats: LogindSeats{Files: seatOf(1000)}}
	for uid, want := range map[uint32]bool{0: true, uint32(os.Geteuid()): true, 1000: true, 1001: false} { // #nosec G115 -- a user id
		if got := c.mayAsk(context.WithValue(t.Context(), peerKey{}, peer{uid: uid})); got != want {
			t.Errorf("uid %d: %v", uid, got)
		}
	}
	if c.mayAsk(t.Context()) || c.mayAsk(context.WithValue(t.Context(), peerKey{}, peer{err: errors.New("x")})) {
		t.Error("an unknown peer may ask")
	}
}

func TestAStrangersConnectionIsRefused(t *testing.T) {
	socket, a := startControl(t, LogindSeats{Files: seatOf(1000)})
	as(t, 64022, func() {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte("POST /v1/check HTTP/1.1\r\nHost: agent\r\n\r\n"))
		answer := make([]byte, 64)
		n, _ := conn.Read(answer)
		if got := string(answer[:n]); len(got) < 12 || got[9:12] != "403" {
			t.Errorf("%q", got)
		}
	})
	if a.checked {
		t.Error("a stranger had it measured")
	}
}

func TestNoAgent(t *testing.T) {
	if _, err := AskStatus(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNoAgent) {
		t.Error(err)
	}
}

// TestAScreenLockIsReportedByItsOwner: whoever reports, reports of themselves,
// also where somebody else sits at the screen.
func TestAScreenLockIsReportedByItsOwner(t *testing.T) {
	socket, a := startControl(t, LogindSeats{Files: seatOf(1000)})
	report := ScreenLockReport{Desktop: "GNOME", Enabled: true, AfterSeconds: 300}
	as(t, 64022, func() {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		const body = `{"desktop":"GNOME","enabled":true,"after_seconds":300}`
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: agent\r\nContent-Length: %d\r\n\r\n%s", pathScreenLock, len(body), body)
		answer := make([]byte, 64)
		n, _ := conn.Read(answer)
		if got := string(answer[:n]); len(got) < 12 || got[9:12] != "200" {
			t.Errorf("%q", got)
		}
	})
	if len(a.screens) != 1 || a.screens[64022] != report {
		t.Errorf("%+v", a.screens)
	}
	if err := ReportScreenLock(t.Context(), socket, report); err != nil || a.screens[uint32(os.Geteuid())] != report { // #nosec G115 -- a user id
		t.Errorf("%v, %+v", err, a.screens)
	}
	for name, odd := range map[string]ScreenLockReport{
		"before now":   {AfterSeconds: -1},
		"too long":     {AfterSeconds: 1 << 31},
		"long desktop": {Desktop: strings.Repeat("x", 201)},
		"long problem": {Problem: strings.Repeat("x", 201)},
		"very long":    {Problem: strings.Repeat("x", 4096)},
	} {
		if err := ReportScreenLock(t.Context(), socket, odd); !errors.Is(err, ErrNoAgent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(a.screens) != 2 || a.screens[uint32(os.Geteuid())] != report { // #nosec G115 -- a user id
		t.Errorf("%+v", a.screens)
	}
	c := ControlConfig{Agent: a}
	answer := httptest.NewRecorder()
	c.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, pathScreenLock, strings.NewReader("{}")))
	if answer.Code != http.StatusForbidden {
		t.Errorf("an unknown peer: %d", answer.Code)
	}
}

// TestRepairsAreAskedByWhoSitsHere, and by nobody else.
func TestRepairsAreAskedByWhoSitsHere(t *testing.T) {
	socket, a := startControl(t, LogindSeats{Files: seatOf(1000)})
	if f, err := AskRemedies(t.Context(), socket); err != nil || len(f.Remedies) != 1 || !f.Remedies[0].Allowed {
		t.Errorf("%+v, %v", f, err)
	}
	as(t, 64022, func() {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		const body = `{"claim":"firewall"}`
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: agent\r\nContent-Length: %d\r\n\r\n%s", pathFix, len(body), body)
		answer := make([]byte, 64)
		n, _ := conn.Read(answer)
		if got := string(answer[:n]); len(got) < 12 || got[9:12] != "403" {
			t.Errorf("%q", got)
		}
	})
	if a.fixed != "" {
		t.Error("a stranger had it repaired")
	}
	if f, err := AskFix(t.Context(), socket, wire.ClaimFirewall); err != nil || a.fixed != wire.ClaimFirewall || f.Status == nil || f.Status.Health != HealthGood {
		t.Errorf("%+v, %v", f, err)
	}
}
