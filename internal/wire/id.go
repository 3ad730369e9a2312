package wire

import (
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Prefixes of the ids that NewID makes.
const (
	PrefixDevice    = "dev"
	PrefixPerson    = "per"
	PrefixPortal    = "por"
	PrefixKey       = "key"
	PrefixSession   = "ses"
	PrefixDecision  = "dec"
	PrefixCommand   = "cmd"
	PrefixExpected  = "exp"
	PrefixException = "exc"
	PrefixAppeal    = "app"
	PrefixOverride  = "ovr"
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ErrBadID is returned for an id that is not a prefix and 128 random bits.
var ErrBadID = errors.New("wire: malformed id")

// NewID returns prefix, a hyphen, and 128 bits read from random in Crockford's
// base32.
func NewID(prefix string, random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("wire: drawing an id: %w", err)
	}
	return prefix + "-" + idEncoding.EncodeToString(b[:]), nil
}

// CheckID reports ErrBadID unless id is what NewID(prefix, …) could have made.
func CheckID(prefix, id string) error {
	body, ok := strings.CutPrefix(id, prefix+"-")
	if !ok {
		return ErrBadID
	}
	raw, err := idEncoding.DecodeString(body)
	if err != nil || len(raw) != 16 || idEncoding.EncodeToString(raw) != body {
		return ErrBadID
	}
	return nil
}
