package softkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// number is a Counter in memory that can fail.
type number struct {
	n     uint64
	saved []uint64
	fail  error
}

func (c *number) Load() (uint64, error) { return c.n, c.fail }

func (c *number) Save(n uint64) error {
	if c.fail != nil {
		return c.fail
	}
	c.n, c.saved = n, append(c.saved, n)
	return nil
}

func secretOf(b byte) Secret { return Secret{bytes: [SecretSize]byte{b}} }

func create(t *testing.T) []byte {
	t.Helper()
	document, err := Create(secretOf(1), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func open(t *testing.T, document []byte, counter Counter) *Keys {
	t.Helper()
	store, err := Open(document, secretOf(1), counter)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := New(store)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestTheSameKeysComeBack(t *testing.T) {
	document := create(t)
	a, b := open(t, document, &number{}), open(t, document, &number{})
	if a.public[Attestation] == nil || !bytes.Equal(a.Attestation(), b.Attestation()) || a.tlsSPKI != b.tlsSPKI {
		t.Error("other keys")
	}
	seen := map[string]bool{}
	for _, der := range a.public {
		seen[string(der)] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d different keys", len(seen))
	}
	if !Sealed(document) || Sealed([]byte(`{"ek":"p-256"}`)) || Sealed([]byte("x")) {
		t.Error("the document's kind is not told")
	}
}

// TestTheDocumentOpensWithItsSecretAlone, and not when one bit of it changed.
func TestTheDocumentOpensWithItsSecretAlone(t *testing.T) {
	document := create(t)
	spoil := func(change func(*sealed)) []byte {
		var s sealed
		if err := json.Unmarshal(document, &s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, c := range map[string]struct {
		document []byte
		secret   Secret
	}{
		"another secret": {document, secretOf(2)},
		"a key's bit":    {spoil(func(s *sealed) { s.Keys[40] ^= 1 }), secretOf(1)},
		"the tag":        {spoil(func(s *sealed) { s.Keys[len(s.Keys)-1] ^= 1 }), secretOf(1)},
		"the salt":       {spoil(func(s *sealed) { s.Salt[0] ^= 1 }), secretOf(1)},
		"a short salt":   {spoil(func(s *sealed) { s.Salt = s.Salt[:31] }), secretOf(1)},
		"the nonce":      {spoil(func(s *sealed) { s.Nonce[0] ^= 1 }), secretOf(1)},
		"a short nonce":  {spoil(func(s *sealed) { s.Nonce = s.Nonce[:11] }), secretOf(1)},
		"the version":    {spoil(func(s *sealed) { s.V = 2 }), secretOf(1)},
		"the kind":       {spoil(func(s *sealed) { s.Kind = "tpm" }), secretOf(1)},
		"a member more":  {bytes.Replace(document, []byte(`{"kind"`), []byte(`{"more":1,"kind"`), 1), secretOf(1)},
		"nothing":        {nil, secretOf(1)},
	} {
		if _, err := Open(c.document, c.secret, &number{}); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheDocumentShowsNoKey(t *testing.T) {
	document := create(t)
	store, err := Open(document, secretOf(1), &number{})
	if err != nil {
		t.Fatal(err)
	}
	f, ok := store.(*file)
	if !ok {
		t.Fatal("another store")
	}
	var s sealed
	if err := json.Unmarshal(document, &s); err != nil {
		t.Fatal(err)
	}
	for _, key := range f.keys {
		raw, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(s.Keys, raw) {
			t.Error("a private key lies in the clear")
		}
	}
	if other := create(t); bytes.Equal(other, document) {
		t.Error("two documents are the same")
	}
}

// TestANumberIsKeptBeforeItIsUsed, and one that was used is never used again.
func TestANumberIsKeptBeforeItIsUsed(t *testing.T) {
	document, counter := create(t), &number{}
	keys := open(t, document, counter)
	for want := uint64(1); want <= 3; want++ {
		proof, err := keys.Prove([32]byte{9}, sha256.Sum256([]byte("claims")))
		if err != nil || proof.Counter != want || counter.n != want {
			t.Errorf("%+v, kept %d, %v", proof, counter.n, err)
		}
	}
	// A restart goes on where the disk is.
	if proof, err := open(t, document, counter).Prove([32]byte{}, [32]byte{}); err != nil || proof.Counter != 4 {
		t.Errorf("%+v %v", proof, err)
	}
	counter.fail = errors.New("disk full")
	if proof, err := keys.Prove([32]byte{}, [32]byte{}); !errors.Is(err, ErrCounter) || proof.Signature != nil {
		t.Errorf("proved with a number that was not kept: %+v %v", proof, err)
	}
	if _, err := Open(document, secretOf(1), counter); !errors.Is(err, ErrCounter) {
		t.Errorf("opened without a counter: %v", err)
	}
	counter.fail, counter.n = nil, math.MaxUint64
	if _, err := keys.Prove([32]byte{}, [32]byte{}); !errors.Is(err, ErrCounter) {
		t.Errorf("counted on past the end: %v", err)
	}
}

func TestProofsAndCertificationsVerify(t *testing.T) {
	keys := open(t, create(t), &number{})
	attestation, err := x509.ParsePKIXPublicKey(keys.Attestation())
	if err != nil {
		t.Fatal(err)
	}
	key, ok := attestation.(*ecdsa.PublicKey)
	if !ok {
		t.Fatal("no ECDSA key")
	}
	nonce, claims := [32]byte{7}, []byte("claims")
	proof, err := keys.Prove(nonce, sha256.Sum256(claims))
	if err != nil {
		t.Fatal(err)
	}
	if binding := wire.SoftwareBinding(nonce, claims, keys.tlsSPKI, proof.Counter); !ecdsa.VerifyASN1(key, binding[:], proof.Signature) {
		t.Error("the proof does not verify")
	}
	own, tls, signing, err := keys.Certified(nonce)
	if err != nil {
		t.Fatal(err)
	}
	for purpose, c := range map[string]wire.CertifiedKey{"attestation": own, "tls": tls, "signing": signing} {
		if binding := wire.SoftwareCertifyBinding(purpose, nonce, c.Public, keys.tlsSPKI); !ecdsa.VerifyASN1(key, binding[:], c.Signature) {
			t.Errorf("the %s key is not certified", purpose)
		}
	}
	lent := keys.TLSSigner()
	digest := sha256.Sum256([]byte("handshake"))
	signature, err := lent.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := lent.Public().(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(public, digest[:], signature) {
		t.Error("the TLS key's signature does not verify")
	}
	if _, err := lent.Sign(nil, digest[:], crypto.SHA384); err == nil {
		t.Error("signed for another hash")
	}
	if _, err := lent.Sign(nil, digest[:31], crypto.SHA256); err == nil {
		t.Error("signed 31 bytes")
	}
}

func writeSecret(t *testing.T, raw []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), CredentialName)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheSecretIsReadFromItsOwnersFileAlone(t *testing.T) {
	good := bytes.Repeat([]byte{5}, SecretSize)
	for name, c := range map[string]struct {
		raw        []byte
		mode       os.FileMode
		credential bool
		want       bool
	}{
		"a file":                    {good, 0o600, false, true},
		"a read-only file":          {good, 0o400, false, true},
		"the group reads":           {good, 0o640, false, false},
		"others read":               {good, 0o604, false, false},
		"a credential":              {good, 0o440, true, true},
		"a credential for others":   {good, 0o444, true, false},
		"a credential to write":     {good, 0o660, true, false},
		"short":                     {good[:31], 0o600, false, false},
		"long":                      {append(bytes.Clone(good), 1), 0o600, false, false},
		"zeros, as of a lost block": {make([]byte, SecretSize), 0o600, false, false},
	} {
		if runtime.GOOS == "windows" && c.mode&0o077 != 0 {
			continue // a mode says nothing there
		}
		path, credentials := writeSecret(t, c.raw, c.mode), ""
		if c.credential {
			path, credentials = "", filepath.Dir(path)
		}
		s, err := ReadSecret(path, credentials)
		if (err == nil) != c.want || (err != nil && !errors.Is(err, ErrSecret)) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !bytes.Equal(s.bytes[:], good) {
			t.Errorf("%s: another secret", name)
		}
	}
	for _, path := range []string{"", filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := ReadSecret(path, ""); !errors.Is(err, ErrSecret) {
			t.Errorf("%q: %v", path, err)
		}
	}
	// A named file wins over a credential.
	named := writeSecret(t, good, 0o600)
	if got := SecretFile(named, "/run/credentials/x"); got != named {
		t.Error(got)
	}
}

func TestTheSecretIsNeverPrinted(t *testing.T) {
	s := secretOf(0xab)
	for _, printed := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, s), s.LogValue().String()} {
		if strings.Contains(strings.ToLower(printed), "ab") || strings.Contains(printed, "171") {
			t.Error(printed)
		}
	}
}
