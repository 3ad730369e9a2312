package local

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/menshen-zt/menshen/internal/wire"
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
func connectAs(t *testing.T, uid uint32) (client, listener netip.AddrPort) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("other users need root")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
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
	t.Cleanup(func() { _ = os.Remove(program.Name()) })
	if _, err := program.Write(self); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(program.Chmod(0o755), program.Close()); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program.Name())
	child.Dir = "/"
	child.Env = []string{dialEnv + "=" + l.Addr().String()}
	child.Stderr = os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = conn.Close(), l.Close()
		_ = child.Wait()
	})
	return netip.MustParseAddrPort(conn.RemoteAddr().String()), netip.MustParseAddrPort(conn.LocalAddr().String())
}

func TestTheKernelTellsWhoConnected(t *testing.T) {
	client, listener := connectAs(t, 64021)
	owners := ProcOwners{Files: os.DirFS("/")}
	uid, err := owners.Owner(client, listener)
	if err != nil || uid != 64021 {
		t.Errorf("%d, %v", uid, err)
	}
	for name, ends := range map[string][2]netip.AddrPort{
		"another port":     {netip.AddrPortFrom(client.Addr(), client.Port()^1), listener},
		"another listener": {client, netip.AddrPortFrom(listener.Addr(), listener.Port()^1)},
		"the wrong end":    {listener, netip.AddrPortFrom(client.Addr(), client.Port()^1)},
	} {
		if uid, err := owners.Owner(ends[0], ends[1]); !errors.Is(err, errNoSocket) {
			t.Errorf("%s: %d, %v", name, uid, err)
		}
	}
	if _, err := (ProcOwners{Files: fstest.MapFS{}}).Owner(client, listener); !errors.Is(err, errNoSocket) {
		t.Errorf("no tables: %v", err)
	}
}

// TestOnlyAnEstablishedSocketCounts: the kernel shows TIME_WAIT as root's.
func TestOnlyAnEstablishedSocketCounts(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(state, uid string) string {
		return "   0: 0100007F:9C40 0100007F:B9FF " + state + " 00000000:00000000 00:00000000 00000000 " + uid + " 0 1 1\n"
	}
	client, listener := netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:47615")
	table := func(text string) ProcOwners {
		return ProcOwners{Files: fstest.MapFS{"proc/self/net/tcp": {Data: []byte(head + text)}}}
	}
	if uid, err := table(line("06", "0")+line("01", "1000")).Owner(client, listener); err != nil || uid != 1000 {
		t.Errorf("%d, %v", uid, err)
	}
	for _, state := range []string{"02", "04", "05", "06", "08", "0A"} {
		if uid, err := table(line(state, "0")).Owner(client, listener); err == nil {
			t.Errorf("state %s counts, for user %d", state, uid)
		}
	}
	mapped := ProcOwners{Files: fstest.MapFS{"proc/self/net/tcp6": {Data: []byte(head +
		"   0: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:B9FF 01 0:0 0:0 0 1000 0 1 1\n")}}}
	if uid, err := mapped.Owner(client, listener); err != nil || uid != 1000 {
		t.Errorf("IPv4 in IPv6: %d, %v", uid, err)
	}
}

func TestParseEnd(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:B9FF":                         "127.0.0.1:47615",
		"0000000000000000FFFF00000100007F:B9FF": "127.0.0.1:47615",
		"00000000000000000000000001000000:0050": "[::1]:80",
	} {
		if got, ok := parseEnd(text); !ok || got.String() != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "0100007F", "zz:01", "01:02", "0100007F:10000", ":", "0100007F0100007F:1"} {
		if got, ok := parseEnd(text); ok {
			t.Errorf("%q gave %v", text, got)
		}
	}
}

func seatOf(uid uint32) fs.FS {
	return fstest.MapFS{"run/systemd/seats/seat0": {Data: fmt.Appendf(nil, "# This is private data. Do not parse.\nIS_SEAT0=1\nACTIVE=c2\nACTIVE_UID=%d\nSESSIONS=c2\n", uid)}}
}

func seatsNowhere() fs.FS { return fstest.MapFS{} }

func TestLogindSeats(t *testing.T) {
	two := fstest.MapFS{
		"run/systemd/seats/seat0": {Data: []byte("ACTIVE_UID=1000\n")},
		"run/systemd/seats/seat1": {Data: []byte("ACTIVE_UID=1001\n")},
	}
	for name, c := range map[string]struct {
		files fs.FS
		uid   uint32
		want  error
	}{
		"at the seat":         {seatOf(1000), 1000, nil},
		"not at the seat":     {seatOf(1000), 1001, ErrOtherUser},
		"root":                {seatOf(1000), 0, ErrOtherUser},
		"at the second seat":  {two, 1001, nil},
		"nobody at the seat":  {fstest.MapFS{"run/systemd/seats/seat0": {Data: []byte("IS_SEAT0=1\n")}}, 1000, ErrOtherUser},
		"malformed":           {fstest.MapFS{"run/systemd/seats/seat0": {Data: []byte("ACTIVE_UID=root\n")}}, 0, ErrOtherUser},
		"too large a number":  {fstest.MapFS{"run/systemd/seats/seat0": {Data: []byte("ACTIVE_UID=4294967296\n")}}, 0, ErrOtherUser},
		"another field's end": {fstest.MapFS{"run/systemd/seats/seat0": {Data: []byte("X_ACTIVE_UID=1000\n")}}, 1000, ErrOtherUser},
		"no logind":           {seatsNowhere(), 1000, errNoSeats},
	} {
		state, err := LogindSeats{Files: c.files}.Check(c.uid)
		if !errors.Is(err, c.want) || (err == nil) != (state == wire.SeatActive) {
			t.Errorf("%s: %q, %v", name, state, err)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	f.Add("   0: 0100007F:9C40 0100007F:B9FF 01 00000000:00000000 00:00000000 00000000  1000        0 1 1")
	f.Add("   0: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:B9FF 06 0:0 0:0 0 0 0 1 1")
	f.Fuzz(func(t *testing.T, line string) {
		if r, ok := parseRow(line); ok && (!r.local.IsValid() || !r.remote.IsValid()) {
			t.Errorf("%q gave %+v", line, r)
		}
	})
}
