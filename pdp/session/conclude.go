package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// freshFor is how long a touch of the key counts as fresh: a step-up asked for
// within it would send the person round in circles, so it refuses.
const freshFor = 2 * time.Minute

// Conclude returns what the engine's decision becomes here. It looks at the
// inputs alone, so that a replay comes to the same bytes: the decision that it
// is given is the engine's about in.Facts, or nothing where the engine failed.
// The digest of the inputs stays as it is.
func Conclude(d wire.Decision, in *wire.DecisionInputs) wire.Decision {
	switch {
	case in.EngineFailed:
		d = wire.Decision{}
		deny(&d, reason.New(reason.Unavailable))
	case d.Effect == wire.Deny:
	case !d.ValidUntil.After(in.At):
		deny(&d, reason.New(reason.Unavailable)) // an input ended before it could be used
	case d.Effect == wire.Allow && d.Obligations.ReadOnly && in.Action != wire.ActionRead:
		deny(&d, reason.New(reason.ReadOnlySession))
	case d.Effect == wire.StepUp && in.At.Sub(in.TouchedAt) < freshFor:
		// The key was touched a moment ago: that is not what is missing.
		d.Effect, d.Suffices = wire.Deny, false
	case d.Effect == wire.Allow && in.TokenFailed:
		deny(&d, reason.New(reason.Internal))
	}
	d.ID, d.Action, d.At = in.ID, in.Action, in.At
	return d
}

func deny(d *wire.Decision, why wire.Reason) {
	d.Effect, d.Obligations, d.ValidUntil = wire.Deny, wire.Obligations{}, time.Time{}
	d.Suffices = false // what the engine tried does nothing about this
	d.Reasons = append([]wire.Reason{why}, d.Reasons...)
}

// Digest is Decision.InputsDigest of canonical inputs.
func Digest(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

const saltSize = 16

// errNoForm says that facts cannot be written down as they are.
var errNoForm = errors.New("session: facts without a canonical form")

// unsealed is the reason of a refusal because inputs could not be sealed.
func unsealed(err error) wire.Reason {
	if errors.Is(err, errNoForm) {
		return reason.New(reason.BadFacts)
	}
	return reason.New(reason.InputsUnsealed)
}

// seal puts the inputs' digest into d and returns them sealed. What cannot be
// sealed is not recorded whole, and then nothing is decided.
func (m *Manager) seal(ctx context.Context, s *session, in *wire.DecisionInputs, d *wire.Decision) (wire.SealedInputs, error) {
	in.Salt = make([]byte, saltSize)
	if _, err := io.ReadFull(m.random, in.Salt); err != nil {
		return wire.SealedInputs{}, fmt.Errorf("session: drawing a salt: %w", err)
	}
	canonical, err := json.Marshal(in)
	if err != nil {
		return wire.SealedInputs{}, fmt.Errorf("%w: %w", errNoForm, err)
	}
	d.InputsDigest = Digest(canonical)
	return m.inputs.Seal(ctx, s.agency, s.signIn.PersonID, d.ID, canonical)
}
