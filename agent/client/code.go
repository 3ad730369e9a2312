package client

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// ErrBadCode is returned for a text that is no enrolment code.
var ErrBadCode = errors.New("client: malformed enrolment code")

// ErrBadFingerprint is returned for a text that is no CA's fingerprint.
var ErrBadFingerprint = errors.New("client: malformed fingerprint of a CA")

// Code is an enrolment code: which CA to believe, and a one-time secret.
type Code struct {
	text string // empty where the device comes without a code
	// CADigest is SHA-256 of the CA certificate of the PDP that issued it.
	CADigest [sha256.Size]byte
}

// WithoutCode stands for the code of a device that is expected: all that it has
// is the fingerprint of the PDP's CA, SHA-256 in hexadecimal, with or without
// colons, as `menshen-pdp init` prints it.
func WithoutCode(fingerprint string) (Code, error) {
	digest, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(fingerprint), ":", ""))
	if err != nil || len(digest) != sha256.Size {
		return Code{}, ErrBadFingerprint
	}
	return Code{CADigest: [sha256.Size]byte(digest)}, nil
}

// ParseCode reads menshen1.<CA's SHA-256>.<secret>, both 32 bytes in base64url.
func ParseCode(text string) (Code, error) {
	text = strings.TrimSpace(text)
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[0] != "menshen1" {
		return Code{}, ErrBadCode
	}
	encoding := base64.RawURLEncoding.Strict()
	digest, err := encoding.DecodeString(parts[1])
	if err != nil || len(digest) != sha256.Size {
		return Code{}, ErrBadCode
	}
	if secret, err := encoding.DecodeString(parts[2]); err != nil || len(secret) != 32 {
		return Code{}, ErrBadCode
	}
	return Code{text: text, CADigest: [sha256.Size]byte(digest)}, nil
}
