package tpm

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tpm/tpm2"
)

// CreateKeys makes the device's AK, TLS key and signing key as children of the
// EK that template names.
func (t *TPM) CreateKeys(template string, random io.Reader) (Blobs, error) {
	kind, ok := ekKindNamed(template)
	if !ok {
		return Blobs{}, fmt.Errorf("tpm: no EK template is named %q", template)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return Blobs{}, ErrClosed
	}
	t.forget()
	ek, err := t.openEK(kind)
	if err != nil {
		return Blobs{}, err
	}
	defer ek.release()
	digest, err := ek.digest()
	if err != nil {
		return Blobs{}, err
	}
	blobs := Blobs{EK: template, EKDigest: digest}
	for _, wanted := range []struct {
		blob       *Blob
		restricted bool
	}{{&blobs.AK, true}, {&blobs.TLSKey, false}, {&blobs.SigningKey, false}} {
		if *wanted.blob, err = t.create(ek, signingTemplate(wanted.restricted), random); err != nil {
			return Blobs{}, err
		}
	}
	return blobs, nil
}

// create makes one key. The authorization value travels encrypted for the EK.
func (t *TPM) create(ek *endorsementKey, template tpm2.TPMTPublic, random io.Reader) (Blob, error) {
	auth, err := newAuth(random)
	if err != nil {
		return Blob{}, err
	}
	private := tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.Salted(ek.handle, ek.public), tpm2.AESEncryption(128, tpm2.EncryptIn))
	made, err := tpm2.Create{
		ParentHandle: ek.auth(),
		InSensitive:  tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: auth}}},
		InPublic:     tpm2.New2B(template),
	}.Execute(t.connection, private)
	if err != nil {
		return Blob{}, explain("making a key", err)
	}
	return Blob{Public: made.OutPublic.Bytes(), Private: made.OutPrivate.Buffer, Auth: auth}, nil
}

// Keys are a device's keys in its TPM.
type Keys struct {
	tpm              *TPM
	kind             ekKind
	ak, tls, signing *key
	tlsPublic        *ecdsa.PublicKey
	tlsSPKI          [sha256.Size]byte
	signingPublic    *ecdsa.PublicKey
}

// LoadKeys takes the keys into use. ErrReplaced says that this TPM did not make
// them, ErrCleared that it did and was cleared since, ErrMalformed that they are
// damaged.
func (t *TPM) LoadKeys(blobs Blobs) (*Keys, error) {
	kind, ok := ekKindNamed(blobs.EK)
	if !ok {
		return nil, fmt.Errorf("%w: no EK template is named %q", ErrMalformed, blobs.EK)
	}
	keys := &Keys{tpm: t, kind: kind}
	for _, part := range []struct {
		to         **key
		blob       Blob
		restricted bool
	}{{&keys.ak, blobs.AK, true}, {&keys.tls, blobs.TLSKey, false}, {&keys.signing, blobs.SigningKey, false}} {
		k, err := part.blob.key(blobs.EKDigest)
		if err != nil {
			return nil, err
		}
		if k.public.ObjectAttributes.Restricted != part.restricted {
			return nil, fmt.Errorf("%w: the keys are interchanged", ErrMalformed)
		}
		*part.to = k
	}
	if err := keys.publics(); err != nil {
		return nil, err
	}
	// Loading the two that are always in use tells a replaced TPM from a
	// working one, and costs the EK once: an RSA EK may take a TPM seconds.
	if err := t.use(kind, func([]tpm2.AuthHandle) error { return nil }, keys.tls, keys.ak); err != nil {
		return nil, err
	}
	return keys, nil
}

func (k *Keys) publics() error {
	var err error
	if k.tlsPublic, err = k.tls.ecdsa(); err != nil {
		return err
	}
	if k.signingPublic, err = k.signing.ecdsa(); err != nil {
		return err
	}
	spki, err := x509.MarshalPKIXPublicKey(k.tlsPublic)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	k.tlsSPKI = sha256.Sum256(spki)
	return nil
}

func (k *key) ecdsa() (*ecdsa.PublicKey, error) {
	public, err := tpm2.Pub(k.public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	point, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: not an ECDSA key", ErrMalformed)
	}
	if _, err := point.ECDH(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return point, nil
}

// AK returns the attestation key's TPMT_PUBLIC.
func (k *Keys) AK() []byte { return append([]byte(nil), k.ak.raw...) }

// EKTemplate names the template of the EK above these keys.
func (k *Keys) EKTemplate() string { return k.kind.name }

// TLSSPKI is SHA-256 over the TLS key's SubjectPublicKeyInfo, which the PDP
// knows this device by.
func (k *Keys) TLSSPKI() [sha256.Size]byte { return k.tlsSPKI }

// use runs do with the keys' handles, in order, each authorized by an HMAC
// session of its own. Keys that are not loaded are loaded under the EK; if the
// TPM lost them, once more.
func (t *TPM) use(kind ekKind, do func([]tpm2.AuthHandle) error, keys ...*key) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.useLocked(kind, do, keys...)
}

func (t *TPM) useLocked(kind ekKind, do func([]tpm2.AuthHandle) error, keys ...*key) error {
	for again := false; ; again = true {
		if t.connection == nil {
			return ErrClosed
		}
		err := t.load(kind, keys)
		if err == nil {
			err = do(t.authorized(keys))
		}
		if err == nil || again || !lostHandle(err) {
			return err
		}
		t.forget()
		if err := t.flushStrays(); err != nil {
			return err
		}
	}
}

func (t *TPM) authorized(keys []*key) []tpm2.AuthHandle {
	handles := make([]tpm2.AuthHandle, len(keys))
	for i, k := range keys {
		handles[i] = tpm2.AuthHandle{
			Handle: t.loaded[k], Name: k.name,
			Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.Auth(k.auth)),
		}
	}
	return handles
}

// load loads those keys that are not, and makes room for them first: for them
// and the EK, so that there is always a slot left for the EK afterwards.
func (t *TPM) load(kind ekKind, keys []*key) error {
	var missing []*key
	wanted := make(map[*key]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
		if _, ok := t.loaded[k]; !ok {
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	const forEK = 1
	for k, handle := range t.loaded {
		if len(t.loaded)+len(missing)+forEK > slots && !wanted[k] {
			t.flush(handle)
			delete(t.loaded, k)
		}
	}
	ek, err := t.openEK(kind)
	if err != nil {
		return err
	}
	defer ek.release()
	for _, k := range missing {
		answer, err := tpm2.Load{
			ParentHandle: ek.auth(),
			InPrivate:    tpm2.TPM2BPrivate{Buffer: k.private},
			InPublic:     tpm2.New2B(k.public),
		}.Execute(t.connection)
		if errors.Is(err, tpm2.TPMRCIntegrity) {
			return fmt.Errorf("%w: %w", ek.lost(k), err)
		}
		if err != nil {
			return explain("loading a key", err)
		}
		t.loaded[k] = answer.ObjectHandle
	}
	return nil
}
