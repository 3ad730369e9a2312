package helper

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// namespace is a fresh network namespace with its own packet filter.
type namespace struct {
	t    *testing.T
	file *os.File
}

// newNamespace makes a namespace in a thread of its own, which ends with it.
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

// nft runs the real nft in the namespace. Blocks may be closed on one line.
func (n *namespace) nft(script string) {
	n.t.Helper()
	command := exec.Command("nsenter", "--net=/proc/self/fd/3", "nft", "-f", "-")
	command.ExtraFiles = []*os.File{n.file}
	command.Stdin = strings.NewReader(strings.ReplaceAll(script, "; }", ";\n}\n"))
	if out, err := command.CombinedOutput(); err != nil {
		n.t.Fatalf("nft: %v\n%s", err, out)
	}
}

func (n *namespace) filter() *netfilter {
	sys := fstest.MapFS{
		"class/net/lo/ifindex":    {Data: []byte("1\n")},
		"class/net/eth0/ifindex":  {Data: []byte("2\n")},
		"class/net/eth0/device/x": {},
	}
	return &netfilter{namespace: int(n.file.Fd()), sys: sys}
}
