package verifier

import (
	"bytes"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Rules are everything that one device is held against and that it does not
// send itself.
type Rules struct {
	// Policy is the appraisal policy.
	Policy Policy
	// References are the agency's reference values, nil if it has none.
	References *wire.ReferenceSet
	// Exceptions are what agencies permit to fail, those of others included.
	Exceptions []wire.Exception
	// Inventory is the digest of the software list that the device sent last,
	// Vulnerabilities what the feed knows of it; nil if there is none.
	Inventory       []byte
	Vulnerabilities *wire.Vulnerabilities
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
	// Cloned says that two copies of this device's software keys were seen.
	Cloned bool
	// Last is the judgement of the last Evidence, nil if there is none, and Rests
	// what that gave as its own.
	Last  *wire.AttestationResult
	Rests [32]byte
	// Recall gives what was kept of the last accepted Evidence, and RecallBoot
	// the last boot that a log told of, nil if nothing is. They are asked only
	// where something changed, and may themselves be nil.
	Recall     func() *wire.Kept
	RecallBoot func() *wire.Boot
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
	before := in.recall()
	raw, ok := documentOf(in.Evidence, proven, before)
	if !ok {
		out.Incomplete, out.Wants = true, []wire.Want{wire.WantClaims}
		out.Findings = []wire.Finding{{Type: wire.FindingMissing, Reason: reason.New(reason.ClaimsNotKept)}}
		return out
	}
	kept := &wire.Kept{Document: raw, ResetCount: proven.clock.ResetCount, Hardware: proven.hardware, Fallen: fallen}
	boot, read, wanted := readBoot(in, proven, before, kept)
	ran, more := readRunTime(in, proven, before, kept)
	out.Clock = proven.clock
	out = judge(in.Rules, parts{in.Device, kept, boot, in.Now}, out)
	if out.Vector.InstanceIdentity == wire.Contraindicated {
		return out
	}
	out.Ran = ran
	if read {
		out.Boot = boot
	}
	if wanted {
		out.Wants = append(out.Wants, wire.WantEventLog)
	}
	if more {
		out.Wants = append(out.Wants, wire.WantIMA)
	}
	if kept.IMA != nil {
		out.IMAFrom = kept.IMA.Count
	}
	out.Kept, out.Fallen = kept, len(fallen) > 0
	if !out.Fallen && len(out.Wants) == 0 {
		out.Rests = rests
	}
	return out
}

// Review judges a device anew by what is kept of its last accepted Evidence,
// because the rules changed. Last is the judgement as it stood; its times stay.
func Review(rules Rules, device wire.Device, now time.Time, last wire.AttestationResult, kept wire.Kept, recallBoot func() *wire.Boot) wire.Appraised {
	out := wire.Appraised{AttestationResult: wire.AttestationResult{
		DeviceID: last.DeviceID, IssuedAt: last.IssuedAt, ValidUntil: last.ValidUntil, Clock: last.Clock,
	}}
	return judge(rules, parts{device, &kept, keptBoot(recallBoot, &kept), now}, out)
}

// parts are what is judged of Evidence once it is proven, now or when something
// changed that it is held against.
type parts struct {
	device wire.Device
	kept   *wire.Kept
	boot   *wire.Boot // nil if nothing is known of it
	at     time.Time  // when it is judged
}

// judge holds what a device proved and said against the rules.
func judge(rules Rules, p parts, out wire.Appraised) wire.Appraised {
	k, boot := p.kept, p.boot
	claims, findings, wants, forged := appraiseDocument(p, rules)
	if forged {
		return refuse(out, findings...)
	}
	out.Claims, out.Wants = claims, wants
	out.Vector = wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: k.Hardware}
	for _, f := range k.Fallen {
		if f.Reason.Code == reason.FirmwareFell {
			out.Vector.Hardware = worse(out.Vector.Hardware, wire.Warning)
		} else {
			out.Vector.InstanceIdentity = wire.Warning
		}
	}
	booted := bootOf(rules, k, boot)
	running, run := appraiseRunTime(k.IMA)
	out.Vector.Executables = worst(worst(booted.Executables, appraiseLog(k.LogFindings)), running)
	out.Vector.Hardware = worst(out.Vector.Hardware, booted.Hardware)
	out.Vector.Configuration = configuration(claims, findings)
	lie := contradicted(boot, claims)
	switch {
	case lie != nil:
		findings = append([]wire.Finding{*lie}, findings...)
		out.Vector.Configuration = wire.Contraindicated
	case out.Vector.Executables != wire.Affirming:
		// Claims are the word of an operating system that nobody vouches for.
		out.Vector.Configuration = worse(out.Vector.Configuration, wire.Warning)
	}
	out.Findings = gravest(slices.Concat(k.Fallen, findings, k.LogFindings, booted.Findings, run))
	return out
}

// bootOf appraises what is known of the boot. Where no TPM speaks that is
// nothing, and nothing can be demanded.
func bootOf(rules Rules, k *wire.Kept, boot *wire.Boot) wire.BootAppraisal {
	if k.Hardware == wire.TrustNone {
		return wire.BootAppraisal{Findings: []wire.Finding{{Type: wire.FindingUnsupported, Reason: reason.New(reason.SoftwareKeys), Note: true}}}
	}
	if boot == nil {
		boot = &wire.Boot{} // appraised as one that shows nothing
	}
	return AppraiseBoot(*boot, rules.References, rules.Policy.Boot)
}

// appraiseDocument judges everything that a claims document says: what else it
// carries is judged after the claims, a line each, and adds its own.
func appraiseDocument(p parts, rules Rules) (claims []wire.Claim, findings []wire.Finding, wants []wire.Want, forged bool) {
	document, ok := readClaims(p.kept.Document)
	if !ok {
		return nil, []wire.Finding{*unsupported(reason.ClaimsUnreadable)}, nil, false
	}
	claims, findings, forged = appraiseClaims(document, rules.Policy)
	if forged {
		return nil, findings, nil, true
	}
	if len(document.Inventory) > 0 && !bytes.Equal(document.Inventory, rules.Inventory) {
		wants = append(wants, wire.WantInventory)
	}
	known, flaws := appraiseVulnerabilities(rules.Vulnerabilities, document.Inventory, rules.Policy, systemOf(claims), p.at)
	claims, findings = append(claims, known...), append(findings, flaws...)
	excused := pardonsOf(rules.Exceptions, p.device, p.at)
	configured, faults := appraiseBaselines(document.Baselines, releaseOf(claims), p.device, rules.Policy, excused, p.at)
	claims, findings = append(claims, configured...), append(findings, faults...)
	excuse(claims, findings, excused)
	return claims, findings, wants, false
}

// systemOf is the family of the operating system, for the steps of a repair.
func systemOf(claims []wire.Claim) reason.System {
	release := releaseOf(claims)
	return reason.SystemOf(release["id"], release["id_like"])
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
		// What was rolled back so far that nothing is judged is a copy's.
		if f.Type == wire.FindingTampered || f.Type == wire.FindingRolledBack {
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
