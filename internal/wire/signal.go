package wire

import (
	"encoding/json"
	"time"
)

// SignalReceiver is who may have streams of an agency's security events
// (OpenID Shared Signals Framework 1.0).
type SignalReceiver struct {
	ID     string `json:"id"`
	Agency string `json:"agency"`
	Name   string `json:"name"`
	// Push are the https addresses that it may have events pushed to; one that
	// ends in a slash stands for all below it. None: it polls.
	Push    []string  `json:"push,omitempty"`
	AddedAt time.Time `json:"added_at"`
	AddedBy string    `json:"added_by"`
	// Streams are those it has now; they are not stored with it.
	Streams []SignalStream `json:"streams,omitempty"`
}

// SignalStream is how one stream of events stands.
type SignalStream struct {
	ID       string `json:"id"`
	Endpoint string `json:"endpoint,omitempty"` // empty: it is polled
	Status   string `json:"status"`             // enabled, paused, disabled
	Reason   string `json:"reason,omitempty"`
	Pending  int    `json:"pending"` // events that are not acknowledged yet
	// Missed counts events that were not kept since the stream was full.
	Missed uint64 `json:"missed,omitempty"`
}

// SignalSource is a SIEM or an EDR whose word on people's and devices' risk an
// agency heeds.
type SignalSource struct {
	ID     string `json:"id"`
	Agency string `json:"agency"`
	Name   string `json:"name"`
	Issuer string `json:"issuer"`
	// Keys is its JWK set (RFC 7517); none where it publishes it at KeysURL, an
	// https address. One of both is there.
	Keys    json.RawMessage `json:"keys,omitempty"`
	KeysURL string          `json:"keys_url,omitempty"`
	// Domains are the mail domains of the agency's accounts: wang@<domain> is
	// the account wang. None: it names nobody by mail address.
	Domains []string `json:"domains,omitempty"`
	// Life is how long what it says counts, in hours.
	Life    int       `json:"life_hours"`
	AddedAt time.Time `json:"added_at"`
	AddedBy string    `json:"added_by"`
	// Statements counts what it says at present; it is not stored with it.
	Statements int `json:"statements,omitempty"`
}
