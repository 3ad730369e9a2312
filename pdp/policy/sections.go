package policy

import (
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// unknownAge is the age of what never happened, or happens in the future: it
// lies beyond every limit a policy can sensibly set.
const unknownAge = 999_999_999

// clockSkew is how far in the future an instant may lie and still be now:
// facts of one PDP are stamped by its own clock.
const clockSkew = 2 * time.Second

// section builds one of the context's sections, or finds it as it was built.
func (v *view) section(i int, f *wire.Facts, at time.Time) *types.Value {
	switch sections[i] {
	case "signIn":
		return v.signIns.get(v.signIn(f, at), v.signInRecord)
	case "device":
		return v.devices.get(v.device(f, at), v.deviceRecord)
	case "host":
		return v.hosts.get(host(f, at), v.hostRecord)
	case "attestation":
		return v.attestations.get(attestation(f), v.attestationRecord)
	case "claims":
		return v.claims.get(v.claimStates(f), v.claimsRecord)
	case "binding":
		return v.bindings.get(v.binding(f, at), v.bindingRecord)
	case "trust":
		return v.trusts.get(v.trust(&f.Trust, at), v.trustRecord)
	case "network":
		return v.networks.get(v.network(f), v.networkRecord)
	case "request":
		return v.requests.get(types.String(f.Request.Class), v.askedRecord)
	case "risk":
		return v.risks.get(riskKey{riskLevel(f.Risk.Person), riskLevel(f.Risk.Device)}, v.riskRecord)
	default:
		return v.clocks.get(v.clock(at), v.clockRecord)
	}
}

type networkKey struct {
	address string
	proven  bool
}

func (v *view) network(f *wire.Facts) networkKey {
	key := networkKey{address: f.Network.Network, proven: f.Network.Proven && f.Network.Network != ""}
	if !v.sees.address {
		key.address = ""
	}
	return key
}

func (v *view) networkRecord(key networkKey) types.Record {
	return v.record("network", types.RecordMap{"address": types.String(key.address), "proven": types.Boolean(key.proven)})
}

type signInKey struct {
	aal, age                                       types.Long
	userVerified, hardwareKey, testKey, keyRevoked bool
}

func (v *view) signIn(f *wire.Facts, at time.Time) signInKey {
	key := signInKey{
		aal: types.Long(f.SignIn.AAL), age: v.age(age(f.SignIn.At, at)), userVerified: f.SignIn.UserVerified,
		hardwareKey: f.Key.Hardware, testKey: f.SignIn.TestKey, keyRevoked: f.Key.Revoked,
	}
	if f.SignIn.PersonID == "" || f.SignIn.PersonID != f.Person.ID || f.SignIn.KeyID == "" {
		key.aal = 0 // somebody else's sign-in proves nothing
	}
	return key
}

func (v *view) signInRecord(key signInKey) types.Record {
	return v.record("signIn", types.RecordMap{
		"aal":          key.aal,
		"ageSeconds":   key.age,
		"userVerified": types.Boolean(key.userVerified),
		"hardwareKey":  types.Boolean(key.hardwareKey),
		"testKey":      types.Boolean(key.testKey),
		"keyRevoked":   types.Boolean(key.keyRevoked),
	})
}

type deviceKey struct {
	status           wire.DeviceStatus
	provenance       wire.Provenance
	standing         wire.Standing
	group, agency    string
	active, entitled bool
}

func (v *view) device(f *wire.Facts, at time.Time) deviceKey {
	bound := f.Device.ID != "" && f.Binding.DeviceID == f.Device.ID
	free := f.Device.Owner == "" || f.Device.Owner == f.Person.ID
	key := deviceKey{
		status: f.Device.Status, provenance: f.Device.Provenance, standing: standing(f, at), group: f.Device.Group, agency: f.Device.Agency,
		active: bound && f.Device.Status == wire.DeviceActive, entitled: bound && free,
	}
	if key.provenance == "" {
		key.provenance = "none"
	}
	if !bound || key.status == "" {
		key.status = "none"
	}
	if !v.sees.group {
		key.group = ""
	}
	return key
}

func (v *view) deviceRecord(key deviceKey) types.Record {
	return v.record("device", types.RecordMap{
		"active":     types.Boolean(key.active),
		"status":     types.String(key.status),
		"entitled":   types.Boolean(key.entitled),
		"group":      types.String(key.group),
		"agency":     agency(key.agency),
		"provenance": types.String(key.provenance),
		"standing":   types.String(key.standing),
	})
}

type hostKey struct {
	named, known bool
	standing     wire.Standing
	vector       wire.TrustVector
}

// host is what is known of the machines that serve the portal. Past the time
// at which it changes it is stale.
func host(f *wire.Facts, at time.Time) hostKey {
	h := &f.Host
	key := hostKey{named: len(f.Portal.Hosts) > 0, known: h.Known, standing: h.Standing}
	switch {
	case !h.Known:
		key.standing = wire.StandingStale
	case key.standing == wire.StandingRefused:
	case ended(h.ChangesAt, at) || (key.standing != wire.StandingFresh && key.standing != wire.StandingSilent):
		key.standing = wire.StandingStale
	}
	if h.Known {
		key.vector = h.Vector
	}
	return key
}

func (v *view) hostRecord(key hostKey) types.Record {
	contraindicated, affirming := sumUp(key.vector)
	return v.record("host", types.RecordMap{
		"named":            types.Boolean(key.named),
		"known":            types.Boolean(key.known),
		"standing":         types.String(key.standing),
		"instanceIdentity": tier(key.vector.InstanceIdentity),
		"hardware":         tier(key.vector.Hardware),
		"executables":      tier(key.vector.Executables),
		"configuration":    tier(key.vector.Configuration),
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

type bindingKey struct {
	way         wire.BindingWay
	seat        wire.SeatState
	sameNetwork bool
	age         types.Long
}

func (v *view) binding(f *wire.Facts, at time.Time) bindingKey {
	key := bindingKey{way: f.Binding.Way, seat: f.Binding.Seat, sameNetwork: f.Binding.SameNetwork, age: v.age(age(f.Binding.At, at))}
	if key.way == "" {
		key.way = "none"
	}
	if key.seat == "" {
		key.seat = "unknown"
	}
	return key
}

func (v *view) bindingRecord(key bindingKey) types.Record {
	return v.record("binding", types.RecordMap{
		"way":         types.String(key.way),
		"seat":        types.String(key.seat),
		"sameNetwork": types.Boolean(key.sameNetwork),
		"ageSeconds":  key.age,
	})
}

type trustKey struct{ score, coverage types.Long }

// trust reads an assessment that has ended, or says more than it can, as none.
func (v *view) trust(t *wire.TrustAssessment, at time.Time) trustKey {
	score, coverage := t.Score, t.Coverage
	if !at.Before(t.ValidUntil) || score < 0 || score > 100 {
		score, coverage = 0, 0
	}
	if !(coverage >= 0 && coverage <= 1) { // NaN fails both
		coverage = 0
	}
	key := trustKey{types.Long(score), types.Long(int64(coverage * 100))}
	if !v.sees.coverage {
		key.coverage = 0
	}
	return key
}

func (v *view) trustRecord(key trustKey) types.Record {
	return v.record("trust", types.RecordMap{"score": key.score, "coverage": key.coverage})
}

// age is as good as an age for the policies.
func (v *view) age(seconds types.Long) types.Long {
	if v.times == nil {
		return seconds
	}
	return v.times.age(seconds)
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

type claimsKey [len(claims)]wire.ClaimState

func (v *view) claimStates(f *wire.Facts) (states claimsKey) {
	there := present(f)
	for i, c := range claims {
		switch {
		case !v.sees.claims[i]:
		case there:
			states[i] = claimState(&f.Standing.Result, c.id)
		default:
			states[i] = "none"
		}
	}
	return states
}

func (v *view) claimsRecord(key claimsKey) types.Record {
	all := make(types.RecordMap, len(claims))
	for i, c := range claims {
		all[c.name] = types.String(key[i])
	}
	return v.record("claims", all)
}

// claimState is "pass" only for one claim that passes and has no finding.
func claimState(result *wire.AttestationResult, id wire.ClaimID) wire.ClaimState {
	state := wire.ClaimState("none")
	for i := range result.Claims {
		c := &result.Claims[i]
		if c.ID != id {
			continue
		}
		if state != "none" || !c.State.Valid() {
			return wire.ClaimError // said twice, or nothing sensible
		}
		state = c.State
	}
	for i := range result.Findings {
		if result.Findings[i].Claim == id && state == wire.ClaimPass {
			return wire.ClaimFail
		}
	}
	return state
}

type attestationKey struct {
	present bool
	vector  wire.TrustVector
}

func attestation(f *wire.Facts) attestationKey {
	if !present(f) {
		return attestationKey{}
	}
	return attestationKey{true, f.Standing.Result.Vector}
}

func (v *view) attestationRecord(key attestationKey) types.Record {
	contraindicated, affirming := sumUp(key.vector)
	return v.record("attestation", types.RecordMap{
		"present":          types.Boolean(key.present),
		"instanceIdentity": tier(key.vector.InstanceIdentity),
		"hardware":         tier(key.vector.Hardware),
		"executables":      tier(key.vector.Executables),
		"configuration":    tier(key.vector.Configuration),
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
