package wire

import "time"

// The messages of attestation on the agents' port. The device is known by the
// pinned SPKI of its TLS client certificate, never from a field.

// NonceAnswer answers POST /v1/attest/nonce.
type NonceAnswer struct {
	Nonce []byte `json:"nonce"` // 32 bytes for QuoteBinding
	// Ticket is the sealed form of the nonce: device, connection, issue time.
	Ticket string `json:"ticket"`
	// ExpiresInSeconds counts from the answer.
	ExpiresInSeconds int `json:"expires_in_seconds"`
}

// AttestRequest is POST /v1/attest.
type AttestRequest struct {
	Ticket   string   `json:"ticket"`
	Evidence Evidence `json:"evidence"`
}

// AttestAnswer answers AttestRequest. Refused Evidence is answered too, with
// its findings, so that the agent can say what is wrong.
type AttestAnswer struct {
	Accepted bool              `json:"accepted"`
	Result   AttestationResult `json:"result"`
	// Device is how the device is known now: an administrator may have moved
	// it to another agency or put it into quarantine since it enrolled.
	Device KnownDevice `json:"device"`
	// NextInSeconds is when to attest again, jitter included.
	NextInSeconds int `json:"next_in_seconds"`
	// Trust is the last assessment's score of 0–100 for this device's person,
	// absent when there is none.
	Trust *int `json:"trust,omitempty"`
	// Wants names what the PDP does not have and asks for in the next Evidence,
	// which is then wanted at once.
	Wants []Want `json:"wants,omitempty"`
	// IMAFrom is how many entries of the IMA list the PDP has.
	IMAFrom int `json:"ima_from,omitempty"`
}

// KnownDevice is what an agent is told of its device's record.
type KnownDevice struct {
	ID     string       `json:"id"`
	Name   string       `json:"name"`
	Agency string       `json:"agency"`
	Status DeviceStatus `json:"status"`
}

// Want is a part of Evidence, or a document beside it, that the PDP asks for.
type Want string

// Wants.
const (
	WantClaims    Want = "claims"    // whole, not by digest
	WantEventLog  Want = "event-log" // whole, not by digest
	WantIMA       Want = "ima"       // the next piece of the list
	WantInventory Want = "inventory" // POST /v1/inventory
)

// CommandKind is something that the PDP asks of an agent.
type CommandKind string

// Commands.
const (
	CommandMeasure CommandKind = "measure" // and attest, now
	CommandRemedy  CommandKind = "remedy"  // apply the one for Claim, if the machine's administrator allows it
)

// Command is one thing asked of an agent.
type Command struct {
	ID   string      `json:"id"`
	Kind CommandKind `json:"kind"`
	// Claim is what CommandRemedy is to put right; it is Remediable.
	Claim ClaimID `json:"claim,omitempty"`
}

// PollLife bounds one long poll (design: protocols, Silence).
const PollLife = 20 * time.Second

// PollAnswer answers GET /v1/poll, which the agent keeps open at all times.
type PollAnswer struct {
	Commands []Command `json:"commands,omitempty"`
}

// SeatState says what the agent knows of the user whose browser asked.
type SeatState string

// Seat states. SeatNone only by explicit configuration.
const (
	SeatActive SeatState = "active"
	SeatNone   SeatState = "none"
)

// BindingWay says how browser and device were joined.
type BindingWay string

// Binding ways, strongest first.
const (
	BindingFetch      BindingWay = "fetch"
	BindingNavigation BindingWay = "navigation"
	BindingCode       BindingWay = "code"
)

// DeviceConfirmation is POST /v1/confirm: the agent says that a browser on
// this laptop holds the ceremony's nonce.
type DeviceConfirmation struct {
	// Nonce is the sealed device nonce from the sign-in page.
	Nonce string `json:"nonce"`
	// ReturnCode is 32 fresh random bytes, which go back to the page too.
	ReturnCode []byte     `json:"return_code"`
	Seat       SeatState  `json:"seat"`
	Way        BindingWay `json:"way"`
}

// DeviceConfirmed answers DeviceConfirmation.
type DeviceConfirmed struct {
	Accepted bool `json:"accepted"`
}

// Local API of the agent: what the sign-in page sends to the loopback listener
// (POST /v1/confirm with header Menshen-Ceremony: 1) and gets back.
type (
	// LocalConfirm carries the ceremony's sealed device nonce.
	LocalConfirm struct {
		Nonce string `json:"nonce"`
	}
	// LocalConfirmed carries the return code, base64url without padding.
	LocalConfirmed struct {
		ReturnCode string `json:"return_code"`
	}
)

// DefaultLoopbackPort is the agent's loopback port.
const DefaultLoopbackPort = 47615
