package tpm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/menshen-zt/menshen/internal/swtpm"
)

// bench is one software TPM on the bench, opened.
type bench struct {
	soft *swtpm.TPM
	tpm  *TPM
}

// Making a TPM takes a second, so three are made when a test first asks, and
// each test runs a copy of one.
var (
	workshop  = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "menshen-tpm-") })
	firstTPM  = sync.OnceValues(func() ([]byte, error) { return manufacture("first", "sha256") })
	secondTPM = sync.OnceValues(func() ([]byte, error) { return manufacture("second", "sha256") })
	sha1TPM   = sync.OnceValues(func() ([]byte, error) { return manufacture("sha1", "sha1") })
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := workshop(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// stateFile is where a software TPM keeps what survives a power cut.
const stateFile = "tpm2-00.permall"

func manufacture(name, bank string) ([]byte, error) {
	dir, err := workshop()
	if err != nil {
		return nil, err
	}
	ca, err := swtpm.NewCA(filepath.Join(dir, "ca"))
	if err != nil {
		return nil, err
	}
	if err := ca.Manufacture(context.Background(), filepath.Join(dir, name), bank); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, name, stateFile))
}

func newBench(t *testing.T) bench { return benchOf(t, firstTPM) }

func benchOf(t *testing.T, made func() ([]byte, error)) bench {
	t.Helper()
	state, err := made()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), state, 0o600); err != nil {
		t.Fatal(err)
	}
	soft, err := swtpm.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := soft.Stop(); err != nil {
			t.Error(err)
		}
	})
	opened, err := Open(soft.Device())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return bench{soft, opened}
}

func (b bench) keys(t *testing.T, template string) *Keys {
	t.Helper()
	blobs, err := b.tpm.CreateKeys(template, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := b.tpm.LoadKeys(blobs)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// leftovers lists what is loaded in the TPM.
func (b bench) leftovers(t *testing.T) (all []tpm2.TPMHandle) {
	t.Helper()
	b.tpm.mu.Lock()
	defer b.tpm.mu.Unlock()
	for _, first := range []uint32{firstHMACSession, firstPolicySession, firstTransient} {
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 64}.Execute(b.tpm.connection)
		if err != nil {
			t.Fatal(err)
		}
		handles, err := answer.CapabilityData.Data.Handles()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, handles.Handle...)
	}
	return all
}

func (b bench) evict(t *testing.T, persistent tpm2.TPMHandle) {
	t.Helper()
	found, err := tpm2.ReadPublic{ObjectHandle: persistent}.Execute(b.tpm.connection)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: persistent, Name: found.Name},
		PersistentHandle: persistent,
	}.Execute(b.tpm.connection)
	if err != nil {
		t.Fatal(err)
	}
}

func (b bench) extend(t *testing.T, pcr tpm2.TPMHandle) {
	t.Helper()
	if err := extend(b.tpm.connection, pcr); err != nil {
		t.Fatal(err)
	}
}

func extend(connection transport.TPM, pcr tpm2.TPMHandle) error {
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: pcr, Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{
			HashAlg: tpm2.TPMAlgSHA256, Digest: bytes.Repeat([]byte{7}, sha256.Size),
		}}},
	}.Execute(connection)
	return err
}

// fillNV makes an NV area that the owner, or else everybody, may read.
func (b bench) fillNV(t *testing.T, at tpm2.TPMHandle, content []byte, byOwner bool) (remove func()) {
	t.Helper()
	owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
	area := tpm2.TPMSNVPublic{
		NVIndex: at, NameAlg: tpm2.TPMAlgSHA256, DataSize: uint16(len(content)),
		Attributes: tpm2.TPMANV{OwnerWrite: true, OwnerRead: byOwner, AuthRead: !byOwner, NoDA: true},
	}
	if _, err := (tpm2.NVDefineSpace{AuthHandle: owner, PublicInfo: tpm2.New2B(area)}.Execute(b.tpm.connection)); err != nil {
		t.Fatal(err)
	}
	index := func() tpm2.NamedHandle { // its Name changes when it is written
		about, err := tpm2.NVReadPublic{NVIndex: at}.Execute(b.tpm.connection)
		if err != nil {
			t.Fatal(err)
		}
		return tpm2.NamedHandle{Handle: at, Name: about.NVName}
	}
	for from := 0; from < len(content); from += 400 {
		part := content[from:min(from+400, len(content))]
		if _, err := (tpm2.NVWrite{AuthHandle: owner, NVIndex: index(), Data: tpm2.TPM2BMaxNVBuffer{Buffer: part}, Offset: uint16(from)}.Execute(b.tpm.connection)); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if _, err := (tpm2.NVUndefineSpace{AuthHandle: owner, NVIndex: index()}.Execute(b.tpm.connection)); err != nil {
			t.Fatal(err)
		}
	}
}
