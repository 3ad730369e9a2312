package enrolment

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/menshen-zt/menshen/internal/wire"
)

// step is the detail of one audit record of enrolment.
type step struct {
	Step       string          `json:"step"`
	Refused    string          `json:"refused,omitempty"` // reason code
	Why        string          `json:"why,omitempty"`
	Code       string          `json:"code,omitempty"`     // first half of the code's digest
	Expected   string          `json:"expected,omitempty"` // the list that the EK is on
	IssuedBy   string          `json:"issued_by,omitempty"`
	DeviceName string          `json:"device_name"`
	Hostname   string          `json:"hostname,omitempty"`
	OS         string          `json:"os,omitempty"`
	Peer       string          `json:"peer,omitempty"`
	EK         string          `json:"ek,omitempty"`
	Template   string          `json:"template,omitempty"`
	TLSSPKI    string          `json:"tls_spki,omitempty"`
	Provenance wire.Provenance `json:"provenance,omitempty"`
	Replaces   string          `json:"replaces,omitempty"`

	agency, device string
	// unproven says that nobody has shown to be more than a stranger yet.
	unproven bool
}

func (c *code) step(name string) step {
	digest := c.key[len(c.key)-64:]
	return step{Step: name, Code: digest[:32], IssuedBy: c.IssuedBy, DeviceName: c.DeviceName, agency: c.Agency}
}

// record makes a step durable, or returns ErrUnrecorded.
func (e *Enroller) record(ctx context.Context, s step) error {
	detail, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("enrolment: %w", err)
	}
	_, err = e.Recorder.Append(ctx, wire.AuditRecord{
		Kind: wire.AuditEnrolment, At: e.Clock().UTC(), Agency: s.agency, Device: s.device, Detail: detail,
	})
	if err != nil {
		e.Logger.Error("enrolment cannot be recorded", "step", s.Step, "error", err)
		return ErrUnrecorded
	}
	return nil
}

// refused records a refusal of a holder of a code, and returns what to answer.
func (e *Enroller) refused(ctx context.Context, s step, cause error) error {
	if s.unproven {
		e.strangers.Add(1)
		return cause
	}
	if r, ok := asRefusal(cause); ok {
		s.Refused = r.why.Code
		if r.cause != nil {
			s.Why = r.cause.Error()
		}
	} else {
		s.Why = cause.Error()
	}
	if err := e.record(ctx, s); err != nil {
		return err
	}
	return cause
}

func digestText(digest []byte) string { return hex.EncodeToString(digest) }
