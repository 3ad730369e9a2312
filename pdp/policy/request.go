package policy

import (
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// unknownAge is the age of what never happened, or happens in the future: it
// lies beyond every limit a policy can sensibly set.
const unknownAge = 999_999_999

// clockSkew is how far in the future an instant may lie and still be now:
// facts of one PDP are stamped by its own clock.
const clockSkew = 2 * time.Second

func actionUID(a wire.Action) types.EntityUID {
	return types.NewEntityUID("Action", types.String(a))
}

// request is one session's facts as Cedar sees them.
type request struct {
	person, portal types.Entity
	context        types.Record
}

// Get implements cedar.EntityGetter over the two entities of a request.
func (r *request) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case r.person.UID:
		return r.person, true
	case r.portal.UID:
		return r.portal, true
	}
	return types.Entity{}, false
}

func (r *request) cedar(a wire.Action) cedar.Request {
	return cedar.Request{Principal: r.person.UID, Action: actionUID(a), Resource: r.portal.UID, Context: r.context}
}

func newRequest(f *wire.Facts, at time.Time) *request {
	return &request{person: person(&f.Person), portal: portal(&f.Portal), context: session(f, at)}
}

func agency(id string) types.EntityUID { return types.NewEntityUID("Agency", types.String(id)) }

func person(p *wire.Person) types.Entity {
	parents := make([]types.EntityUID, 0, 1+len(p.Groups))
	parents = append(parents, agency(p.Agency))
	for _, g := range p.Groups {
		parents = append(parents, types.NewEntityUID("Group", types.String(p.Agency+"/"+g)))
	}
	return types.Entity{
		UID:     types.NewEntityUID("Person", types.String(p.ID)),
		Parents: types.NewEntityUIDSet(parents...),
		Attributes: types.NewRecord(types.RecordMap{
			"agency": agency(p.Agency),
			"active": types.Boolean(p.ID != "" && p.Agency != "" && !p.Disabled),
			"admin":  types.Boolean(p.Admin),
		}),
	}
}

func portal(p *wire.Portal) types.Entity {
	sensitivity := wire.PortalSensitive // anything but normal (wire.Sensitivity)
	if p.Sensitivity == wire.PortalNormal {
		sensitivity = wire.PortalNormal
	}
	return types.Entity{
		UID:     types.NewEntityUID("Portal", types.String(p.ID)),
		Parents: types.NewEntityUIDSet(agency(p.Agency)),
		Attributes: types.NewRecord(types.RecordMap{
			"agency":      agency(p.Agency),
			"sensitivity": types.String(sensitivity),
			"origin":      types.String(p.Origin),
		}),
	}
}

func session(f *wire.Facts, at time.Time) types.Record {
	return types.NewRecord(types.RecordMap{
		"signIn":      signIn(f, at),
		"device":      device(f, at),
		"host":        host(f, at),
		"attestation": attestation(f),
		"claims":      claimStates(f),
		"binding":     binding(f, at),
		"trust":       trust(&f.Trust, at),
		"network":     network(f),
		"request":     asked(f),
		"risk":        risk(&f.Risk),
		"time":        clock(at),
	})
}

func network(f *wire.Facts) types.Record {
	return types.NewRecord(types.RecordMap{
		"address": types.String(f.Network.Network),
		"proven":  types.Boolean(f.Network.Proven && f.Network.Network != ""),
	})
}

func signIn(f *wire.Facts, at time.Time) types.Record {
	aal := f.SignIn.AAL
	if f.SignIn.PersonID == "" || f.SignIn.PersonID != f.Person.ID || f.SignIn.KeyID == "" {
		aal = 0 // somebody else's sign-in proves nothing
	}
	return types.NewRecord(types.RecordMap{
		"aal":          types.Long(aal),
		"ageSeconds":   age(f.SignIn.At, at),
		"userVerified": types.Boolean(f.SignIn.UserVerified),
		"hardwareKey":  types.Boolean(f.Key.Hardware),
		"testKey":      types.Boolean(f.SignIn.TestKey),
		"keyRevoked":   types.Boolean(f.Key.Revoked),
	})
}

func device(f *wire.Facts, at time.Time) types.Record {
	bound := f.Device.ID != "" && f.Binding.DeviceID == f.Device.ID
	provenance := f.Device.Provenance
	if provenance == "" {
		provenance = "none"
	}
	status := f.Device.Status
	if !bound || status == "" {
		status = "none"
	}
	free := f.Device.Owner == "" || f.Device.Owner == f.Person.ID
	return types.NewRecord(types.RecordMap{
		"active":     types.Boolean(bound && f.Device.Status == wire.DeviceActive),
		"status":     types.String(status),
		"entitled":   types.Boolean(bound && free),
		"group":      types.String(f.Device.Group),
		"agency":     agency(f.Device.Agency),
		"provenance": types.String(provenance),
		"standing":   types.String(standing(f, at)),
	})
}

// host is what is known of the machines that serve the portal. Past the time
// at which it changes it is stale.
func host(f *wire.Facts, at time.Time) types.Record {
	h := &f.Host
	standing := h.Standing
	switch {
	case !h.Known:
		standing = wire.StandingStale
	case standing == wire.StandingRefused:
	case ended(h.ChangesAt, at) || (standing != wire.StandingFresh && standing != wire.StandingSilent):
		standing = wire.StandingStale
	}
	var v wire.TrustVector
	if h.Known {
		v = h.Vector
	}
	contraindicated, affirming := sumUp(v)
	return types.NewRecord(types.RecordMap{
		"named":            types.Boolean(len(f.Portal.Hosts) > 0),
		"known":            types.Boolean(h.Known),
		"standing":         types.String(standing),
		"instanceIdentity": tier(v.InstanceIdentity),
		"hardware":         tier(v.Hardware),
		"executables":      tier(v.Executables),
		"configuration":    tier(v.Configuration),
		"contraindicated":  types.Boolean(contraindicated),
		"affirming":        types.Boolean(affirming),
	})
}

// sumUp says whether any tier speaks against, and whether all speak for.
func sumUp(v wire.TrustVector) (contraindicated, affirming bool) {
	affirming = true
	for _, t := range [...]wire.Trustworthiness{v.InstanceIdentity, v.Hardware, v.Executables, v.Configuration} {
		contraindicated = contraindicated || t == wire.Contraindicated
		affirming = affirming && t == wire.Affirming
	}
	return contraindicated, affirming
}

// standing is what can be relied on at that moment: a standing of another
// device, past its own change, or whose result has ended, is stale.
func standing(f *wire.Facts, at time.Time) wire.Standing {
	s := &f.Standing
	if s.Standing == wire.StandingRefused {
		return wire.StandingRefused
	}
	if !present(f) || ended(s.ChangesAt, at) || !at.Before(s.Result.ValidUntil) {
		return wire.StandingStale
	}
	if s.Standing == wire.StandingFresh || s.Standing == wire.StandingSilent {
		return s.Standing
	}
	return wire.StandingStale
}

func binding(f *wire.Facts, at time.Time) types.Record {
	way, seat := f.Binding.Way, f.Binding.Seat
	if way == "" {
		way = "none"
	}
	if seat == "" {
		seat = "unknown"
	}
	return types.NewRecord(types.RecordMap{
		"way":         types.String(way),
		"seat":        types.String(seat),
		"sameNetwork": types.Boolean(f.Binding.SameNetwork),
		"ageSeconds":  age(f.Binding.At, at),
	})
}

// trust reads an assessment that has ended, or says more than it can, as none.
func trust(t *wire.TrustAssessment, at time.Time) types.Record {
	score, coverage := t.Score, t.Coverage
	if !at.Before(t.ValidUntil) || score < 0 || score > 100 {
		score, coverage = 0, 0
	}
	if !(coverage >= 0 && coverage <= 1) { // NaN fails both
		coverage = 0
	}
	return types.NewRecord(types.RecordMap{
		"score":    types.Long(score),
		"coverage": types.Long(int64(coverage * 100)),
	})
}

// age is the whole seconds from then to now.
func age(then, now time.Time) types.Long {
	if then.IsZero() || then.After(now.Add(clockSkew)) {
		return unknownAge
	}
	if then.After(now) {
		return 0
	}
	return types.Long(min(int64(now.Sub(then)/time.Second), unknownAge))
}

func ended(end, at time.Time) bool { return !end.IsZero() && !at.Before(end) }

// present reports whether there is an appraisal of this very device. What the
// last one said stays visible when it is stale, so that a person is told one
// fault and not its consequences; its standing denies by itself.
func present(f *wire.Facts) bool {
	return f.Device.ID != "" && f.Standing.DeviceID == f.Device.ID && f.Standing.Result.DeviceID == f.Device.ID
}

// claim is one of the claims that policies see, with its name in the schema.
type claim struct {
	name types.String
	id   wire.ClaimID
}

var claims = [...]claim{
	{"osRelease", wire.ClaimOSRelease},
	{"osUpdates", wire.ClaimOSUpdates},
	{"automaticUpdates", wire.ClaimAutoUpdates},
	{"diskEncryption", wire.ClaimDiskEncryption},
	{"firewall", wire.ClaimFirewall},
	{"secureBoot", wire.ClaimSecureBoot},
	{"kernelLockdown", wire.ClaimKernelLockdown},
	{"screenLock", wire.ClaimScreenLock},
	{"antivirus", wire.ClaimAntivirus},
	{"timeSync", wire.ClaimTimeSync},
	{"administrators", wire.ClaimAdministrators},
	{"usbStorage", wire.ClaimUSBStorage},
}

func claimStates(f *wire.Facts) types.Record {
	states := make(types.RecordMap, len(claims))
	for _, c := range claims {
		states[c.name] = types.String("none")
		if present(f) {
			states[c.name] = types.String(claimState(&f.Standing.Result, c.id))
		}
	}
	return types.NewRecord(states)
}

// claimState is "pass" only for one claim that passes and has no finding.
func claimState(result *wire.AttestationResult, id wire.ClaimID) string {
	state := "none"
	for i := range result.Claims {
		c := &result.Claims[i]
		if c.ID != id {
			continue
		}
		if state != "none" || !c.State.Valid() {
			return string(wire.ClaimError) // said twice, or nothing sensible
		}
		state = string(c.State)
	}
	for i := range result.Findings {
		if result.Findings[i].Claim == id && state == string(wire.ClaimPass) {
			return string(wire.ClaimFail)
		}
	}
	return state
}

func attestation(f *wire.Facts) types.Record {
	var v wire.TrustVector
	if present(f) {
		v = f.Standing.Result.Vector
	}
	contraindicated, affirming := sumUp(v)
	return types.NewRecord(types.RecordMap{
		"present":          types.Boolean(present(f)),
		"instanceIdentity": tier(v.InstanceIdentity),
		"hardware":         tier(v.Hardware),
		"executables":      tier(v.Executables),
		"configuration":    tier(v.Configuration),
		"contraindicated":  types.Boolean(contraindicated),
		"affirming":        types.Boolean(affirming),
	})
}

func tier(t wire.Trustworthiness) types.String {
	switch t {
	case wire.Affirming, wire.Warning, wire.Contraindicated:
		return types.String(t)
	}
	return "none"
}
