package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestEKCertificatesAreReadByPreference(t *testing.T) {
	b := newBench(t)
	certificates, err := b.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	if len(certificates) != 2 || certificates[0].Template != EKP384 || certificates[1].Template != EKRSA2048 {
		t.Fatalf("got %d certificates", len(certificates))
	}
	for _, c := range certificates {
		if _, err := x509.ParseCertificate(c.DER); err != nil {
			t.Errorf("%s: %v", c.Template, err)
		}
	}
}

// The EK that the agent makes is the one that its certificate names, whether it
// is found persistent or made again.
func TestEKMatchesItsCertificate(t *testing.T) {
	b := newBench(t)
	certificates, err := b.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []bool{true, false} {
		for _, c := range certificates {
			kind, _ := ekKindNamed(c.Template)
			if !kept {
				b.evict(t, kind.persistent)
			}
			ek, err := b.tpm.openEK(kind)
			if err != nil {
				t.Fatal(err)
			}
			public, err := tpm2.Pub(ek.public)
			if err != nil {
				t.Fatal(err)
			}
			certificate, err := x509.ParseCertificate(c.DER)
			if err != nil {
				t.Fatal(err)
			}
			if !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(certificate.PublicKey) {
				t.Errorf("%s, persistent %v: another key than the certificate's", c.Template, kept)
			}
			if kept != (ek.handle == kind.persistent) {
				t.Errorf("%s: handle %#x", c.Template, ek.handle)
			}
			ek.release()
		}
	}
}

// A foreign key at the EK's usual handle is not taken for the EK.
func TestForeignPersistentKeyIsNoEK(t *testing.T) {
	b := newBench(t)
	kind, _ := ekKindNamed(EKP256)
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(kind.template),
	}.Execute(b.tpm.connection)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name},
		PersistentHandle: 0x81000002,
	}.Execute(b.tpm.connection)); err != nil {
		t.Fatal(err)
	}
	b.tpm.flush(made.ObjectHandle)
	kind.persistent = 0x81000002 // an owner's key of the EK's own template
	if _, ok := b.tpm.persistentEK(kind); ok {
		t.Error("an owner-hierarchy key was taken for the EK")
	}
	kind.persistent = 0x81010001 // a true EK of another template
	if _, ok := b.tpm.persistentEK(kind); ok {
		t.Error("an RSA EK was taken for a P-256 one")
	}
}

func TestEachTemplateGivesWorkingKeys(t *testing.T) {
	b := newBench(t)
	for _, template := range []string{EKRSA2048, EKP256, EKP384} {
		t.Run(template, func(t *testing.T) {
			keys := b.keys(t, template)
			var nonce [wire.NonceSize]byte
			quote, values, err := keys.Quote(nonce, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if len(values) != len(wire.QuotedPCRs) || values[11].Index != 14 {
				t.Errorf("values %v", values)
			}
			attest, err := tpm2.Unmarshal[tpm2.TPMSAttest](quote.Attest)
			if err != nil {
				t.Fatal(err)
			}
			binding := wire.QuoteBinding(nonce, []byte("{}"), keys.TLSSPKI())
			if !bytes.Equal(attest.ExtraData.Buffer, binding[:]) {
				t.Error("the quote is not bound to nonce, claims and TLS key")
			}
			for _, certify := range []func([32]byte) (wire.CertifiedKey, error){keys.CertifyTLSKey, keys.CertifySigningKey} {
				if _, err := certify(nonce); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if err := b.tpm.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(b.soft.Device())
	if err != nil {
		t.Fatal(err)
	}
	b.tpm = again
	defer again.Close()
	if left := b.leftovers(t); len(left) != 0 {
		t.Errorf("left loaded: %x", left)
	}
}

func TestEKPublic(t *testing.T) {
	b := newBench(t)
	template, spki, err := b.tpm.EKPublic("")
	if err != nil || template != EKP256 {
		t.Fatal(template, err)
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := ekKindNamed(EKP256)
	ek, err := b.tpm.openEK(kind)
	if err != nil {
		t.Fatal(err)
	}
	ek.release()
	public, err := tpm2.Pub(ek.public)
	if err != nil || !public.(*ecdsa.PublicKey).Equal(parsed) {
		t.Error("another key", err)
	}
}

// An inventory may list the EK of another kind than the agent would choose.
func TestEKPublicOfAKind(t *testing.T) {
	b := newBench(t)
	for _, template := range []string{EKRSA2048, EKP256, EKP384} {
		name, spki, err := b.tpm.EKPublic(template)
		if err != nil || name != template {
			t.Fatal(name, err)
		}
		blobs, err := b.tpm.CreateKeys(template, rand.Reader)
		if digest := sha256.Sum256(spki); err != nil || !bytes.Equal(blobs.EKDigest, digest[:]) {
			t.Errorf("%s: the keys stand under another EK, %v", template, err)
		}
	}
	if _, _, err := b.tpm.EKPublic("p-521"); err == nil {
		t.Error("an unknown kind")
	}
}

func TestActivateAnswersTheChallenge(t *testing.T) {
	b := newBench(t)
	for _, template := range []string{EKRSA2048, EKP256, EKP384} {
		keys := b.keys(t, template)
		b.tpm.mu.Lock()
		ek, err := b.tpm.openEK(keys.kind)
		if err != nil {
			t.Fatal(err)
		}
		ek.release()
		b.tpm.mu.Unlock()
		encapsulation, err := tpm2.ImportEncapsulationKey(&ek.public)
		if err != nil {
			t.Fatal(err)
		}
		secret := []byte("0123456789abcdef0123456789abcdef")
		blob, encrypted, err := tpm2.CreateCredential(rand.Reader, encapsulation, keys.ak.name.Buffer, secret)
		if err != nil {
			t.Fatal(err)
		}
		released, err := keys.Activate(blob, encrypted)
		if err != nil || !bytes.Equal(released, secret) {
			t.Errorf("%s: %x, %v", template, released, err)
		}
		blob[len(blob)-1] ^= 1
		if _, err := keys.Activate(blob, encrypted); err == nil {
			t.Errorf("%s: a damaged challenge was answered", template)
		}
	}
}

func TestCutSequence(t *testing.T) {
	long := append([]byte{0x30, 0x82, 1, 2}, make([]byte, 258)...)
	for name, c := range map[string]struct {
		raw, want []byte
		more      bool
	}{
		"short form":   {[]byte{0x30, 2, 1, 2, 0xff, 0xff}, []byte{0x30, 2, 1, 2}, false},
		"one byte":     {append([]byte{0x30, 0x81, 128}, make([]byte, 140)...), append([]byte{0x30, 0x81, 128}, make([]byte, 128)...), false},
		"two bytes":    {append(bytes.Clone(long), 0, 0), long, false},
		"cut off":      {long[:200], nil, true},
		"its head":     {long[:3], nil, true},
		"empty":        {nil, nil, false},
		"blank":        {bytes.Repeat([]byte{0xff}, 20), nil, false},
		"not sequence": {[]byte{0x31, 2, 1, 2}, nil, false},
		"indefinite":   {[]byte{0x30, 0x80, 0, 0}, nil, false},
	} {
		if got, more := cutSequence(c.raw); !bytes.Equal(got, c.want) || more != c.more {
			t.Errorf("%s: % x, goes on: %v", name, got, more)
		}
	}
}

// Makers leave padding behind a certificate, and some let only the owner read it.
func TestPaddedAndOwnersCertificates(t *testing.T) {
	b := newBench(t)
	certificate := append([]byte{0x30, 0x82, 0x03, 0x00}, bytes.Repeat([]byte{5}, 0x300)...) // longer than one read
	for _, byOwner := range []bool{true, false} {
		remove := b.fillNV(t, 0x01c0000a, append(bytes.Clone(certificate), bytes.Repeat([]byte{0xff}, 200)...), byOwner)
		found, err := b.tpm.EKCertificates()
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 3 || found[0].Template != EKP256 || !bytes.Equal(found[0].DER, certificate) {
			t.Errorf("by owner %v: %d certificates, the first of %d bytes", byOwner, len(found), len(found[0].DER))
		}
		remove()
	}
}
