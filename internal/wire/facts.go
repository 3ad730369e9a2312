package wire

import (
	"net/netip"
	"time"
)

// Action is a graded action: a middling score can still read.
type Action string

// Actions. Anything that no rule lists counts as write.
const (
	ActionRead  Action = "read"
	ActionWrite Action = "write"
	ActionAdmin Action = "admin"
)

// SignIn is what a session knows of the person's last sign-in.
type SignIn struct {
	PersonID string    `json:"person_id"`
	KeyID    string    `json:"key_id"`
	At       time.Time `json:"at"`
	// AAL is 3 only where a hardware key's attestation was proven and the user
	// was verified; 2 for a permitted test authenticator; 0 is nothing proven.
	AAL          int      `json:"aal"`
	UserVerified bool     `json:"user_verified"`
	AMR          []string `json:"amr"` // RFC 8176: "hwk", "pin", "mfa"
	// TestKey says that a test authenticator was used by explicit setting.
	TestKey bool `json:"test_key,omitempty"`
	// ZoneMinutes is the browser's offset from UTC at that time, east positive,
	// as it said itself; nil where it did not. Nothing is proven by it.
	ZoneMinutes *int `json:"zone_minutes,omitempty"`
}

// FailedSignIn is a sign-in that was refused to somebody who is known by a key's
// credential. Who failed need not be that person.
type FailedSignIn struct {
	Person  Person
	Portal  string // empty where it did not come that far
	Address netip.Addr
	At      time.Time
}

// DeviceBinding is what a session knows of the laptop that its browser is on.
type DeviceBinding struct {
	DeviceID    string     `json:"device_id"`
	At          time.Time  `json:"at"`
	Way         BindingWay `json:"way"`
	Seat        SeatState  `json:"seat"`
	SameNetwork bool       `json:"same_network"`
}

// Facts is everything the engine may look at for one session and portal. It is
// canonical: marshalled by encoding/json it gives the bytes that the decision's
// inputs digest covers.
type Facts struct {
	Person   Person          `json:"person"`
	Key      KeyFacts        `json:"key"`
	SignIn   SignIn          `json:"sign_in"`
	Device   Device          `json:"device"`
	Binding  DeviceBinding   `json:"binding"`
	Standing DeviceStanding  `json:"standing"`
	Trust    TrustAssessment `json:"trust"`
	Portal   Portal          `json:"portal"`
	Network  NetworkFacts    `json:"network"`
	// Host is the worst of the portal's own hosts.
	Host HostFacts `json:"host"`
	// Request is what is asked for, as the portal's routes name it.
	Request RequestFacts `json:"request"`
	// Risk is what a SIEM or an EDR says of this person and this device.
	Risk RiskFacts `json:"risk"`
	At   time.Time `json:"at"`
}

// RequestFacts is what policy may know of the thing that is asked for.
type RequestFacts struct {
	// Class is the policy resource class; empty where no route names one.
	Class string `json:"class,omitempty"`
}

// RiskLevel is what a receiver of risk signals was told (CAEP 1.0, risk level
// change). The zero value is that nobody said anything.
type RiskLevel string

// Risk levels.
const (
	RiskLow    RiskLevel = "low"
	RiskMedium RiskLevel = "medium"
	RiskHigh   RiskLevel = "high"
)

// RiskFacts are the highest levels that hold, of all who report.
type RiskFacts struct {
	Person RiskLevel `json:"person,omitempty"`
	Device RiskLevel `json:"device,omitempty"`
	// ChangesAt is when one of them ends by time alone; zero if none does.
	ChangesAt time.Time `json:"changes_at,omitzero"`
}

// HostFacts is what is known of the machines that serve a portal
// (requirements 20). The zero value is nothing known.
type HostFacts struct {
	// Known says that the portal names its hosts and all of them are enrolled,
	// active and of the portal's agency.
	Known bool `json:"known"`
	// Standing and Vector are the worst of all the hosts'.
	Standing Standing    `json:"standing"`
	Vector   TrustVector `json:"vector"`
	// ChangesAt is when this is to be looked at again if nothing happens.
	ChangesAt time.Time `json:"changes_at"`
}

// KeyFacts is what policy may know of the security key.
type KeyFacts struct {
	Hardware bool `json:"hardware"`
	Revoked  bool `json:"revoked"`
}

// NetworkFacts is what the portal's proxy saw.
type NetworkFacts struct {
	// Network is the IPv4 /24 or IPv6 /56 as the proxy saw it.
	Network string `json:"network"`
	// Proven says that this session's device was confirmed from this network.
	Proven bool `json:"proven"`
}
