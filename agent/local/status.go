package local

import (
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Health is the answer to "is all well?".
type Health string

// Healths. The zero value is not a health and counts as unknown.
const (
	HealthGood    Health = "healthy" // accepted, nothing found, still valid
	HealthFailing Health = "failing" // something was found or refused
	HealthUnknown Health = "unknown" // cannot tell
)

// Status is what the agent says of itself, for people and for scripts.
type Status struct {
	V      int    `json:"v"`
	Health Health `json:"health"`
	// Reason says why Health is unknown or why the device is refused.
	Reason *wire.Reason `json:"reason,omitempty"`
	// Version is the agent's own.
	Version  string `json:"version"`
	Enrolled bool   `json:"enrolled"`

	DeviceID   string          `json:"device_id,omitempty"`
	DeviceName string          `json:"device_name,omitempty"`
	Agency     string          `json:"agency,omitempty"`
	Provenance wire.Provenance `json:"provenance,omitempty"`
	PDP        string          `json:"pdp,omitempty"`
	WebOrigin  string          `json:"web_origin,omitempty"`

	// Connected says that the standing connection to the PDP is up.
	Connected bool `json:"connected"`
	// Accepted, Result and Trust are the PDP's last answer, if it gave one.
	Accepted bool                    `json:"accepted"`
	Result   *wire.AttestationResult `json:"result,omitempty"`
	Trust    *int                    `json:"trust,omitempty"`
	// NextAt is when the agent attests again at the latest.
	NextAt *time.Time `json:"next_at,omitempty"`
	// Claims are what was measured last, sent or not.
	Claims []wire.Claim `json:"claims,omitempty"`
	// Problems are what hinders the agent now, each with its reason.
	Problems []wire.Reason `json:"problems,omitempty"`
	// Seat is how the agent tells who sits here: logind or none.
	Seat string `json:"seat"`
	Port int    `json:"port"`
}
