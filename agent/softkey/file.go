package softkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/menshen-zt/menshen/internal/strictjson"
)

// Kind marks the document, so that it is not taken for a TPM's.
const Kind = "software"

const (
	version  = 1
	saltSize = 32
	label    = "menshen/softkey/v1"
)

// Counter is a number on the disk. Save returns when it is durable.
type Counter interface {
	Load() (uint64, error)
	Save(n uint64) error
}

// sealed is the document that the agent's state holds.
type sealed struct {
	Kind string `json:"kind"`
	V    int    `json:"v"`
	// Salt is HKDF's, Nonce AES-GCM's.
	Salt  []byte `json:"salt"`
	Nonce []byte `json:"nonce"`
	Keys  []byte `json:"keys"`
}

// contents are the keys in PKCS #8, in the order of Key.
type contents struct {
	Keys [][]byte `json:"keys"`
}

// file is the Store in a document.
type file struct {
	keys [len(names)]*ecdsa.PrivateKey

	mu      sync.Mutex
	counter Counter
}

var _ Store = (*file)(nil)

// Create makes a device's keys and returns the document that Open reads.
func Create(secret Secret, random io.Reader) ([]byte, error) {
	var all contents
	for _, name := range names {
		// The library draws its own randomness for keys.
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("softkey: making the %s key: %w", name, err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("softkey: %w", err)
		}
		all.Keys = append(all.Keys, der)
	}
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	s := sealed{Kind: Kind, V: version, Salt: make([]byte, saltSize)}
	if _, err := io.ReadFull(random, s.Salt); err != nil {
		return nil, fmt.Errorf("softkey: drawing a salt: %w", err)
	}
	aead, err := secret.aead(s.Salt)
	if err != nil {
		return nil, err
	}
	s.Nonce = make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(random, s.Nonce); err != nil {
		return nil, fmt.Errorf("softkey: drawing a nonce: %w", err)
	}
	s.Keys = aead.Seal(nil, s.Nonce, plain, []byte(label))
	return json.Marshal(s)
}

// Sealed reports whether a document is of this package's kind.
func Sealed(document []byte) bool {
	var head struct {
		Kind string `json:"kind"`
	}
	return json.Unmarshal(document, &head) == nil && head.Kind == Kind
}

// Open opens the document that Create made. ErrSealed says that it is damaged
// or of another secret.
func Open(document []byte, secret Secret, counter Counter) (Store, error) {
	var s sealed
	if err := strictjson.Unmarshal(document, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	if s.Kind != Kind || s.V != version || len(s.Salt) != saltSize {
		return nil, fmt.Errorf("%w: not a document of version %d", ErrSealed, version)
	}
	aead, err := secret.aead(s.Salt)
	if err != nil {
		return nil, err
	}
	if len(s.Nonce) != aead.NonceSize() {
		return nil, fmt.Errorf("%w: malformed", ErrSealed)
	}
	plain, err := aead.Open(nil, s.Nonce, s.Keys, []byte(label))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	var all contents
	if err := strictjson.Unmarshal(plain, &all); err != nil || len(all.Keys) != len(names) {
		return nil, fmt.Errorf("%w: malformed keys", ErrSealed)
	}
	f := &file{counter: counter}
	for i, der := range all.Keys {
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSealed, err)
		}
		key, ok := parsed.(*ecdsa.PrivateKey)
		if !ok || key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("%w: the %s key is not P-256", ErrSealed, names[i])
		}
		f.keys[i] = key
	}
	if _, err := counter.Load(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCounter, err)
	}
	return f, nil
}

// aead is AES-256-GCM under a key for one salt, so that no key seals twice.
func (s Secret) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.bytes[:], salt, label, 32)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	return cipher.NewGCM(block)
}

// Public implements Store.
func (f *file) Public(k Key) *ecdsa.PublicKey { return &f.keys[k].PublicKey }

// Sign implements Store.
func (f *file) Sign(k Key, digest [sha256.Size]byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, f.keys[k], digest[:])
}

// Count implements Store. It reads the disk each time: another process of this
// device may have counted.
func (f *file) Count() (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.counter.Load()
	if err == nil && n+1 == 0 {
		err = fmt.Errorf("%d is the last number", n)
	}
	if err == nil {
		err = f.counter.Save(n + 1)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCounter, err)
	}
	return n + 1, nil
}
