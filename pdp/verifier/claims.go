package verifier

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxClaims bounds a claims document: more are not made by this agent.
const maxClaims = 256

// demand is one claim that every device must make, with the reasons for which
// it does not pass.
type demand struct {
	id                           wire.ClaimID
	failing, unmeasured, missing string
}

var demands = [...]demand{
	{wire.ClaimOSRelease, reason.OSUnsupported, reason.OSUnmeasured, reason.OSMissing},
	{wire.ClaimDiskEncryption, reason.DiskNotEncrypted, reason.DiskUnmeasured, reason.DiskMissing},
	{wire.ClaimFirewall, reason.FirewallOff, reason.FirewallUnmeasured, reason.FirewallMissing},
	{wire.ClaimSecureBoot, reason.SecureBootOff, reason.SecureBootUnmeasured, reason.SecureBootMissing},
}

// appraiseClaims reads a claims document whose bytes the quote covers, and
// returns the claims that are demanded, each with the state that it deserves.
// The same claim made twice is taken for an attempt to be read in two ways.
func appraiseClaims(raw []byte, policy Policy) (claims []wire.Claim, findings []wire.Finding, forged bool) {
	var document wire.Claims
	if err := strictjson.Unmarshal(raw, &document); err != nil || len(document.Claims) > maxClaims {
		return nil, []wire.Finding{*unsupported(reason.ClaimsUnreadable)}, false
	}
	made := make(map[wire.ClaimID]wire.Claim, len(document.Claims))
	for _, c := range document.Claims {
		if _, twice := made[c.ID]; twice {
			return nil, []wire.Finding{*tampered(reason.ClaimTwice)}, true
		}
		made[c.ID] = c
	}
	for _, d := range demands {
		c, ok := made[d.id]
		delete(made, d.id)
		if !ok {
			findings = append(findings, wire.Finding{Type: wire.FindingMissing, Claim: d.id, Reason: reason.New(d.missing)})
			continue
		}
		c, finding := d.judge(c, policy)
		claims = append(claims, c)
		if finding != nil {
			findings = append(findings, *finding)
		}
	}
	if len(made) > 0 {
		findings = append(findings, unknown(made))
	}
	return claims, findings, false
}

// judge gives a claim its state and, unless that is pass, a finding. Whether a
// system is supported is the policy's to say, and an exception is an agency's
// to grant: neither is the device's own.
func (d demand) judge(c wire.Claim, policy Policy) (wire.Claim, *wire.Finding) {
	id, version := c.Value["id"], c.Value["version_id"]
	c = tame(c)
	switch {
	case !c.State.Valid():
		c.State, c.Problem = wire.ClaimError, "the agent gave no result state"
	case c.State == wire.ClaimException:
		c.State, c.Problem = wire.ClaimError, "the agent claimed an exception for itself"
	case c.ID == wire.ClaimOSRelease && c.State == wire.ClaimPass:
		return d.judgeOS(c, id, version, policy)
	}
	switch c.State {
	case wire.ClaimPass:
		return c, nil
	case wire.ClaimFail:
		return c, d.failingFinding(string(wire.ClaimPass), string(wire.ClaimFail))
	}
	return c, d.unmeasuredFinding(c)
}

func (d demand) judgeOS(c wire.Claim, id, version string, policy Policy) (wire.Claim, *wire.Finding) {
	if id == "" {
		c.State, c.Problem = wire.ClaimError, "the agent named no operating system"
		return c, d.unmeasuredFinding(c)
	}
	if policy.supports(id, version) {
		return c, nil
	}
	c.State = wire.ClaimFail
	return c, d.failingFinding(policy.supported(), plain(strings.TrimSpace(id+" "+version)))
}

func (d demand) failingFinding(expected, seen string) *wire.Finding {
	return &wire.Finding{
		Type: wire.FindingFailing, Claim: d.id, Expected: expected, Seen: seen,
		Reason: reason.New(d.failing, "supported", expected, "seen", seen),
	}
}

func (d demand) unmeasuredFinding(c wire.Claim) *wire.Finding {
	problem := c.Problem
	if problem == "" {
		problem = string(c.State)
	}
	return &wire.Finding{
		Type: wire.FindingFailing, Claim: d.id, Expected: string(wire.ClaimPass), Seen: string(c.State),
		Reason: reason.New(d.unmeasured, "problem", problem),
	}
}

// unknown tells of claims that this verifier does not know, in one finding.
func unknown(made map[wire.ClaimID]wire.Claim) wire.Finding {
	names := make([]string, 0, len(made))
	for id := range made {
		names = append(names, string(id))
	}
	slices.Sort(names)
	seen := plain(strings.Join(names, ", "))
	return wire.Finding{Type: wire.FindingUnsupported, Seen: seen, Reason: reason.New(reason.ClaimUnknown, "claims", seen)}
}

// Bounds of a device's own words where they are passed on.
const (
	maxPlain  = 200
	maxValues = 64
)

// tame makes what a device says of itself fit to be shown.
func tame(c wire.Claim) wire.Claim {
	c.Problem, c.Source, c.TWGCB, c.Baseline = plain(c.Problem), plain(c.Source), plain(c.TWGCB), plain(c.Baseline)
	tamed := make(map[string]string, min(len(c.Value), maxValues))
	for _, name := range slices.Sorted(maps.Keys(c.Value)) {
		if len(tamed) == maxValues {
			break
		}
		tamed[plain(name)] = plain(c.Value[name])
	}
	c.Value = tamed
	return c
}

// plain makes a device's own words fit to be shown: one short line of printable
// characters.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > maxPlain {
		s = string([]rune(s)[:maxPlain]) + "…"
	}
	return s
}

// configuration is affirming when every demanded claim passes, and a warning
// when one does not. A report that cannot be read is no judgement at all.
func configuration(claims []wire.Claim, findings []wire.Finding) wire.Trustworthiness {
	if len(claims) == 0 {
		return wire.TrustNone
	}
	for _, f := range findings {
		if f.Type == wire.FindingFailing || f.Type == wire.FindingMissing {
			return wire.Warning
		}
	}
	return wire.Affirming
}
