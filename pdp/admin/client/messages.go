package client

import (
	"encoding/json"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// The messages of the administrators' socket. The server decodes what it gets
// strictly; secrets are in answers once, and never in a request's path.
type (
	// NewPerson asks for a person in an agency.
	NewPerson struct {
		Name    string   `json:"name"`
		Account string   `json:"account"`
		Groups  []string `json:"groups,omitempty"`
		Admin   bool     `json:"admin,omitempty"`
	}
	// Person is a person with the keys registered for them.
	Person struct {
		Person wire.Person        `json:"person"`
		Keys   []wire.SecurityKey `json:"keys,omitempty"`
	}
	// NewLink asks for a one-time key registration link.
	NewLink struct {
		LifeSeconds int64 `json:"life_seconds"`
	}
	// Link is the link, told this once.
	Link struct {
		URL     string    `json:"url"`
		Expires time.Time `json:"expires"`
	}
	// NewPortal asks for a portal in an agency.
	NewPortal struct {
		NameZH      string           `json:"name_zh"`
		NameEN      string           `json:"name_en"`
		Origin      string           `json:"origin"`
		Sensitivity wire.Sensitivity `json:"sensitivity"`
	}
	// PortalCreated is a new portal and its proxy's bearer secret, told this once.
	PortalCreated struct {
		Portal wire.Portal `json:"portal"`
		Secret string      `json:"secret"`
	}
	// NewCode asks for a one-time enrolment code for a device of this name.
	NewCode struct {
		DeviceName  string `json:"device_name"`
		LifeSeconds int64  `json:"life_seconds"`
		// Replace lets another TPM take the place of the device of this name.
		Replace bool `json:"replace,omitempty"`
	}
	// NewCodes asks for a code for each line of a CSV list with the one column
	// device_name.
	NewCodes struct {
		CSV         string `json:"csv"`
		LifeSeconds int64  `json:"life_seconds"`
	}
	// Codes are the codes, told this once.
	Codes struct {
		Codes   []wire.IssuedCode `json:"codes"`
		Expires time.Time         `json:"expires"`
	}
	// NewExpected asks for a list of expected devices, in CSV.
	NewExpected struct {
		Name string `json:"name"`
		CSV  string `json:"csv"`
	}
	// ExpectedImported is the new list, and how many devices that waited for
	// approval it approved.
	ExpectedImported struct {
		List     wire.ExpectedList `json:"list"`
		Approved int               `json:"approved"`
	}
	// Code is the code, told this once.
	Code struct {
		Code    string    `json:"code"`
		Expires time.Time `json:"expires"`
	}
	// Device is a device and how far it can be relied on now.
	Device struct {
		Device   wire.Device         `json:"device"`
		Standing wire.DeviceStanding `json:"standing"`
	}
	// StatusChange says why a device's status is changed.
	StatusChange struct {
		Reason string `json:"reason"`
	}
	// Assign gives a device to a person, named by id or by account in the
	// device's agency; empty gives it to nobody.
	Assign struct {
		Person string `json:"person"`
	}
	// Group puts a device into a group, empty into none.
	Group struct {
		Group string `json:"group"`
	}
	// Transfer moves a device to another agency, under its present name if
	// Name is empty.
	Transfer struct {
		Agency string `json:"agency"`
		Name   string `json:"name,omitempty"`
		Reason string `json:"reason,omitempty"`
	}
	// Hosts are the devices that serve a portal, named by id or by name in the
	// portal's agency; none takes the names away.
	Hosts struct {
		Devices []string `json:"devices"`
	}
	// Session is a portal session that stands.
	Session struct {
		ID       string    `json:"id"`
		Portal   string    `json:"portal"`
		Person   string    `json:"person"`
		Device   string    `json:"device"`
		Networks []string  `json:"networks"`
		Created  time.Time `json:"created"`
		SignIn   time.Time `json:"sign_in"`
		LastSeen time.Time `json:"last_seen"`
		Ends     time.Time `json:"ends"`
	}
	// Revoked says how many sessions were ended.
	Revoked struct {
		Sessions int `json:"sessions"`
	}
	// Record is one record of the audit log, its detail readable.
	Record struct {
		Sequence uint64          `json:"sequence"`
		Kind     wire.AuditKind  `json:"kind"`
		At       time.Time       `json:"at"`
		Agency   string          `json:"agency,omitempty"`
		Subject  string          `json:"subject,omitempty"`
		Device   string          `json:"device,omitempty"`
		Portal   string          `json:"portal,omitempty"`
		Session  string          `json:"session,omitempty"`
		Decision string          `json:"decision,omitempty"`
		Detail   json.RawMessage `json:"detail,omitempty"`
	}
	// Policy is an access policy set: file names and their Cedar text.
	Policy struct {
		Version string            `json:"version"`
		Files   map[string]string `json:"files"`
	}
	// PolicyCheck asks whether a policy set could be loaded.
	PolicyCheck struct {
		Files map[string]string `json:"files"`
	}
	// PolicyChecked answers PolicyCheck; Problem is empty for a good set.
	PolicyChecked struct {
		Version string `json:"version,omitempty"`
		Problem string `json:"problem,omitempty"`
	}
	// Status is how the PDP is.
	Status struct {
		Version   string    `json:"version"`
		StartedAt time.Time `json:"started_at"`
		// Healthy says that decisions can be given now; Problems say why not.
		Healthy  bool                  `json:"healthy"`
		Problems []wire.Reason         `json:"problems,omitempty"`
		Devices  map[wire.Standing]int `json:"devices"`
		Sessions int                   `json:"sessions"`
		Counters map[string]uint64     `json:"counters,omitempty"`
	}
)

// RecordOf returns an audit record as it is shown. A detail that is no JSON
// is shown as a string.
func RecordOf(sequence uint64, r wire.AuditRecord) Record {
	detail := json.RawMessage(r.Detail)
	if len(detail) > 0 && !json.Valid(detail) {
		detail, _ = json.Marshal(string(r.Detail)) // a string always marshals
	}
	return Record{
		Sequence: sequence, Kind: r.Kind, At: r.At, Agency: r.Agency, Subject: r.Subject, Device: r.Device,
		Portal: r.Portal, Session: r.Session, Decision: r.Decision, Detail: detail,
	}
}
