//go:build linux

package host

import (
	"os"
	"testing"
)

// The test program is its own launcher, and a host that can be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "plugin-launch":
			os.Exit(Launch(os.Args[2:]))
		case "doomed-launcher":
			os.Exit(doomedLauncher(os.Args[2:]))
		case "doomed-host":
			os.Exit(doomedHost(os.Args[2:]))
		}
	}
	dir, err := os.MkdirTemp("", "host-test-")
	if err != nil {
		panic(err)
	}
	builds.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
