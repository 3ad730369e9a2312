package ceremony

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

type loginCode struct {
	Login         wire.Login `json:"login"`
	PreCookieHash []byte     `json:"pre_cookie_hash"`
}

func (c *Ceremony) issueCode(ctx context.Context, login wire.Login, preCookieHash []byte, now time.Time) (string, error) {
	text, digest, err := newSecret(c.random)
	if err != nil {
		return "", err
	}
	record := loginCode{Login: login, PreCookieHash: preCookieHash}
	if err := putNew(ctx, c.store, secretKey(kindLoginCode, digest), now.Add(loginCodeLife), record); err != nil {
		return "", err
	}
	return text, nil
}

// Redeem spends a login code for the portal that its sign-in began on, in the
// browser that it began in. Every refusal wraps wire.ErrLoginRefused; other
// errors are the store's.
//
// The code is burned before it is looked at: what one browser was refused must
// not be carried into another, on another laptop, that began the sign-in.
func (c *Ceremony) Redeem(ctx context.Context, code string, preCookieHash [sha256.Size]byte, portalID string) (wire.Login, error) {
	digest, ok := readSecret(code)
	if !ok {
		return wire.Login{}, fmt.Errorf("ceremony: malformed code: %w", wire.ErrLoginRefused)
	}
	record, err := take[loginCode](ctx, c.store, secretKey(kindLoginCode, digest))
	if errors.Is(err, store.ErrNotFound) {
		return wire.Login{}, fmt.Errorf("ceremony: unknown or spent code: %w", wire.ErrLoginRefused)
	}
	if err != nil {
		return wire.Login{}, fmt.Errorf("ceremony: %w", err)
	}
	login := record.value.Login
	switch {
	case !c.clock().Before(record.expires):
		return wire.Login{}, fmt.Errorf("ceremony: expired code: %w", wire.ErrLoginRefused)
	case subtle.ConstantTimeCompare(record.value.PreCookieHash, preCookieHash[:]) != 1:
		return wire.Login{}, fmt.Errorf("ceremony: another browser's code: %w", wire.ErrLoginRefused)
	case login.Portal != portalID:
		return wire.Login{}, fmt.Errorf("ceremony: another portal's code: %w", wire.ErrLoginRefused)
	}
	person, err := c.directory.Person(ctx, login.SignIn.PersonID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !person.SignInStands(login.SignIn.At)) {
		return wire.Login{}, fmt.Errorf("ceremony: signed out meanwhile: %w", wire.ErrLoginRefused)
	}
	if err != nil {
		return wire.Login{}, fmt.Errorf("ceremony: %w", err)
	}
	return login, nil
}
