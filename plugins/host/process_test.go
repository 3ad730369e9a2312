//go:build linux

package host

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A plugin may name only a socket in its own folder, and only its own process
// may listen there: a link to the administrators' socket gains nothing.
func TestOnlyThePluginsOwnSocketIsDialled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	p := &process{socketDir: dir, child: number(os.Getpid())}
	for _, address := range []string{"/run/menshen-pdp/admin.sock", filepath.Join(dir, "deeper", "s"), dir + "/../s", "s", ""} {
		if _, _, err := p.PluginToHost("unix", address); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
	if _, _, err := p.PluginToHost("tcp", filepath.Join(dir, "s")); err == nil {
		t.Error("tcp was accepted")
	}
	if _, _, err := p.PluginToHost("unix", path); err != nil {
		t.Fatal(err)
	}
	conn, err := p.dial(t.Context())
	if err != nil {
		t.Fatalf("the plugin's own socket: %v", err)
	}
	defer conn.Close()
	for _, other := range []int{0, os.Getppid()} {
		p.child, p.address = number(other), link
		if conn, err := p.dial(t.Context()); err == nil {
			_ = conn.Close()
			t.Errorf("connected to process %d, wanted %d", os.Getpid(), other)
		}
	}
}

func TestTheLauncherPassesOnTheHandshakeAlone(t *testing.T) {
	t.Setenv("SECRET", "x")
	t.Setenv("LD_PRELOAD", "/tmp/x.so")
	t.Setenv("GODEBUG", "x=1")
	t.Setenv("PLUGIN_UNIX_SOCKET_DIR", "/run/x")
	t.Setenv("MENSHEN_INFERENCE_PLUGIN", "y")
	got := pluginEnvironment()
	slices.Sort(got)
	if want := []string{"MENSHEN_INFERENCE_PLUGIN=y", "PLUGIN_UNIX_SOCKET_DIR=/run/x"}; !slices.Equal(got, want) {
		t.Errorf("passed on %s", strings.Join(got, " "))
	}
}

// number is a process that somebody else looks after.
type number int

func (n number) pid() int             { return int(n) }
func (number) kill()                  {}
func (number) ended() <-chan struct{} { return nil }
func (number) status() error          { return nil }
