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
// A wrong cookie or portal does not burn the code: whoever sees somebody's
// callback address (it is in a URL) could otherwise spoil that sign-in, and
// gains nothing by trying, because the cookie has 256 bits. Of two right
// redemptions one succeeds.
func (c *Ceremony) Redeem(ctx context.Context, code string, preCookieHash [sha256.Size]byte, portalID string) (wire.Login, error) {
	digest, ok := readSecret(code)
	if !ok {
		return wire.Login{}, fmt.Errorf("ceremony: malformed code: %w", wire.ErrLoginRefused)
	}
	record, err := get[loginCode](ctx, c.store, secretKey(kindLoginCode, digest))
	if errors.Is(err, store.ErrNotFound) {
		return wire.Login{}, fmt.Errorf("ceremony: unknown code: %w", wire.ErrLoginRefused)
	}
	if err != nil {
		return wire.Login{}, fmt.Errorf("ceremony: %w", err)
	}
	switch {
	case !c.clock().Before(record.expires):
		return wire.Login{}, fmt.Errorf("ceremony: expired code: %w", wire.ErrLoginRefused)
	case subtle.ConstantTimeCompare(record.value.PreCookieHash, preCookieHash[:]) != 1:
		return wire.Login{}, fmt.Errorf("ceremony: another browser's code: %w", wire.ErrLoginRefused)
	case record.value.Login.Portal != portalID:
		return wire.Login{}, fmt.Errorf("ceremony: another portal's code: %w", wire.ErrLoginRefused)
	}
	if err := record.remove(ctx, c.store); errors.Is(err, store.ErrConflict) {
		return wire.Login{}, fmt.Errorf("ceremony: spent code: %w", wire.ErrLoginRefused)
	} else if err != nil {
		return wire.Login{}, fmt.Errorf("ceremony: %w", err)
	}
	return record.value.Login, nil
}
