// Package evidence puts together what the agent sends for one nonce: the claims
// as exact bytes, the quote that binds them, the PCR values and the event log
// (RFC 9334: Evidence).
//
// Guarantees: it is pure; the bytes that Marshal returns are those to quote and
// to send; what the PDP would refuse for its size or shape is refused here,
// before the TPM signs it.
package evidence

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// ErrInvalid says that claims or parts are not what the PDP accepts.
var ErrInvalid = errors.New("evidence: not acceptable")

// Marshal returns the claims document. Claims are put in order of their ids, so
// that the same claims give the same bytes.
func Marshal(claims wire.Claims) ([]byte, error) {
	ordered := slices.Clone(claims.Claims)
	slices.SortStableFunc(ordered, func(a, b wire.Claim) int { return cmp.Compare(a.ID, b.ID) })
	for i, c := range ordered {
		if c.ID == "" || !c.State.Valid() {
			return nil, fmt.Errorf("%w: claim %q has state %q", ErrInvalid, c.ID, c.State)
		}
		if i > 0 && ordered[i-1].ID == c.ID {
			return nil, fmt.Errorf("%w: claim %q twice", ErrInvalid, c.ID)
		}
		if c.State == wire.ClaimPass && c.Problem != "" {
			return nil, fmt.Errorf("%w: claim %q passes with a problem", ErrInvalid, c.ID)
		}
	}
	claims.Claims = ordered
	raw, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(raw) > wire.MaxClaimsBytes {
		return nil, fmt.Errorf("%w: claims of %d bytes", ErrInvalid, len(raw))
	}
	return raw, nil
}

// Assemble joins the parts. An event log that is too long for Evidence is left
// out: that is a finding at the PDP, and silence would be a worse one.
func Assemble(claims []byte, quote wire.Quote, pcrs []wire.PCRValue, eventLog []byte) wire.Evidence {
	if len(eventLog) > wire.MaxEventLogBytes {
		eventLog = nil
	}
	return wire.Evidence{Claims: claims, Quote: quote, PCRs: pcrs, EventLog: eventLog}
}

// Same reports whether two documents say the same, whenever it was measured.
func Same(a, b wire.Claims) bool {
	return reflect.DeepEqual(timeless(a), timeless(b))
}

func timeless(c wire.Claims) wire.Claims {
	c.Claims = slices.Clone(c.Claims)
	for i := range c.Claims {
		c.Claims[i].MeasuredAt = time.Time{}
	}
	slices.SortStableFunc(c.Claims, func(a, b wire.Claim) int { return cmp.Compare(a.ID, b.ID) })
	return c
}
