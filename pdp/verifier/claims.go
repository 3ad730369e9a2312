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

// demand is one claim that a device can be asked for, with the reasons for
// which it does not pass.
type demand struct {
	id                           wire.ClaimID
	failing, unmeasured, missing string
	// optional says that a device may well have nothing to lock, plug in or
	// the like: there not-applicable is as good as a pass.
	optional bool
}

var demands = [...]demand{
	{id: wire.ClaimOSRelease, failing: reason.OSUnsupported, unmeasured: reason.OSUnmeasured, missing: reason.OSMissing},
	{id: wire.ClaimOSUpdates, failing: reason.UpdatesPending, unmeasured: reason.UpdatesUnmeasured, missing: reason.UpdatesMissing},
	{id: wire.ClaimAutoUpdates, failing: reason.AutoUpdatesOff, unmeasured: reason.AutoUpdatesUnmeasured, missing: reason.AutoUpdatesMissing},
	{id: wire.ClaimDiskEncryption, failing: reason.DiskNotEncrypted, unmeasured: reason.DiskUnmeasured, missing: reason.DiskMissing},
	{id: wire.ClaimFirewall, failing: reason.FirewallOff, unmeasured: reason.FirewallUnmeasured, missing: reason.FirewallMissing},
	{id: wire.ClaimSecureBoot, failing: reason.SecureBootOff, unmeasured: reason.SecureBootUnmeasured, missing: reason.SecureBootMissing},
	{id: wire.ClaimKernelLockdown, failing: reason.LockdownOff, unmeasured: reason.LockdownUnmeasured, missing: reason.LockdownMissing},
	{id: wire.ClaimScreenLock, failing: reason.ScreenLockOff, unmeasured: reason.ScreenLockUnmeasured, missing: reason.ScreenLockMissing, optional: true},
	{id: wire.ClaimAntivirus, failing: reason.AntivirusNotFresh, unmeasured: reason.AntivirusUnmeasured, missing: reason.AntivirusMissing},
	{id: wire.ClaimTimeSync, failing: reason.ClockNotSynchronised, unmeasured: reason.TimeSyncUnmeasured, missing: reason.TimeSyncMissing},
	{id: wire.ClaimAdministrators, failing: reason.AdministratorsTooMany, unmeasured: reason.AdministratorsUnmeasured, missing: reason.AdministratorsMissing},
	{id: wire.ClaimUSBStorage, failing: reason.USBStorageOpen, unmeasured: reason.USBStorageUnmeasured, missing: reason.USBStorageMissing, optional: true},
}

// readClaims reads a claims document; false where it is none, or has more
// claims than any agent makes.
func readClaims(raw []byte) (document wire.Claims, ok bool) {
	err := strictjson.Unmarshal(raw, &document)
	return document, err == nil && len(document.Claims) <= maxClaims
}

// appraiseClaims returns every known claim of a document, each with the state
// that it deserves. What fails without being demanded is a note. The same claim
// made twice is taken for an attempt to be read in two ways.
func appraiseClaims(document wire.Claims, policy Policy) (claims []wire.Claim, findings []wire.Finding, forged bool) {
	made := make(map[wire.ClaimID]wire.Claim, len(document.Claims))
	for _, c := range document.Claims {
		if _, twice := made[c.ID]; twice {
			return nil, []wire.Finding{*tampered(reason.ClaimTwice)}, true
		}
		made[c.ID] = c
	}
	release := made[wire.ClaimOSRelease].Value
	system := reason.SystemOf(release["id"], release["id_like"])
	for _, d := range demands {
		c, ok := made[d.id]
		delete(made, d.id)
		finding := d.missingFinding()
		if ok {
			c, finding = d.judge(c, policy)
			claims = append(claims, c)
		}
		required := policy.requires(d.id)
		if finding == nil || !ok && !required {
			continue
		}
		finding.Note, finding.Reason = !required, reason.On(system, finding.Reason)
		findings = append(findings, *finding)
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
	switch {
	case c.State == wire.ClaimPass, c.State == wire.ClaimNotApplicable && d.optional:
		return c, nil
	case c.State == wire.ClaimFail:
		return c, d.failingFinding(string(wire.ClaimPass), c.Problem)
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

func (d demand) missingFinding() *wire.Finding {
	return &wire.Finding{Type: wire.FindingMissing, Claim: d.id, Reason: reason.New(d.missing)}
}

// failingFinding tells what was seen: a claim's own words about why it fails,
// or else that it does.
func (d demand) failingFinding(expected, seen string) *wire.Finding {
	if seen == "" {
		seen = string(wire.ClaimFail)
	}
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
		if f.Fails() {
			return wire.Warning
		}
	}
	return wire.Affirming
}
