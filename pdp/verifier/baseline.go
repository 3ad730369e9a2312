package verifier

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// BaselinePolicy is one configuration baseline that devices are held against
// (requirements 9 and 26).
type BaselinePolicy struct {
	// Baseline and Version name it.
	Baseline, Version string
	// OS are the systems that it is demanded of.
	OS []OS
	// Agencies are those whose devices it is demanded of; all if empty.
	Agencies []string
	// RuleSets are the digests that are accepted, and Rules is how many rules
	// each of these sets has.
	RuleSets [][sha256.Size]byte
	Rules    int
	// Least is the least share of rules to be met, in percent. Rules that do not
	// apply, and those that a person must judge, do not count.
	Least int
	// Ignore are rules that count for nothing.
	Ignore []string
}

func (b *BaselinePolicy) concerns(device wire.Device, id, version string) bool {
	return (len(b.Agencies) == 0 || slices.Contains(b.Agencies, device.Agency)) &&
		slices.ContainsFunc(b.OS, func(o OS) bool { return o.covers(id, version) })
}

// maxResults bounds the rules of one report.
const maxResults = 1000

// maxReports bounds the reports of one device.
const maxReports = 16

// appraiseBaselines concludes the claim on configuration baselines. Release is
// the value of the claim on the operating system: which baselines are demanded
// follows from that, and not from what the device chose to report. Without any
// baseline there is no claim, and a finding only if it is required.
func appraiseBaselines(reports []wire.BaselineReport, release map[string]string, device wire.Device, policy Policy, p pardons, now time.Time) ([]wire.Claim, []wire.Finding) {
	required := policy.requires(wire.ClaimBaseline) && len(policy.Required) > 0
	if len(policy.Baselines) == 0 && !required {
		return nil, nil
	}
	id, version := release["id"], release["version_id"]
	claim := wire.Claim{ID: wire.ClaimBaseline, MeasuredAt: now, Source: "configuration baselines", Value: map[string]string{}}
	var total tally
	var findings []wire.Finding
	for _, b := range policy.Baselines {
		if !b.concerns(device, id, version) {
			continue
		}
		one, finding := b.judge(reports, p)
		total.add(one)
		if claim.TWGCB == "" {
			claim.TWGCB, claim.Baseline = b.Baseline, b.Version
		}
		claim.Value["baselines"] = strings.TrimPrefix(claim.Value["baselines"]+", "+b.Baseline+" "+b.Version, ", ")
		if finding != nil {
			findings = append(findings, *finding)
		}
	}
	if claim.TWGCB == "" {
		seen := plain(strings.TrimSpace(id + " " + version))
		findings = append(findings, *baselineFinding(wire.FindingFailing, "", seen, reason.BaselineNone, "seen", seen))
	}
	total.describe(claim.Value)
	claim.State = total.state(findings)
	system := reason.SystemOf(release["id"], release["id_like"])
	for i := range findings {
		findings[i].Note, findings[i].Reason = !required, reason.On(system, findings[i].Reason)
	}
	return []wire.Claim{claim}, findings
}

func baselineFinding(kind wire.FindingType, expected, seen, code string, args ...string) *wire.Finding {
	return &wire.Finding{Type: kind, Claim: wire.ClaimBaseline, Expected: expected, Seen: seen, Reason: reason.New(code, args...)}
}

// judge holds the one report about this baseline against it.
func (b *BaselinePolicy) judge(reports []wire.BaselineReport, p pardons) (tally, *wire.Finding) {
	at := slices.IndexFunc(reports, func(r wire.BaselineReport) bool { return r.Baseline == b.Baseline })
	if at < 0 || len(reports) > maxReports {
		return tally{}, baselineFinding(wire.FindingMissing, b.Baseline, "", reason.BaselineMissing, "baseline", b.Baseline)
	}
	r := reports[at]
	malformed := func(what string) (tally, *wire.Finding) {
		return tally{}, baselineFinding(wire.FindingFailing, "", what, reason.BaselineMalformed, "baseline", b.Baseline, "seen", what)
	}
	if slices.ContainsFunc(reports[at+1:], func(r wire.BaselineReport) bool { return r.Baseline == b.Baseline }) {
		return malformed("two reports")
	}
	if r.Version != b.Version {
		seen := plain(r.Version)
		return tally{}, baselineFinding(wire.FindingFailing, b.Version, seen, reason.BaselineVersion, "baseline", b.Baseline, "expected", b.Version, "seen", seen)
	}
	if !slices.ContainsFunc(b.RuleSets, func(d [sha256.Size]byte) bool { return bytes.Equal(d[:], r.RuleSet) }) {
		return tally{}, baselineFinding(wire.FindingFailing, "", fmt.Sprintf("%.32x", r.RuleSet), reason.BaselineRuleSet, "baseline", b.Baseline)
	}
	t, problem := b.count(r.Results, p)
	if problem != "" {
		return malformed(problem)
	}
	if len(r.Results) != b.Rules {
		expected, seen := strconv.Itoa(b.Rules), strconv.Itoa(len(r.Results))
		return tally{}, baselineFinding(wire.FindingFailing, expected, seen, reason.BaselineIncomplete, "baseline", b.Baseline, "expected", expected, "seen", seen)
	}
	return t, b.enough(&t)
}

// enough returns nil where the share that is asked for is met.
func (b *BaselinePolicy) enough(t *tally) *wire.Finding {
	if met, of := t.met(), t.counted(); of > 0 && met*100 >= b.Least*of {
		return nil
	}
	t.short = true
	kind, code := t.failing, reason.BaselineFailing
	if len(kind) == 0 {
		kind, code = t.unmeasured, reason.BaselineUnmeasured
	}
	names := kind[:min(len(kind), shownRules)]
	rules := strings.Join(names, ", ")
	if len(names) < len(kind) {
		rules += ", …"
	}
	seen := fmt.Sprintf("%d/%d", t.met(), t.counted())
	return baselineFinding(wire.FindingFailing, strconv.Itoa(b.Least)+" %", seen, code, "baseline", b.Baseline, "count", strconv.Itoa(len(kind)), "rules", rules)
}

// shownRules is how many rules a finding names.
const shownRules = 5

// tally counts a report's results.
type tally struct {
	pass, excepted, inapplicable, manual int
	failing, unmeasured                  []string
	// short says that less is met than is asked for.
	short bool
}

// count says what is wrong with the results, if anything.
func (b *BaselinePolicy) count(results []wire.RuleResult, p pardons) (t tally, problem string) {
	if len(results) > maxResults {
		return tally{}, fmt.Sprintf("more than %d rules", maxResults)
	}
	seen := make(map[string]bool, len(results))
	for _, r := range results {
		number, ok := strings.CutPrefix(r.Rule, b.Baseline+"-")
		if !ok || len(number) != 4 || strings.Trim(number, "0123456789") != "" {
			return tally{}, "the rule " + plain(fmt.Sprintf("%.40q", r.Rule))
		}
		if seen[r.Rule] {
			return tally{}, r.Rule + " twice"
		}
		seen[r.Rule] = true
		if !r.State.Valid() || r.State == wire.ClaimException {
			return tally{}, r.Rule + " without a state of its own"
		}
		if !slices.Contains(b.Ignore, r.Rule) {
			t.one(r, p.covers(r.State, func(e wire.Exception) bool { return e.Baseline == b.Baseline && e.Rule == r.Rule }))
		}
	}
	return t, ""
}

func (t *tally) one(r wire.RuleResult, excepted bool) {
	switch {
	case excepted:
		t.excepted++
	case r.State == wire.ClaimPass:
		t.pass++
	case r.State == wire.ClaimNotApplicable:
		t.inapplicable++
	case r.State == wire.ClaimManual:
		t.manual++
	case r.State == wire.ClaimFail:
		t.failing = append(t.failing, r.Rule)
	default:
		t.unmeasured = append(t.unmeasured, r.Rule)
	}
}

func (t *tally) met() int     { return t.pass + t.excepted }
func (t *tally) counted() int { return t.met() + len(t.failing) + len(t.unmeasured) }

func (t *tally) add(o tally) {
	t.pass, t.excepted, t.inapplicable, t.manual = t.pass+o.pass, t.excepted+o.excepted, t.inapplicable+o.inapplicable, t.manual+o.manual
	t.failing, t.unmeasured = append(t.failing, o.failing...), append(t.unmeasured, o.unmeasured...)
	t.short = t.short || o.short
}

func (t *tally) describe(value map[string]string) {
	for name, n := range map[string]int{
		"pass": t.pass, "fail": len(t.failing), "error": len(t.unmeasured), "manual": t.manual,
		"not_applicable": t.inapplicable, "exception": t.excepted,
	} {
		value[name] = strconv.Itoa(n)
	}
}

// state is fail only where enough is known to say so.
func (t *tally) state(findings []wire.Finding) wire.ClaimState {
	for _, f := range findings {
		if f.Reason.Code != reason.BaselineFailing {
			return wire.ClaimError
		}
	}
	switch {
	case t.short:
		return wire.ClaimFail
	case t.excepted > 0:
		return wire.ClaimException
	}
	return wire.ClaimPass
}
