package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// healthy are the facts that a case starts from: somebody of the portal's own
// agency, on an enrolled laptop of which all is affirmed, who touched a hardware
// key five minutes ago.
func healthy(at time.Time) wire.Facts {
	touched, later := at.Add(-5*time.Minute), at.Add(time.Hour)
	return wire.Facts{
		Person: wire.Person{ID: "per-case", Agency: "moda"},
		Key:    wire.KeyFacts{Hardware: true},
		SignIn: wire.SignIn{PersonID: "per-case", KeyID: "key-case", At: touched, AAL: 3, UserVerified: true},
		Device: wire.Device{ID: "dev-case", Agency: "moda", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM},
		Binding: wire.DeviceBinding{
			DeviceID: "dev-case", At: touched, Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true,
		},
		Standing: wire.DeviceStanding{DeviceID: "dev-case", Standing: wire.StandingFresh, ChangesAt: later, Result: wire.AttestationResult{
			DeviceID: "dev-case", IssuedAt: at.Add(-time.Minute), ValidUntil: later, Claims: passing(at),
			Vector: wire.TrustVector{
				InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming,
			},
		}},
		Trust:   wire.TrustAssessment{Score: 90, Coverage: 1, ValidUntil: later},
		Portal:  wire.Portal{ID: "por-case", Agency: "moda", Sensitivity: wire.PortalNormal, Origin: "https://portal.moda.test"},
		Network: wire.NetworkFacts{Network: "192.0.2.0/24", Proven: true},
		At:      at,
	}
}

func passing(at time.Time) []wire.Claim {
	all := make([]wire.Claim, 0, len(claims))
	for _, c := range claims {
		all = append(all, wire.Claim{ID: c.id, State: wire.ClaimPass, MeasuredAt: at.Add(-time.Minute), Source: "case"})
	}
	return all
}

// setter changes facts so that an attribute of the schema reads as given.
type setter func(f *wire.Facts, v types.Value)

// setterOf returns what sets an attribute, nil if there is none. What is
// concluded from others, such as attestation.affirming, cannot be set alone.
func setterOf(name string) setter {
	if one, known := setters[name]; known {
		return one
	}
	section, last, _ := strings.Cut(strings.TrimPrefix(name, "context."), ".")
	switch section {
	case "attestation":
		if tier := tierOf(last); tier != nil {
			return func(f *wire.Facts, v types.Value) { *tier(&f.Standing.Result.Vector) = wire.Trustworthiness(word(v)) }
		}
	case "host":
		if tier := tierOf(last); tier != nil {
			return func(f *wire.Facts, v types.Value) { *tier(&f.Host.Vector) = wire.Trustworthiness(word(v)) }
		}
	case "claims":
		for _, c := range claims {
			if string(c.name) == last {
				return func(f *wire.Facts, v types.Value) { setClaimState(f, c.id, word(v)) }
			}
		}
	}
	return nil
}

var setters = map[string]setter{
	"principal.agency": func(f *wire.Facts, v types.Value) { f.Person.Agency = text(v) },
	"principal.active": func(f *wire.Facts, v types.Value) { f.Person.Disabled = !yes(v) },
	"principal.admin":  func(f *wire.Facts, v types.Value) { f.Person.Admin = yes(v) },

	"resource.agency":      func(f *wire.Facts, v types.Value) { f.Portal.Agency = text(v) },
	"resource.sensitivity": func(f *wire.Facts, v types.Value) { f.Portal.Sensitivity = wire.Sensitivity(text(v)) },
	"resource.origin":      func(f *wire.Facts, v types.Value) { f.Portal.Origin = text(v) },

	"context.signIn.aal":          func(f *wire.Facts, v types.Value) { f.SignIn.AAL = int(number(v)) },
	"context.signIn.ageSeconds":   func(f *wire.Facts, v types.Value) { f.SignIn.At = ago(f.At, number(v)) },
	"context.signIn.userVerified": func(f *wire.Facts, v types.Value) { f.SignIn.UserVerified = yes(v) },
	"context.signIn.hardwareKey":  func(f *wire.Facts, v types.Value) { f.Key.Hardware = yes(v) },
	"context.signIn.testKey":      func(f *wire.Facts, v types.Value) { f.SignIn.TestKey = yes(v) },
	"context.signIn.keyRevoked":   func(f *wire.Facts, v types.Value) { f.Key.Revoked = yes(v) },

	"context.device.status":     func(f *wire.Facts, v types.Value) { f.Device.Status = wire.DeviceStatus(word(v)) },
	"context.device.entitled":   func(f *wire.Facts, v types.Value) { f.Device.Owner = owner(f, yes(v)) },
	"context.device.group":      func(f *wire.Facts, v types.Value) { f.Device.Group = text(v) },
	"context.device.agency":     func(f *wire.Facts, v types.Value) { f.Device.Agency = text(v) },
	"context.device.provenance": func(f *wire.Facts, v types.Value) { f.Device.Provenance = wire.Provenance(word(v)) },
	"context.device.standing":   func(f *wire.Facts, v types.Value) { f.Standing.Standing = wire.Standing(text(v)) },

	"context.attestation.present": func(f *wire.Facts, v types.Value) { setPresent(f, yes(v)) },

	"context.binding.way":         func(f *wire.Facts, v types.Value) { f.Binding.Way = wire.BindingWay(word(v)) },
	"context.binding.seat":        func(f *wire.Facts, v types.Value) { f.Binding.Seat = wire.SeatState(text(v)) },
	"context.binding.sameNetwork": func(f *wire.Facts, v types.Value) { f.Binding.SameNetwork = yes(v) },
	"context.binding.ageSeconds":  func(f *wire.Facts, v types.Value) { f.Binding.At = ago(f.At, number(v)) },

	"context.trust.score":    func(f *wire.Facts, v types.Value) { f.Trust.Score = int(number(v)) },
	"context.trust.coverage": func(f *wire.Facts, v types.Value) { f.Trust.Coverage = min(1, (float64(number(v))+0.5)/100) },

	"context.network.address": func(f *wire.Facts, v types.Value) { f.Network.Network = text(v) },
	"context.network.proven":  func(f *wire.Facts, v types.Value) { f.Network.Proven = yes(v) },

	"context.host.named":    func(f *wire.Facts, v types.Value) { setHosts(f, yes(v)) },
	"context.host.known":    func(f *wire.Facts, v types.Value) { f.Host.Known = yes(v) },
	"context.host.standing": func(f *wire.Facts, v types.Value) { f.Host.Standing = wire.Standing(text(v)) },

	"context.request.class": func(f *wire.Facts, v types.Value) { f.Request.Class = text(v) },
	"context.risk.person":   func(f *wire.Facts, v types.Value) { f.Risk.Person = wire.RiskLevel(word(v)) },
	"context.risk.device":   func(f *wire.Facts, v types.Value) { f.Risk.Device = wire.RiskLevel(word(v)) },
}

func tierOf(name string) func(*wire.TrustVector) *wire.Trustworthiness {
	switch name {
	case "instanceIdentity":
		return func(v *wire.TrustVector) *wire.Trustworthiness { return &v.InstanceIdentity }
	case "hardware":
		return func(v *wire.TrustVector) *wire.Trustworthiness { return &v.Hardware }
	case "executables":
		return func(v *wire.TrustVector) *wire.Trustworthiness { return &v.Executables }
	case "configuration":
		return func(v *wire.TrustVector) *wire.Trustworthiness { return &v.Configuration }
	}
	return nil
}

func setClaimState(f *wire.Facts, id wire.ClaimID, state string) {
	result := &f.Standing.Result
	result.Claims = slices.DeleteFunc(slices.Clone(result.Claims), func(c wire.Claim) bool { return c.ID == id })
	if state != "" {
		result.Claims = append(result.Claims, wire.Claim{ID: id, State: wire.ClaimState(state), MeasuredAt: f.At, Source: "case"})
	}
}

func setPresent(f *wire.Facts, present bool) {
	f.Standing.Result.DeviceID = ""
	if present {
		f.Standing.Result.DeviceID = f.Device.ID
	}
}

func setHosts(f *wire.Facts, named bool) {
	f.Portal.Hosts = nil
	if named {
		f.Portal.Hosts = []string{"dev-host"}
	}
}

// owner is whom a device is given to: nobody, or somebody else.
func owner(f *wire.Facts, entitled bool) string {
	if entitled {
		return ""
	}
	return f.Person.ID + "-other"
}

func ago(at time.Time, seconds int64) time.Time {
	if seconds >= unknownAge {
		return time.Time{}
	}
	return at.Add(-time.Duration(seconds) * time.Second)
}

// A value of another type than its attribute's reads as zero here; that it does
// not read back is what tells of it.

func yes(v types.Value) bool { b, is := v.(types.Boolean); return is && bool(b) }

func number(v types.Value) int64 { n, _ := v.(types.Long); return int64(n) }

func text(v types.Value) string {
	switch t := v.(type) {
	case types.String:
		return string(t)
	case types.EntityUID:
		return string(t.ID)
	}
	return ""
}

// word is text, of which "none" is none.
func word(v types.Value) string {
	if s := text(v); s != "none" {
		return s
	}
	return ""
}

// value is what a document's scalar is as an attribute of that name.
func value(name string, scalar any) (types.Value, error) {
	switch v := scalar.(type) {
	case bool:
		return types.Boolean(v), nil
	case uint64:
		if v <= unknownAge {
			return types.Long(v), nil // #nosec G115 -- bounded on the line above
		}
	case string:
		if strings.HasSuffix(name, ".agency") {
			return agency(v), nil
		}
		return types.String(v), nil
	}
	return nil, fmt.Errorf("%s: %v is neither true, false, a text nor a number from 0 to %d", name, scalar, unknownAge)
}

// readsAs returns what policies see as an attribute.
func (r *request) readsAs(name string) types.Value {
	variable, rest, _ := strings.Cut(name, ".")
	from := r.context
	switch variable {
	case "principal":
		from = r.person.Attributes
	case "resource":
		from = r.portal.Attributes
	default:
		section, last, _ := strings.Cut(rest, ".")
		inner, _ := from.Get(types.String(section))
		from, _ = inner.(types.Record)
		rest = last
	}
	v, _ := from.Get(types.String(rest))
	return v
}

// arrange changes facts as a case says, in the order of the names, and sees that
// policies will read what was set.
func arrange(f *wire.Facts, set map[string]any) error {
	names := slices.Sorted(maps.Keys(set))
	wanted := make(map[string]types.Value, len(set))
	for _, name := range names {
		apply := setterOf(name)
		if apply == nil {
			return fmt.Errorf("%s cannot be set: it is not in the schema, or is concluded from others", name)
		}
		v, err := value(name, set[name])
		if err != nil {
			return err
		}
		wanted[name] = v
		apply(f, v)
	}
	r := newRequest(f, f.At)
	for _, name := range names {
		if got := r.readsAs(name); got == nil || !got.Equal(wanted[name]) {
			return fmt.Errorf("%s is set to %s and reads as %s: no session has both this and the rest of the case", name, wanted[name], got)
		}
	}
	return nil
}
