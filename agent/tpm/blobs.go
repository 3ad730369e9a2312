package tpm

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"

	"github.com/google/go-tpm/tpm2"
)

// Blob is one key as it rests on disk: its private part is encrypted by the
// TPM and useless on any other, its authorization value is a secret.
type Blob struct {
	Public  []byte `json:"public"`  // TPMT_PUBLIC
	Private []byte `json:"private"` // TPM2B_PRIVATE's contents
	Auth    []byte `json:"auth"`
}

// Blobs are a device's keys at rest, for a file that only the agent's user
// reads.
type Blobs struct {
	EK string `json:"ek"` // the EK's template
	// EKDigest is SHA-256 over the EK's SubjectPublicKeyInfo; states of before
	// it was kept have none.
	EKDigest   []byte `json:"ek_digest,omitempty"`
	AK         Blob   `json:"ak"`
	TLSKey     Blob   `json:"tls_key"`
	SigningKey Blob   `json:"signing_key"`
}

// concealed is what a log or a message shows of keys.
const concealed = "[keys of this device]"

// Format implements fmt.Formatter: no verb shows the secrets.
func (Blobs) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, concealed) }

// LogValue implements slog.LogValuer.
func (Blobs) LogValue() slog.Value { return slog.StringValue(concealed) }

// Format implements fmt.Formatter: no verb shows the secrets.
func (Blob) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, concealed) }

// LogValue implements slog.LogValuer.
func (Blob) LogValue() slog.Value { return slog.StringValue(concealed) }

// authSize is the most that a SHA-256 object's authorization value may have.
const authSize = 32

// newAuth draws an authorization value of bytes that are not zero: a TPM drops
// trailing zeros (TPM 2.0 part 1, 19.6.5), and go-tpm v0.9.8 cuts the value at
// its first zero, so that one key in eight would never authorize.
func newAuth(random io.Reader) ([]byte, error) {
	auth := make([]byte, 0, authSize)
	for len(auth) < authSize {
		more := make([]byte, authSize-len(auth))
		if _, err := io.ReadFull(random, more); err != nil {
			return nil, fmt.Errorf("tpm: drawing an authorization value: %w", err)
		}
		auth = append(auth, bytes.ReplaceAll(more, []byte{0}, nil)...)
	}
	return auth, nil
}

// key is a Blob that was checked and can be loaded.
type key struct {
	public  tpm2.TPMTPublic
	raw     []byte // TPMT_PUBLIC
	private []byte
	name    tpm2.TPM2BName
	auth    []byte
	parent  []byte // the EK's digest, where it is known
}

func (b Blob) key(parent []byte) (*key, error) {
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](b.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(tpm2.Marshal(public), b.Public) || len(b.Private) == 0 || len(b.Auth) != authSize {
		return nil, ErrMalformed
	}
	if !sameTemplate(*public, signingTemplate(public.ObjectAttributes.Restricted)) {
		return nil, fmt.Errorf("%w: not a key of this agent", ErrMalformed)
	}
	name, err := tpm2.ObjectName(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &key{public: *public, raw: b.Public, private: b.Private, name: *name, auth: b.Auth, parent: parent}, nil
}
