// Package tlsalpn01 does nothing.
package tlsalpn01

import (
	"errors"
	"time"
)

// ACMETLS1Protocol is RFC 8737's (6.2).
const ACMETLS1Protocol = "acme-tls/1"

// ChallengeOption changes nothing.
type ChallengeOption func()

// SetDelay changes nothing.
func SetDelay(time.Duration) ChallengeOption { return nil }

// ChallengeBlocks fails.
func ChallengeBlocks(string, string) ([]byte, []byte, error) {
	return nil, nil, errors.New("ACME is not in this build")
}
