package wire

import (
	"errors"
	"time"
)

// PresentedToken is what an access token says that was presented in a person's
// name, once it was verified.
type PresentedToken struct {
	Portal  string
	Session string
	Expires time.Time
}

var (
	// ErrTokenRefused is wrapped for an access token that was not minted here,
	// for this portal, for now.
	ErrTokenRefused = errors.New("wire: access token refused")
	// ErrTokenBound is wrapped for an access token that is bound to a key and
	// was presented without a proof of it (RFC 9449, 7.1).
	ErrTokenBound = errors.New("wire: access token is bound to a key")
)
