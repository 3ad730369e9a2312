package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/plugins/contracttest"
)

func TestContract(t *testing.T) {
	program := filepath.Join(t.TempDir(), "failedsignins")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	contracttest.Run(t, program)
}
