package tpm

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// busyTPM asks for every command again.
type busyTPM struct {
	transport.TPMCloser
	busy int
}

func (b *busyTPM) Send(command []byte) ([]byte, error) {
	if b.busy > 0 {
		b.busy--
		return []byte{0x80, 1, 0, 0, 0, 10, 0, 0, 0x09, 0x22}, nil // TPM_RC_RETRY
	}
	return b.TPMCloser.Send(command)
}

func TestBusyTPM(t *testing.T) {
	b := newBench(t)
	real := b.tpm.connection
	defer func() { b.tpm.connection = real }()
	var slept time.Duration
	sleep := func(d time.Duration) { slept += d }
	b.tpm.connection = &retrying{TPMCloser: &busyTPM{real, 3}, sleep: sleep}
	if _, err := b.tpm.PCRs(); err != nil {
		t.Error(err)
	}
	if slept != 210*time.Millisecond {
		t.Errorf("slept %v", slept)
	}
	b.tpm.connection = &retrying{TPMCloser: &busyTPM{real, 1 << 20}, sleep: sleep}
	if _, err := b.tpm.PCRs(); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func TestWhyATPMDoesNotOpen(t *testing.T) {
	for cause, want := range map[error]error{
		syscall.EBUSY: ErrBusy, syscall.ENOENT: ErrNotFound, syscall.EACCES: ErrNotFound, syscall.ENODEV: ErrNotFound,
	} {
		err := notOpened("/dev/tpmrm0", &fs.PathError{Op: "open", Path: "/dev/tpmrm0", Err: cause})
		if !errors.Is(err, want) || !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
		if errors.Is(cause, syscall.EACCES) && !strings.Contains(err.Error(), "group") {
			t.Errorf("no hint at the group: %v", err)
		}
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close() // answers nothing, as no TPM does
		}
	}()
	for _, device := range []string{"/nonexistent/tpmrm0", "unix:/nonexistent", plain, "unix:" + plain, "/dev/null", "unix:" + listener.Addr().String()} {
		if _, err := Open(device); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", device, err)
		}
	}
}

func TestClosed(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP256)
	for range 2 {
		if err := b.tpm.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err1 := b.tpm.EKCertificates()
	_, err2 := b.tpm.CreateKeys(EKP256, rand.Reader)
	_, err3 := b.tpm.PCRs()
	_, _, err4 := keys.Quote([32]byte{}, nil)
	for _, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
}

// A crashed agent leaves sessions and objects behind; the next start has room.
func TestOpenClearsAwayWhatACrashLeft(t *testing.T) {
	b := newBench(t)
	for range slots {
		if _, err := (tpm2.CreatePrimary{
			PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
			InPublic:      tpm2.New2B(signingTemplate(true)),
		}.Execute(b.tpm.connection)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tpm2.HMACSession(b.tpm.connection, tpm2.TPMAlgSHA256, nonceSize); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(b.soft.Device())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if left := b.leftovers(t); len(left) != 0 {
		t.Errorf("left loaded: %x", left)
	}
}
