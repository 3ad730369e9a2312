package local

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/fstest"
)

const dialEnv = "MENSHEN_TEST_DIAL"

// TestMain lets the test program be the browser of another user.
func TestMain(m *testing.M) {
	if address := os.Getenv(dialEnv); address != "" {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = conn.Read(make([]byte, 1)) // until the listener closes
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// connectAs has a child process of another user connect, and returns both ends
// as the listener sees them.
func connectAs(t *testing.T, uid uint32) (peer, own netip.AddrPort) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to run a process as another user")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.CreateTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(program.Name()) })
	if _, err := program.Write(self); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(program.Chmod(0o755), program.Close()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program.Name())
	cmd.Dir = "/"
	cmd.Env = []string{dialEnv + "=" + listener.Addr().String()}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		listener.Close()
		cmd.Wait()
	})
	return netip.MustParseAddrPort(conn.RemoteAddr().String()), netip.MustParseAddrPort(conn.LocalAddr().String())
}

func seatsOf(uid uint32) fstest.MapFS {
	return fstest.MapFS{"seat0": {Data: fmt.Appendf(nil, "# private\nIS_SEAT0=1\nACTIVE=c2\nACTIVE_UID=%d\nSESSIONS=c2\n", uid)}}
}

func TestOnlyTheUserAtTheScreen(t *testing.T) {
	peer, own := connectAs(t, 64021)
	proc := os.DirFS("/proc")
	if err := (LogindSeats{Proc: proc, Seats: seatsOf(64021)}).Check(peer, own); err != nil {
		t.Errorf("the user at the screen is refused: %v", err)
	}
	if err := (LogindSeats{Proc: proc, Seats: seatsOf(64022)}).Check(peer, own); !errors.Is(err, ErrOtherUser) {
		t.Errorf("another user: %v", err)
	}
}

func TestUnknownIsRefused(t *testing.T) {
	peer, own := connectAs(t, 64021)
	proc := os.DirFS("/proc")
	elsewhere := netip.AddrPortFrom(peer.Addr(), peer.Port()^1)
	for name, c := range map[string]struct {
		seats LogindSeats
		peer  netip.AddrPort
	}{
		"no seat is active":   {LogindSeats{proc, fstest.MapFS{"seat0": {Data: []byte("IS_SEAT0=1\n")}}}, peer},
		"no logind":           {LogindSeats{proc, fstest.MapFS{}}, peer},
		"a malformed seat":    {LogindSeats{proc, fstest.MapFS{"seat0": {Data: []byte("ACTIVE_UID=root\n")}}}, peer},
		"no such socket":      {LogindSeats{proc, seatsOf(64021)}, elsewhere},
		"no table of sockets": {LogindSeats{fstest.MapFS{}, seatsOf(64021)}, peer},
	} {
		if err := c.seats.Check(c.peer, own); !errors.Is(err, ErrSeatUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKernelAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:B9FF":                         "127.0.0.1:47615",
		"0000000000000000FFFF00000100007F:B9FF": "127.0.0.1:47615",
		"00000000000000000000000001000000:0050": "[::1]:80",
	} {
		if got, err := kernelAddr(text); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0100007F", "zz:01", "01:02", "0100007F:10000"} {
		if got, err := kernelAddr(text); err == nil {
			t.Errorf("%q gave %v", text, got)
		}
	}
}
