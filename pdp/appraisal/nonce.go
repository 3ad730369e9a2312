package appraisal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

const sealPurpose = "attest-nonce"

// SpentKind is the store's kind of burned nonces. An expired one may be swept.
const SpentKind = "spent"

// ticket is a nonce's sealed form. It is given out without a trace; only
// spending it writes.
type ticket struct {
	Device   string               `json:"device"`
	Channel  [sha256.Size]byte    `json:"channel"`
	Nonce    [wire.NonceSize]byte `json:"nonce"`
	IssuedAt time.Time            `json:"issued_at"`
}

// Nonce puts the question that the device's next Evidence must answer, over
// this connection. Channel is the digest of the connection's TLS exporter.
func (a *Appraiser) Nonce(_ context.Context, dev wire.Device, channel [sha256.Size]byte) (wire.NonceAnswer, error) {
	t := ticket{Device: dev.ID, Channel: channel, IssuedAt: a.Clock().UTC()}
	if _, err := io.ReadFull(a.Random, t.Nonce[:]); err != nil {
		return wire.NonceAnswer{}, fmt.Errorf("appraisal: drawing a nonce: %w", err)
	}
	text, err := a.Sealer.Seal(sealPurpose, t.IssuedAt.Add(wire.NonceLife), t)
	if err != nil {
		return wire.NonceAnswer{}, fmt.Errorf("appraisal: sealing a nonce: %w", err)
	}
	return wire.NonceAnswer{Nonce: t.Nonce[:], Ticket: text, ExpiresInSeconds: int(wire.NonceLife / time.Second)}, nil
}

// open returns the ticket if it was made for this device and connection and
// its time is not over.
func (a *Appraiser) open(text string, dev wire.Device, channel [sha256.Size]byte, now time.Time) (ticket, error) {
	var t ticket
	if err := a.Sealer.Open(sealPurpose, text, now, &t); err != nil {
		var ended interface{ Expired() bool }
		if errors.As(err, &ended) && ended.Expired() {
			return t, refuse(reason.NonceExpired)
		}
		return t, refuse(reason.NonceForged)
	}
	if t.Device != dev.ID {
		return t, refuse(reason.NonceDevice)
	}
	if subtle.ConstantTimeCompare(t.Channel[:], channel[:]) != 1 {
		return t, refuse(reason.NonceChannel)
	}
	return t, nil
}

// spentKey is where a nonce is burned. The digest, because a nonce in the
// store's key would be readable in a backup while it is still good.
func (t *ticket) spentKey() string {
	digest := sha256.Sum256(t.Nonce[:])
	return store.Key(SpentKind, nobody, "nonce-"+hex.EncodeToString(digest[:]))
}

// Refusal is Evidence that was not even judged; nothing was changed.
type Refusal struct{ why wire.Reason }

func refuse(code string) *Refusal { return &Refusal{why: reason.New(code)} }

func (r *Refusal) Error() string { return "appraisal: refused: " + r.why.Code }

// Reason returns what the agent is told.
func (r *Refusal) Reason() wire.Reason { return r.why }
