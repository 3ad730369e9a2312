package remedy

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace is a fresh network namespace with its own packet filter.
type namespace struct {
	t    *testing.T
	file *os.File
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	made := make(chan *os.File)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(made)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare: %v", err)
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			t.Errorf("namespace: %v", err)
			return
		}
		made <- file
	}()
	file := <-made
	if file == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = file.Close() })
	return &namespace{t, file}
}

// run runs a program in the namespace and returns what it printed.
func (n *namespace) run(input string, program ...string) string {
	n.t.Helper()
	command := exec.Command("nsenter", append([]string{"--net=/proc/self/fd/3"}, program...)...)
	command.ExtraFiles = []*os.File{n.file}
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		n.t.Fatalf("%v: %v\n%s", program, err, out)
	}
	return string(out)
}

// do runs something in a thread inside the namespace.
func (n *namespace) do(do func()) {
	n.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			n.t.Errorf("setns: %v", err)
			return
		}
		do()
	}()
	<-done
}

// listen opens a UDP socket in the namespace.
func (n *namespace) listen(address string) *net.UDPConn {
	n.t.Helper()
	var conn net.PacketConn
	n.do(func() {
		var err error
		if conn, err = net.ListenPacket("udp", address); err != nil {
			n.t.Error(err)
		}
	})
	if conn == nil {
		n.t.FailNow()
	}
	n.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.UDPConn)
}

func (n *namespace) ruleset() string { return n.run("", "nft", "list", "ruleset") }
