package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func made(t *testing.T) (string, *Authority) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	authority, err := NewAuthority(noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := Create(dir, authority); err != nil {
		t.Fatal(err)
	}
	return dir, authority
}

func TestOpenReadsWhatCreateMade(t *testing.T) {
	dir, authority := made(t)
	ring, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if ring.Authority.Fingerprint() != authority.Fingerprint() {
		t.Error("another CA came back")
	}
	if ring.Seal == ([32]byte{}) || ring.Pseudonym == ([32]byte{}) || ring.Seal == ring.Pseudonym {
		t.Error("keys are not random and apart")
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	dir, authority := made(t)
	if err := Create(dir, authority); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
}

func TestCreateLeavesAPartOfARingAlone(t *testing.T) {
	for _, kept := range []string{sealFile, pseudonymFile, auditFile, caCertFile, caKeyFile} {
		dir, authority := made(t)
		for _, name := range []string{sealFile, pseudonymFile, auditFile, caCertFile, caKeyFile} {
			if name != kept {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := Create(dir, authority); !errors.Is(err, ErrExists) {
			t.Errorf("with %s left: %v", kept, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("with %s left there are %d files now: %v", kept, len(left), err)
		}
	}
}

func TestOpenRefusesWhatOthersCanRead(t *testing.T) {
	for _, name := range []string{sealFile, pseudonymFile, auditFile, caKeyFile} {
		dir, _ := made(t)
		if err := os.Chmod(filepath.Join(dir, name), 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("%s with mode 0640 was read", name)
		}
	}
}

func TestOpenRefusesADamagedKey(t *testing.T) {
	for _, name := range []string{sealFile, pseudonymFile, auditFile, caKeyFile, caCertFile} {
		dir, _ := made(t)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("00ff"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("damaged %s was read", name)
		}
	}
}

func TestServerCertificateChainsAndRenews(t *testing.T) {
	_, authority := made(t)
	now := noon
	server := NewServer(authority, []string{"pdp.test", "127.0.0.1"}, func() time.Time { return now })
	first, err := server.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	for _, name := range []string{"pdp.test", "127.0.0.1"} {
		if _, err := first.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if again, _ := server.Certificate(nil); again != first {
		t.Error("renewed without need")
	}
	now = noon.Add(leafLife - renewBefore + time.Minute)
	if renewed, err := server.Certificate(nil); err != nil || renewed == first {
		t.Errorf("not renewed a month before the end: %v", err)
	}
}

func TestTheApprovalKeyIsItsOwnAndStays(t *testing.T) {
	dir, _ := made(t)
	otherDir, _ := made(t)
	var keys []ed25519.PrivateKey
	for _, d := range []string{dir, dir, otherDir} {
		ring, err := Open(d)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ring.Approval()
		if err != nil {
			t.Fatal(err)
		}
		if key.Equal(ring.Audit) || bytes.Equal(key.Seed(), ring.Seal[:]) {
			t.Error("the approval key is another key of the ring")
		}
		keys = append(keys, key)
	}
	if !keys[0].Equal(keys[1]) || keys[0].Equal(keys[2]) {
		t.Error("the approval key does not follow its ring")
	}
}
