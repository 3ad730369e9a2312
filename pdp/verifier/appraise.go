package verifier

import (
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Rules are everything that a device is held against and that is not its own.
type Rules struct {
	// Policy is the appraisal policy.
	Policy Policy
	// Exceptions are what agencies permit to fail, those of others included.
	Exceptions []wire.Exception
	// Version changes whenever anything of the Rules does, also by time: while
	// it stays, the same Evidence is judged the same and need not be read again.
	Version string
}

// Input is everything that one appraisal rests on.
type Input struct {
	Rules
	Evidence wire.Evidence
	// Device is the record of the device whose TLS key proved the connection.
	Device wire.Device
	// Nonce is the one that was given to this device on this connection.
	Nonce [wire.NonceSize]byte
	// Previous is the clock of the last Evidence without a fall, if any.
	Previous *wire.TPMClock
	// Last is the judgement of the last Evidence, nil if there is none, and Rests
	// what that gave as its own.
	Last  *wire.AttestationResult
	Rests [32]byte
	// Recall gives what was kept of the last accepted Evidence, nil if nothing
	// is. It is asked only where something changed, and may itself be nil.
	Recall func() *wire.Kept
	// IssuedAt is when the nonce was issued: the Evidence's age counts from it.
	IssuedAt time.Time
	Now      time.Time
	ValidFor time.Duration
}

// Appraise judges one Evidence.
func Appraise(in Input) wire.Appraised {
	out := wire.Appraised{AttestationResult: wire.AttestationResult{
		DeviceID: in.Device.ID, IssuedAt: in.IssuedAt, ValidUntil: in.IssuedAt.Add(in.ValidFor),
	}}
	proven, finding := prove(in)
	if finding == nil {
		finding = late(in)
	}
	if finding != nil {
		return refuse(out, *finding)
	}
	fallen := fall(in.Previous, proven.clock)
	rests := restsOn(in, proven)
	if in.Last != nil && len(fallen) == 0 && rests == in.Rests && rests != [32]byte{} {
		return again(in, out, proven)
	}
	kept := in.recall()
	raw, ok := documentOf(in.Evidence, proven, kept)
	if !ok {
		out.Incomplete, out.Wants = true, []wire.Want{wire.WantClaims}
		out.Findings = []wire.Finding{{Type: wire.FindingMissing, Reason: reason.New(reason.ClaimsNotKept)}}
		return out
	}
	out.Clock = proven.clock
	out.Vector = wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: proven.hardware}
	out = judge(in.Rules, out, parts{document: raw, fallen: fallen, device: in.Device, at: in.Now})
	if out.Vector.InstanceIdentity == wire.Contraindicated {
		return out
	}
	out.Fallen = len(fallen) > 0
	out.Kept = &wire.Kept{Document: raw, ResetCount: proven.clock.ResetCount}
	if !out.Fallen && len(out.Wants) == 0 {
		out.Rests = rests
	}
	return out
}

// parts are the pieces of Evidence that are judged once it is proven, now or
// when something changed that it is held against.
type parts struct {
	document []byte
	fallen   []wire.Finding
	// device is who said it, at when it is judged.
	device wire.Device
	at     time.Time
}

// judge holds what a device said against the rules. The vector's tiers of
// identity and hardware are set already.
func judge(rules Rules, out wire.Appraised, p parts) wire.Appraised {
	claims, findings, forged := appraiseDocument(p, rules)
	if forged {
		return refuse(out, findings...)
	}
	out.Claims = claims
	out.Vector.Executables = wire.TrustNone // the event log is not appraised
	out.Vector.Configuration = configuration(claims, findings)
	for _, f := range p.fallen {
		if f.Reason.Code == reason.FirmwareFell {
			out.Vector.Hardware = worse(out.Vector.Hardware, wire.Warning)
		} else {
			out.Vector.InstanceIdentity = wire.Warning
		}
	}
	if out.Vector.Executables != wire.Affirming {
		// Claims are the word of an operating system that nobody measured.
		out.Vector.Configuration = worse(out.Vector.Configuration, wire.Warning)
	}
	out.Findings = slices.Concat(p.fallen, findings, []wire.Finding{{Type: wire.FindingUnsupported, Reason: reason.New(reason.BootNotAppraised)}})
	return out
}

// appraiseDocument judges everything that a claims document says: what else it
// carries is judged after the claims, a line each, and adds its own.
func appraiseDocument(p parts, rules Rules) (claims []wire.Claim, findings []wire.Finding, forged bool) {
	document, ok := readClaims(p.document)
	if !ok {
		return nil, []wire.Finding{*unsupported(reason.ClaimsUnreadable)}, false
	}
	claims, findings, forged = appraiseClaims(document, rules.Policy)
	if forged {
		return nil, findings, true
	}
	excused := pardonsOf(rules.Exceptions, p.device, p.at)
	configured, faults := appraiseBaselines(document.Baselines, releaseOf(claims), p.device, rules.Policy, excused, p.at)
	claims, findings = append(claims, configured...), append(findings, faults...)
	excuse(claims, findings, excused)
	return claims, findings, false
}

// releaseOf is what the device says that its operating system is.
func releaseOf(claims []wire.Claim) map[string]string {
	for _, c := range claims {
		if c.ID == wire.ClaimOSRelease && c.State != wire.ClaimError {
			return c.Value
		}
	}
	return nil
}

// refuse ends an appraisal: nothing that the Evidence says is passed on.
func refuse(out wire.Appraised, findings ...wire.Finding) wire.Appraised {
	r := out.AttestationResult
	out = wire.Appraised{AttestationResult: wire.AttestationResult{
		DeviceID: r.DeviceID, IssuedAt: r.IssuedAt, ValidUntil: r.ValidUntil, Findings: findings,
	}}
	for _, f := range findings {
		if f.Type == wire.FindingTampered {
			out.Vector.InstanceIdentity = wire.Contraindicated
		}
	}
	return out
}

// worse returns the worse of two tiers; none, which is no judgement, stays.
func worse(a, b wire.Trustworthiness) wire.Trustworthiness {
	for _, tier := range [...]wire.Trustworthiness{wire.TrustNone, wire.Contraindicated, wire.Warning} {
		if a == tier || b == tier {
			return tier
		}
	}
	return wire.Affirming
}

func tampered(code string) *wire.Finding {
	return &wire.Finding{Type: wire.FindingTampered, Reason: reason.New(code)}
}

func unsupported(code string) *wire.Finding {
	return &wire.Finding{Type: wire.FindingUnsupported, Reason: reason.New(code)}
}
