// Package seal makes the tickets that the PDP hands to strangers: nonces,
// ceremonies, start handles. A ticket carries its own state, encrypted and
// authenticated, so that giving one out writes nothing and a flood fills
// nothing; only spending one writes (design: invariant 2).
//
// Guarantees: what Open accepts was made by Seal with this key for this very
// purpose and has not expired. It does not say that a ticket is spent once:
// whoever spends one burns its id in the store.
//
// Each ticket has a key of its own, HKDF-SHA256 (RFC 5869) over a random
// 256-bit salt, and is AES-256-GCM under that key (SP 800-38D), so that no
// number of tickets wears the key out.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	saltSize = 32
	// MaxText bounds a ticket's text; Open refuses longer ones unread. A start
	// handle with an 8 KB return path fits.
	MaxText = 16 << 10
)

// ErrForged is returned for a ticket that this key did not make for this purpose.
var ErrForged = errors.New("seal: not a ticket of this purpose")

// ErrExpired is returned for a true ticket whose time is over. It says so by
// Expired too, for callers that may not import this package.
var ErrExpired error = expired{}

type expired struct{}

func (expired) Error() string { return "seal: ticket expired" }
func (expired) Expired() bool { return true }

// Box seals and opens tickets under one key. It is safe for concurrent use.
type Box struct{ key [32]byte }

// New returns a Box for key, which must be secret and random.
func New(key [32]byte) *Box { return &Box{key: key} }

type content struct {
	Expires time.Time `json:"e"`
	Value   any       `json:"v"`
}

// compact leaves "&", "<" and ">" as they are: escaped for a web page, which a
// ticket is not, a long return path would grow past MaxText.
func compact(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return text.Bytes(), err
}

// Seal returns v, marshalled by encoding/json, as a ticket in base64url text.
func (b *Box) Seal(purpose string, expires time.Time, v any) (string, error) {
	plain, err := compact(content{Expires: expires.UTC(), Value: v})
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	ticket := make([]byte, saltSize, saltSize+len(plain)+16)
	_, _ = rand.Read(ticket) // documented never to fail
	aead, err := b.aead(purpose, ticket)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(aead.Seal(ticket, zeroNonce[:], plain, nil)) // #nosec G407 -- every ticket has a key of its own
	if len(text) > MaxText || strings.ContainsAny(text, "\r\n") {                             // which the decoder would skip
		return "", fmt.Errorf("seal: a ticket of %d characters is too long", len(text))
	}
	return text, nil
}

// Open reads a ticket of purpose into v. It returns ErrForged or ErrExpired,
// and then leaves v alone.
func (b *Box) Open(purpose, text string, now time.Time, v any) error {
	if len(text) > MaxText || strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return ErrForged
	}
	ticket, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(ticket) < saltSize {
		return ErrForged
	}
	aead, err := b.aead(purpose, ticket[:saltSize])
	if err != nil {
		return err
	}
	plain, err := aead.Open(nil, zeroNonce[:], ticket[saltSize:], nil)
	if err != nil {
		return ErrForged
	}
	var raw json.RawMessage
	c := content{Value: &raw}
	if err := json.Unmarshal(plain, &c); err != nil {
		return fmt.Errorf("seal: own ticket unreadable: %w", err)
	}
	if !now.Before(c.Expires) {
		return ErrExpired
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("seal: own ticket unreadable: %w", err)
	}
	return nil
}

// The nonce may be constant because every ticket has a key of its own.
var zeroNonce [12]byte

func (b *Box) aead(purpose string, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, b.key[:], salt, "menshen/seal/v1/"+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("seal: deriving: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCM(block)
}
