package tpm

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// endorsementKey is a loaded or persistent EK.
type endorsementKey struct {
	kind    ekKind
	handle  tpm2.TPMHandle
	name    tpm2.TPM2BName
	public  tpm2.TPMTPublic
	release func()
}

// auth is the EK's authorization handle: templates of the low range demand a
// policy session that proves the endorsement hierarchy's (empty) secret; those
// of the high range take the EK's own empty value (EK Credential Profile, B.6).
func (ek *endorsementKey) auth() tpm2.AuthHandle {
	session := tpm2.PasswordAuth(nil)
	if !ek.kind.template.ObjectAttributes.UserWithAuth {
		session = tpm2.Policy(ek.kind.template.NameAlg, nonceSize, endorsementPolicy)
	}
	return tpm2.AuthHandle{Handle: ek.handle, Name: ek.name, Auth: session}
}

const nonceSize = 16

func endorsementPolicy(t transport.TPM, session tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
	_, err := tpm2.PolicySecret{
		AuthHandle:    tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
		PolicySession: session,
		NonceTPM:      nonce,
	}.Execute(t)
	return err
}

// openEK finds the EK where it is persistent, else makes it again from the
// endorsement seed. release must be called.
func (t *TPM) openEK(kind ekKind) (*endorsementKey, error) {
	if ek, ok := t.persistentEK(kind); ok {
		return ek, nil
	}
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(kind.template),
	}.Execute(t.connection)
	if err != nil {
		return nil, explain("making the endorsement key", err)
	}
	public, err := made.OutPublic.Contents()
	if err != nil {
		t.flush(made.ObjectHandle)
		return nil, explain("reading the endorsement key", err)
	}
	return &endorsementKey{
		kind: kind, handle: made.ObjectHandle, name: made.Name, public: *public,
		release: func() { t.flush(made.ObjectHandle) },
	}, nil
}

// persistentEK looks at the EK's usual handle and takes what lies there only if
// it is that template's key in the endorsement hierarchy.
func (t *TPM) persistentEK(kind ekKind) (*endorsementKey, bool) {
	found, err := tpm2.ReadPublic{ObjectHandle: kind.persistent}.Execute(t.connection)
	if err != nil {
		return nil, false
	}
	public, err := found.OutPublic.Contents()
	if err != nil || !sameTemplate(*public, kind.template) {
		return nil, false
	}
	hash, err := kind.template.NameAlg.Hash()
	if err != nil {
		return nil, false
	}
	h := hash.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHEndorsement)))
	h.Write(found.Name.Buffer)
	qualified := h.Sum(binary.BigEndian.AppendUint16(nil, uint16(kind.template.NameAlg)))
	if !bytes.Equal(qualified, found.QualifiedName.Buffer) {
		return nil, false
	}
	return &endorsementKey{kind: kind, handle: kind.persistent, name: found.Name, public: *public, release: func() {}}, true
}

func sameTemplate(public, template tpm2.TPMTPublic) bool {
	if public.Type != template.Type {
		return false // the key's type also selects how the rest is marshalled
	}
	public.Unique = template.Unique
	return bytes.Equal(tpm2.Marshal(public), tpm2.Marshal(template))
}

// EKCertificate is one EK certificate that the TPM's maker left in NV.
type EKCertificate struct {
	Template string // one of EKRSA2048, EKP256, EKP384
	DER      []byte
}

// EKCertificates reads the EK certificates, the preferred one first: P-256,
// P-384, RSA-2048. The order is fixed, so that one TPM enrols with one EK, also
// after the system was installed anew. A TPM without any gives none, which is
// not an error: an administrator may approve such a device.
func (t *TPM) EKCertificates() ([]EKCertificate, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return nil, ErrClosed
	}
	var all []EKCertificate
	for _, kind := range ekKinds() {
		raw, err := t.readNV(kind.certificate)
		if errors.Is(err, tpm2.TPMRCHandle) {
			continue // TPM 2.0 part 3, 31.6: no such index
		}
		if err != nil {
			return nil, explain("reading the EK certificate for "+kind.name, err)
		}
		if der, _ := cutSequence(raw); len(der) > 0 {
			all = append(all, EKCertificate{Template: kind.name, DER: der})
		}
	}
	return all, nil
}

// EKPublic names the EK that this TPM can make, and gives its
// SubjectPublicKeyInfo in DER: for a TPM whose maker left no certificate. With
// template empty it is the EK of the first kind, in EKCertificates' order, that
// the TPM knows.
func (t *TPM) EKPublic(template string) (name string, spki []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return "", nil, ErrClosed
	}
	t.forget()
	err = fmt.Errorf("tpm: no EK template is named %q", template)
	for _, kind := range ekKinds() {
		if template != "" && template != kind.name {
			continue
		}
		var ek *endorsementKey
		if ek, err = t.openEK(kind); err != nil {
			continue // a TPM need not know every curve
		}
		ek.release()
		spki, err := ek.spki()
		return kind.name, spki, err
	}
	return "", nil, err
}

// spki is the EK's SubjectPublicKeyInfo in DER.
func (ek *endorsementKey) spki() ([]byte, error) {
	public, err := tpm2.Pub(ek.public)
	if err != nil {
		return nil, explain("reading the endorsement key", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, explain("encoding the endorsement key", err)
	}
	return spki, nil
}

// digest is SHA-256 over the EK's SubjectPublicKeyInfo.
func (ek *endorsementKey) digest() ([]byte, error) {
	spki, err := ek.spki()
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(spki)
	return digest[:], nil
}

// lost says why k does not load under this EK. TPM2_Clear keeps the endorsement
// primary seed, and so the EK's public and private parts, and changes the proof
// by which an EK protects its children (TPM 2.0 part 3, 24.6).
func (ek *endorsementKey) lost(k *key) error {
	if digest, err := ek.digest(); err == nil && bytes.Equal(digest, k.parent) {
		return ErrCleared
	}
	return ErrReplaced
}
