package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
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
			if len(values) != len(wire.QuotedPCRs) || values[10].Index != 14 {
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
	template, spki, err := b.tpm.EKPublic()
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

func TestTrimPadding(t *testing.T) {
	long := append([]byte{0x30, 0x82, 1, 2}, make([]byte, 258)...)
	for name, c := range map[string]struct{ raw, want []byte }{
		"short form":   {[]byte{0x30, 2, 1, 2, 0xff, 0xff}, []byte{0x30, 2, 1, 2}},
		"one byte":     {append([]byte{0x30, 0x81, 128}, make([]byte, 140)...), append([]byte{0x30, 0x81, 128}, make([]byte, 128)...)},
		"two bytes":    {append(bytes.Clone(long), 0, 0), long},
		"cut off":      {long[:200], nil},
		"empty":        {nil, nil},
		"blank":        {bytes.Repeat([]byte{0xff}, 20), nil},
		"not sequence": {[]byte{0x31, 2, 1, 2}, nil},
		"indefinite":   {[]byte{0x30, 0x80, 0, 0}, nil},
	} {
		if got := trimPadding(c.raw); !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x", name, got)
		}
	}
}

// Makers leave padding behind a certificate, and some let only the owner read it.
func TestPaddedAndOwnersCertificates(t *testing.T) {
	b := newBench(t)
	certificate := append([]byte{0x30, 0x82, 0x03, 0x00}, bytes.Repeat([]byte{5}, 0x300)...) // longer than one read
	owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
	for _, byOwner := range []bool{true, false} {
		content := append(bytes.Clone(certificate), bytes.Repeat([]byte{0xff}, 200)...)
		area := tpm2.TPMSNVPublic{
			NVIndex: 0x01c0000a, NameAlg: tpm2.TPMAlgSHA256, DataSize: uint16(len(content)),
			Attributes: tpm2.TPMANV{OwnerWrite: true, OwnerRead: byOwner, AuthRead: !byOwner, NoDA: true},
		}
		if _, err := (tpm2.NVDefineSpace{AuthHandle: owner, PublicInfo: tpm2.New2B(area)}.Execute(b.tpm.connection)); err != nil {
			t.Fatal(err)
		}
		about, err := tpm2.NVReadPublic{NVIndex: area.NVIndex}.Execute(b.tpm.connection)
		if err != nil {
			t.Fatal(err)
		}
		index := tpm2.NamedHandle{Handle: area.NVIndex, Name: about.NVName}
		for at := 0; at < len(content); at += 400 {
			part := content[at:min(at+400, len(content))]
			if _, err := (tpm2.NVWrite{AuthHandle: owner, NVIndex: index, Data: tpm2.TPM2BMaxNVBuffer{Buffer: part}, Offset: uint16(at)}.Execute(b.tpm.connection)); err != nil {
				t.Fatal(err)
			}
		}
		found, err := b.tpm.EKCertificates()
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 3 || found[0].Template != EKP256 || !bytes.Equal(found[0].DER, certificate) {
			t.Errorf("by owner %v: %d certificates, the first of %d bytes", byOwner, len(found), len(found[0].DER))
		}
		about, err = tpm2.NVReadPublic{NVIndex: area.NVIndex}.Execute(b.tpm.connection) // its Name changed when it was written
		if err != nil {
			t.Fatal(err)
		}
		index.Name = about.NVName
		if _, err := (tpm2.NVUndefineSpace{AuthHandle: owner, NVIndex: index}.Execute(b.tpm.connection)); err != nil {
			t.Fatal(err)
		}
	}
}
