package signals

import (
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Event types (CAEP 1.0, 3; SSF 1.0, 8.1.4 and 8.1.5).
const (
	caepTypes            = "https://schemas.openid.net/secevent/caep/event-type/"
	kindSessionRevoked   = caepTypes + "session-revoked"
	kindComplianceChange = caepTypes + "device-compliance-change"
	kindAssuranceChange  = caepTypes + "assurance-level-change"
	kindRiskChange       = caepTypes + "risk-level-change"

	framework         = "https://schemas.openid.net/secevent/ssf/event-type/"
	kindVerification  = framework + "verification"
	kindStreamUpdated = framework + "stream-updated"
)

// supported are the event types that a stream may carry.
func supported() []string {
	return []string{kindSessionRevoked, kindComplianceChange, kindAssuranceChange, kindRiskChange}
}

// Initiator is who brought an event about (CAEP 1.0, 2).
type Initiator string

// Initiators.
const (
	ByAdmin  Initiator = "admin"
	ByUser   Initiator = "user"
	ByPolicy Initiator = "policy"
	BySystem Initiator = "system"
)

// texts is a message in both languages (CAEP 1.0, 2: reason_admin).
type texts map[string]string

func textsOf(code string, args ...string) texts {
	why, both := reason.New(code, args...), texts{}
	for _, language := range []reason.Language{reason.English, reason.Chinese} {
		both[string(language)] = reason.Of(language, why).What
	}
	return both
}

// common are the members that every CAEP event may have.
type common struct {
	At        int64     `json:"event_timestamp"` // NumericDate, seconds
	Initiator Initiator `json:"initiating_entity,omitempty"`
	Reason    texts     `json:"reason_admin,omitempty"`
}

type sessionRevoked struct{ common }

type assuranceChange struct {
	common
	Namespace string `json:"namespace"`
	Current   string `json:"current_level"`
	Previous  string `json:"previous_level"`
	Direction string `json:"change_direction"`
}

type complianceChange struct {
	common
	Previous string `json:"previous_status"`
	Current  string `json:"current_status"`
}

type riskChange struct {
	common
	Principal string `json:"principal"`
	Current   string `json:"current_level"`
	Previous  string `json:"previous_level,omitempty"`
	Why       string `json:"risk_reason,omitempty"`
}

type verification struct {
	State string `json:"state,omitempty"`
}

type streamUpdated struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// newAssuranceChange is of NIST SP 800-63B's levels.
func newAssuranceChange(at time.Time, before, after int) assuranceChange {
	level := func(aal int) string { return "nist-aal" + strconv.Itoa(aal) }
	direction := "increase"
	if after < before {
		direction = "decrease"
	}
	return assuranceChange{common{At: at.Unix(), Initiator: ByUser}, "NIST-AAL", level(after), level(before), direction}
}

// Compliance of a device, in CAEP's words.
const (
	compliant    = "compliant"
	notCompliant = "not-compliant"
)

// compliance judges a device as the appraisal sees it: in service, heard of in
// time, with nothing that speaks against it and a configuration that affirms.
// What is not known is not compliant.
func compliance(dev wire.Device, s wire.DeviceStanding) string {
	v := s.Result.Vector
	for _, tier := range []wire.Trustworthiness{v.InstanceIdentity, v.Hardware, v.Executables} {
		if tier == wire.Contraindicated {
			return notCompliant
		}
	}
	heard := s.Standing == wire.StandingFresh || s.Standing == wire.StandingSilent
	if dev.Status == wire.DeviceActive && heard && v.Configuration == wire.Affirming {
		return compliant
	}
	return notCompliant
}

// Risk of a session, in CAEP's words.
const (
	riskLow    = "LOW"
	riskMedium = "MEDIUM"
	riskHigh   = "HIGH"
)

// The borders are those of the baseline policy: below lowFrom a session reads
// only, below mediumFrom it has to touch the key again. Risk rises at the border
// and falls settleBy points beyond it, so that a score on the border is told once.
const (
	lowFrom    = 60
	mediumFrom = 30
	settleBy   = 5
)

// risk is the level of a score, after last was told ("" for nothing).
func risk(score int, last string) string {
	low, medium := lowFrom, mediumFrom
	switch last {
	case riskHigh:
		low, medium = lowFrom+settleBy, mediumFrom+settleBy
	case riskMedium:
		low = lowFrom + settleBy
	}
	switch {
	case score >= low:
		return riskLow
	case score >= medium:
		return riskMedium
	default:
		return riskHigh
	}
}

// identifier is a subject identifier (RFC 9493, 3.2).
type identifier struct {
	Format  string `json:"format"`
	ID      string `json:"id,omitempty"`
	Issuer  string `json:"iss,omitempty"`
	Subject string `json:"sub,omitempty"`
}

func opaque(id string) *identifier { return &identifier{Format: "opaque", ID: id} }

// complexSubject names who and what an event is about (SSF 1.0, 3.2).
type complexSubject struct {
	Format  string      `json:"format"`
	User    *identifier `json:"user,omitempty"`
	Device  *identifier `json:"device,omitempty"`
	Session *identifier `json:"session,omitempty"`
	Tenant  *identifier `json:"tenant,omitempty"`
}

// parties are who and what takes part in an event, each with the agency it
// belongs to.
type parties struct {
	session, sessionAgency string // the portal's
	person, personAgency   string
	device, deviceAgency   string
}

// subject is what an agency may be told of the parties: its own person, its own
// device, and the session where the person or the portal is its own. main says
// whether that is enough to tell it of the event at all.
func (p parties) subject(agency, issuer string) (s complexSubject, main bool) {
	s = complexSubject{Format: "complex", Tenant: opaque(agency)}
	own := func(id string) *identifier { return &identifier{Format: "iss_sub", Issuer: issuer, Subject: id} }
	if p.person != "" && p.personAgency == agency {
		s.User = own(p.person)
	}
	if p.device != "" && p.deviceAgency == agency {
		s.Device = own(p.device)
	}
	if p.session != "" && (p.sessionAgency == agency || s.User != nil) {
		s.Session = opaque(p.session)
	}
	if p.session != "" {
		return s, s.Session != nil
	}
	return s, s.Device != nil
}

// agencies are those that may be told something.
func (p parties) agencies() []string {
	if p.session == "" {
		return []string{p.deviceAgency}
	}
	if p.sessionAgency == p.personAgency || p.personAgency == "" {
		return []string{p.sessionAgency}
	}
	return []string{p.sessionAgency, p.personAgency}
}
