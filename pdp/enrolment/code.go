package enrolment

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Bounds of a code's life.
const (
	MinCodeLife = time.Minute
	MaxCodeLife = 7 * 24 * time.Hour
)

// Kind is the store's kind of enrolment codes. An expired one may be swept.
const Kind = "enrol-code"

const (
	codePrefix = "menshen1"
	nobody     = "_" // a code is looked up before its agency is known
)

var codeEncoding = base64.RawURLEncoding.Strict()

// code is what the store holds of an enrolment code.
type code struct {
	V          int       `json:"v"`
	Expires    time.Time `json:"expires"`
	Agency     string    `json:"agency"`
	DeviceName string    `json:"device_name"`
	IssuedBy   string    `json:"issued_by"`
	IssuedAt   time.Time `json:"issued_at"`
	// EK is the digest of the endorsement key that first used the code.
	EK []byte `json:"ek,omitempty"`
	// Replaces is the id of the device whose place another TPM may take.
	Replaces string `json:"replaces,omitempty"`

	key      string
	revision int64
}

func codeKey(random []byte) string {
	digest := sha256.Sum256(random)
	return store.Key(Kind, nobody, hex.EncodeToString(digest[:]))
}

// IssueCode makes a one-time code for a device of this name and returns its
// text, which the PDP does not keep.
func (e *Enroller) IssueCode(ctx context.Context, agency, deviceName, by string, life time.Duration) (string, error) {
	return e.issue(ctx, code{Agency: agency, DeviceName: deviceName, IssuedBy: by}, life)
}

// IssueReplacement makes a code with which another TPM takes the place of the
// living device of this name: its mainboard was changed. An unknown or retired
// device gives store.ErrNotFound.
func (e *Enroller) IssueReplacement(ctx context.Context, agency, deviceName, by string, life time.Duration) (string, error) {
	old, err := living(e.Devices.DeviceByName(ctx, agency, deviceName))
	if err != nil {
		return "", err
	}
	if old.ID == "" {
		return "", fmt.Errorf("enrolment: no device to replace: %w", store.ErrNotFound)
	}
	return e.issue(ctx, code{Agency: agency, DeviceName: old.Name, IssuedBy: by, Replaces: old.ID}, life)
}

// issue completes c and keeps it.
func (e *Enroller) issue(ctx context.Context, c code, life time.Duration) (string, error) {
	if life < MinCodeLife || life > MaxCodeLife {
		return "", refuse(nil, reason.CfgLife)
	}
	if err := e.Devices.CheckNewDevice(ctx, c.Agency, c.DeviceName); err != nil {
		return "", err
	}
	var random [32]byte
	if _, err := io.ReadFull(e.Random, random[:]); err != nil {
		return "", fmt.Errorf("enrolment: drawing a code: %w", err)
	}
	now := e.Clock().UTC()
	c.V, c.Expires, c.IssuedAt, c.key = 1, now.Add(life), now, codeKey(random[:])
	step := c.step("code-issued")
	step.Replaces = c.Replaces
	if err := e.record(ctx, step); err != nil {
		return "", err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("enrolment: %w", err)
	}
	if _, err := e.Store.Txn(ctx, []store.Compare{{Key: c.key}}, []store.Op{{Key: c.key, Value: raw}}); err != nil {
		return "", fmt.Errorf("enrolment: keeping a code: %w", err)
	}
	return codePrefix + "." + codeEncoding.EncodeToString(e.Authority[:]) + "." + codeEncoding.EncodeToString(random[:]), nil
}

// parseCode returns the key that the code's text leads to.
func (e *Enroller) parseCode(text string) (string, error) {
	malformed := refuse(nil, reason.EnrolMalformed, "field", "code")
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[0] != codePrefix {
		return "", malformed
	}
	authority, okA := decode32(parts[1])
	random, okR := decode32(parts[2])
	if !okA || !okR {
		return "", malformed
	}
	if subtle.ConstantTimeCompare(authority, e.Authority[:]) != 1 {
		return "", refuse(nil, reason.EnrolCodeForeign)
	}
	return codeKey(random), nil
}

// decode32 reads 32 bytes in their one spelling: the decoder alone passes over
// line ends.
func decode32(text string) ([]byte, bool) {
	raw, err := codeEncoding.DecodeString(text)
	return raw, err == nil && len(raw) == 32 && codeEncoding.EncodeToString(raw) == text
}

// readCode returns a code that is still good.
func (e *Enroller) readCode(ctx context.Context, key string) (code, error) {
	record, err := e.Store.Get(ctx, key, store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return code{}, refuse(nil, reason.EnrolCodeUnknown)
	}
	if err != nil {
		return code{}, fmt.Errorf("enrolment: reading a code: %w", err)
	}
	c, err := decodeCode(record)
	if err != nil {
		return code{}, err
	}
	if !e.Clock().Before(c.Expires) {
		return c, refuse(nil, reason.EnrolCodeExpired)
	}
	return c, nil
}

func decodeCode(record store.Record) (code, error) {
	var c code
	if err := json.Unmarshal(record.Value, &c); err != nil || c.V != 1 {
		return code{}, fmt.Errorf("enrolment: unreadable code, schema version %d: %w", c.V, err)
	}
	c.key, c.revision = record.Key, record.Revision
	return c, nil
}

// bind ties the code to the first endorsement key that uses it, so that a code
// that was seen by somebody else is worth nothing on another machine.
func (e *Enroller) bind(ctx context.Context, c code, ek [sha256.Size]byte) (code, error) {
	if c.EK == nil {
		bound := c
		bound.EK = ek[:]
		raw, err := json.Marshal(bound)
		if err != nil {
			return c, fmt.Errorf("enrolment: %w", err)
		}
		revision, err := e.Store.Txn(ctx, []store.Compare{{Key: c.key, Revision: c.revision}}, []store.Op{{Key: c.key, Value: raw}})
		if err == nil {
			bound.revision = revision
			return bound, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return c, fmt.Errorf("enrolment: binding a code: %w", err)
		}
		if c, err = e.readCode(ctx, c.key); err != nil { // somebody was first
			return c, err
		}
	}
	return c, c.boundTo(ek[:])
}

func (c *code) boundTo(ek []byte) error {
	if subtle.ConstantTimeCompare(c.EK, ek) != 1 {
		return refuse(nil, reason.EnrolCodeBound)
	}
	return nil
}
