//go:build linux

package swtpm_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/menshen-zt/menshen/internal/swtpm"
)

// getRandom is TPM2_GetRandom of 8 bytes.
var getRandom = []byte{0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8}

func ask(t *testing.T, socket string) []byte {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(getRandom); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	return answer[:n]
}

func TestManufactureStartRestartStop(t *testing.T) {
	ca, err := swtpm.NewCA(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tpm")
	if err := ca.Manufacture(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ca.Pools(); err != nil {
		t.Error(err)
	}
	tpm, err := swtpm.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if answer := ask(t, tpm.Socket()); !bytes.Equal(answer[6:10], make([]byte, 4)) {
			t.Errorf("answer % x", answer)
		}
		if err := tpm.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tpm.Stop(); err != nil {
		t.Error(err)
	}
	if err := tpm.Stop(); err != nil {
		t.Error("a second Stop:", err)
	}
	if _, err := os.Stat(tpm.Socket()); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is left behind:", err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	if _, err := swtpm.Start(t.Context(), filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a TPM that was never made has started")
	}
	if _, err := swtpm.NewCA("relative"); err == nil {
		t.Error("a relative CA directory was taken")
	}
}
