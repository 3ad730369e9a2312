package verifier

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

var (
	baselineNow    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	baselineRules  = sha256.Sum256([]byte("rules"))
	baselineDevice = wire.Device{ID: "dev-1", Agency: "moda"}
	debian12       = map[string]string{"id": "debian", "version_id": "12"}
)

const gcbID = "MENSHEN-DEB"

func baselinePolicy(least int, ignore ...string) Policy {
	return Policy{Required: []wire.ClaimID{wire.ClaimBaseline}, Baselines: []BaselinePolicy{{
		Baseline: gcbID, Version: "2026.1", OS: []OS{{"debian", "12"}, {"debian", "13"}},
		RuleSets: [][sha256.Size]byte{sha256.Sum256([]byte("older")), baselineRules}, Rules: 10, Least: least, Ignore: ignore,
	}}}
}

func ruleID(n int) string { return fmt.Sprintf("%s-%04d", gcbID, n) }

// baselineReport has ten rules: so many of each state, and the rest pass.
func baselineReport(states ...wire.ClaimState) wire.BaselineReport {
	r := wire.BaselineReport{Baseline: gcbID, Version: "2026.1", RuleSet: baselineRules[:]}
	for i := range 10 {
		state := wire.ClaimPass
		if i < len(states) {
			state = states[i]
		}
		r.Results = append(r.Results, wire.RuleResult{Rule: ruleID(i + 1), State: state, Seen: "x"})
	}
	return r
}

func changed(r wire.BaselineReport, f func(*wire.BaselineReport)) []wire.BaselineReport {
	f(&r)
	return []wire.BaselineReport{r}
}

func exceptionFor(n int, more ...func(*wire.Exception)) wire.Exception {
	e := wire.Exception{
		ID: "exc-1", Agency: "moda", Baseline: gcbID, Rule: ruleID(n), Reason: "the scanner needs it", Approver: "uid:0",
		Since: baselineNow.Add(-time.Hour), Until: baselineNow.Add(time.Hour),
	}
	for _, f := range more {
		f(&e)
	}
	return e
}

const (
	pass, fail, unmeasured = wire.ClaimPass, wire.ClaimFail, wire.ClaimError
)

// TestBaselines presents one thing at a time.
func TestBaselines(t *testing.T) {
	all, most := baselinePolicy(100), baselinePolicy(80)
	for name, c := range map[string]struct {
		reports    []wire.BaselineReport
		policy     Policy
		exceptions []wire.Exception
		state      wire.ClaimState
		code       string
	}{
		"all rules pass":               {[]wire.BaselineReport{baselineReport()}, all, nil, pass, ""},
		"manual and inapplicable ones": {[]wire.BaselineReport{baselineReport(wire.ClaimManual, wire.ClaimNotApplicable)}, all, nil, pass, ""},
		"one fails":                    {[]wire.BaselineReport{baselineReport(fail)}, all, nil, fail, reason.BaselineFailing},
		"one cannot be measured":       {[]wire.BaselineReport{baselineReport(unmeasured)}, all, nil, unmeasured, reason.BaselineUnmeasured},
		"both":                         {[]wire.BaselineReport{baselineReport(unmeasured, fail)}, all, nil, fail, reason.BaselineFailing},
		"just enough":                  {[]wire.BaselineReport{baselineReport(fail, unmeasured)}, most, nil, pass, ""},
		"just not enough":              {[]wire.BaselineReport{baselineReport(fail, fail, unmeasured)}, most, nil, fail, reason.BaselineFailing},
		"nothing that counts":          {[]wire.BaselineReport{baselineReport(manyOf(wire.ClaimManual, 10)...)}, most, nil, unmeasured, reason.BaselineUnmeasured},
		"one ignored":                  {[]wire.BaselineReport{baselineReport(fail)}, baselinePolicy(100, ruleID(1)), nil, pass, ""},
		"another ignored":              {[]wire.BaselineReport{baselineReport(fail)}, baselinePolicy(100, ruleID(2)), nil, fail, reason.BaselineFailing},
		"no report":                    {nil, all, nil, unmeasured, reason.BaselineMissing},
		"a report about another":       {changed(baselineReport(), func(r *wire.BaselineReport) { r.Baseline = "MENSHEN-RPM" }), all, nil, unmeasured, reason.BaselineMissing},
		"another version":              {changed(baselineReport(), func(r *wire.BaselineReport) { r.Version = "2025.1" }), all, nil, unmeasured, reason.BaselineVersion},
		"other rules":                  {changed(baselineReport(), func(r *wire.BaselineReport) { r.RuleSet = []byte("easy rules") }), all, nil, unmeasured, reason.BaselineRuleSet},
		"no rule set":                  {changed(baselineReport(), func(r *wire.BaselineReport) { r.RuleSet = nil }), all, nil, unmeasured, reason.BaselineRuleSet},
		"the older rules":              {changed(baselineReport(), func(r *wire.BaselineReport) { d := sha256.Sum256([]byte("older")); r.RuleSet = d[:] }), all, nil, pass, ""},
		"a rule left out":              {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results = r.Results[1:] }), all, nil, unmeasured, reason.BaselineIncomplete},
		"a rule too many": {changed(baselineReport(), func(r *wire.BaselineReport) {
			r.Results = append(r.Results, wire.RuleResult{Rule: ruleID(11), State: pass})
		}), all, nil, unmeasured, reason.BaselineIncomplete},
		"a rule twice":            {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results[1].Rule = ruleID(1) }), all, nil, unmeasured, reason.BaselineMalformed},
		"a foreign rule":          {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results[0].Rule = "TWGCB-01-014-0001" }), all, nil, unmeasured, reason.BaselineMalformed},
		"an odd number":           {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results[0].Rule = gcbID + "-00x1" }), all, nil, unmeasured, reason.BaselineMalformed},
		"a long number":           {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results[0].Rule = gcbID + "-00001" }), all, nil, unmeasured, reason.BaselineMalformed},
		"no state":                {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results[0].State = "" }), all, nil, unmeasured, reason.BaselineMalformed},
		"an exception of its own": {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results[0].State = wire.ClaimException }), all, nil, unmeasured, reason.BaselineMalformed},
		"two reports":             {[]wire.BaselineReport{baselineReport(), baselineReport()}, all, nil, unmeasured, reason.BaselineMalformed},
		"very many rules":         {changed(baselineReport(), func(r *wire.BaselineReport) { r.Results = results(maxResults + 1) }), all, nil, unmeasured, reason.BaselineMalformed},
		"very many reports":       {append([]wire.BaselineReport{baselineReport()}, make([]wire.BaselineReport, maxReports)...), all, nil, unmeasured, reason.BaselineMissing},

		"excepted":                       {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1)}, wire.ClaimException, ""},
		"excepted on this device":        {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Device = "dev-1" })}, wire.ClaimException, ""},
		"excepted on another device":     {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Device = "dev-2" })}, fail, reason.BaselineFailing},
		"excepted by another agency":     {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Agency = "nat" })}, fail, reason.BaselineFailing},
		"excepted by no agency":          {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Agency = "" })}, fail, reason.BaselineFailing},
		"the exception ended now":        {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Until = baselineNow })}, fail, reason.BaselineFailing},
		"the exception ends next":        {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Until = baselineNow.Add(1) })}, wire.ClaimException, ""},
		"the exception begins later":     {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Since = baselineNow.Add(1) })}, fail, reason.BaselineFailing},
		"another rule is excepted":       {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(2)}, fail, reason.BaselineFailing},
		"a rule of another baseline":     {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Baseline = "X" })}, fail, reason.BaselineFailing},
		"rule and claim in one":          {[]wire.BaselineReport{baselineReport(fail)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Claim = wire.ClaimFirewall })}, fail, reason.BaselineFailing},
		"one of two excepted":            {[]wire.BaselineReport{baselineReport(fail, fail)}, all, []wire.Exception{exceptionFor(1)}, fail, reason.BaselineFailing},
		"excepted, but not measured":     {[]wire.BaselineReport{baselineReport(unmeasured)}, all, []wire.Exception{exceptionFor(1)}, unmeasured, reason.BaselineUnmeasured},
		"excepted also where unmeasured": {[]wire.BaselineReport{baselineReport(unmeasured)}, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Unmeasured = true })}, wire.ClaimException, ""},
		"excepted, but no report":        {nil, all, []wire.Exception{exceptionFor(1, func(e *wire.Exception) { e.Unmeasured = true })}, unmeasured, reason.BaselineMissing},
	} {
		claims, findings := appraiseBaselines(c.reports, debian12, baselineDevice, c.policy, pardonsOf(c.exceptions, baselineDevice, baselineNow), baselineNow)
		if len(claims) != 1 || claims[0].ID != wire.ClaimBaseline || claims[0].State != c.state {
			t.Errorf("%s: %+v", name, claims)
		}
		if c.code == "" && len(findings) != 0 || c.code != "" && (len(findings) != 1 || findings[0].Reason.Code != c.code || !findings[0].Fails() || findings[0].Claim != wire.ClaimBaseline) {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}

// results are so many rules that pass.
func results(n int) []wire.RuleResult {
	all := make([]wire.RuleResult, n)
	for i := range all {
		all[i] = wire.RuleResult{Rule: ruleID(i), State: pass}
	}
	return all
}

func manyOf(state wire.ClaimState, n int) []wire.ClaimState {
	all := make([]wire.ClaimState, n)
	for i := range all {
		all[i] = state
	}
	return all
}

// TestWhichBaselinesAreDemanded: it follows from the system and the agency, not
// from what a device reports.
func TestWhichBaselinesAreDemanded(t *testing.T) {
	policy := baselinePolicy(100)
	only := baselinePolicy(100)
	only.Baselines[0].Agencies = []string{"nat"}
	unasked := baselinePolicy(100)
	unasked.Required = []wire.ClaimID{wire.ClaimFirewall}
	none := Policy{Required: []wire.ClaimID{wire.ClaimBaseline}}
	for name, c := range map[string]struct {
		release map[string]string
		policy  Policy
		code    string
		fails   bool
	}{
		"this system":               {debian12, policy, "", false},
		"another system":            {map[string]string{"id": "ubuntu", "version_id": "12"}, policy, reason.BaselineNone, true},
		"a system that is not told": {nil, policy, reason.BaselineNone, true},
		"another agency's baseline": {debian12, only, reason.BaselineNone, true},
		"none is configured":        {debian12, none, reason.BaselineNone, true},
		"nobody demands it":         {map[string]string{"id": "ubuntu", "version_id": "12"}, unasked, reason.BaselineNone, false},
	} {
		claims, findings := appraiseBaselines([]wire.BaselineReport{baselineReport()}, c.release, baselineDevice, c.policy, nil, baselineNow)
		if (c.code == "") != (len(claims) == 1 && claims[0].State == pass) {
			t.Errorf("%s: %+v", name, claims)
		}
		if c.code == "" && len(findings) != 0 || c.code != "" && (len(findings) != 1 || findings[0].Reason.Code != c.code || findings[0].Fails() != c.fails) {
			t.Errorf("%s: %+v", name, findings)
		}
	}
	if claims, findings := appraiseBaselines(nil, debian12, baselineDevice, Policy{Required: []wire.ClaimID{wire.ClaimFirewall}}, nil, baselineNow); claims != nil || findings != nil {
		t.Errorf("nothing is configured, and something is said: %+v %+v", claims, findings)
	}
}

func TestABaselineFindingNamesAFew(t *testing.T) {
	claims, findings := appraiseBaselines([]wire.BaselineReport{baselineReport(manyOf(fail, 7)...)}, debian12, baselineDevice, baselinePolicy(100), nil, baselineNow)
	args := findings[0].Reason.Args
	if args["count"] != "7" || strings.Count(args["rules"], gcbID) != shownRules || !strings.HasSuffix(args["rules"], "…") || findings[0].Seen != "3/10" {
		t.Errorf("%+v", findings)
	}
	if v := claims[0].Value; v["pass"] != "3" || v["fail"] != "7" || v["baselines"] != gcbID+" 2026.1" || claims[0].TWGCB != gcbID {
		t.Errorf("%+v", claims)
	}
}

// TestExcusedClaims presents one claim and one exception at a time.
func TestExcusedClaims(t *testing.T) {
	permit := func(more ...func(*wire.Exception)) []wire.Exception {
		e := exceptionFor(1, func(e *wire.Exception) { e.Claim, e.Baseline, e.Rule = wire.ClaimFirewall, "", "" })
		for _, f := range more {
			f(&e)
		}
		return []wire.Exception{e}
	}
	failing := wire.Finding{Type: wire.FindingFailing, Claim: wire.ClaimFirewall, Reason: reason.New(reason.FirewallOff)}
	missing := wire.Finding{Type: wire.FindingMissing, Claim: wire.ClaimFirewall, Reason: reason.New(reason.FirewallMissing)}
	for name, c := range map[string]struct {
		state      wire.ClaimState
		finding    wire.Finding
		exceptions []wire.Exception
		want       wire.ClaimState
		fails      bool
	}{
		"permitted to fail":           {fail, failing, permit(), wire.ClaimException, false},
		"not measured":                {unmeasured, failing, permit(), unmeasured, true},
		"permitted to be unmeasured":  {unmeasured, failing, permit(func(e *wire.Exception) { e.Unmeasured = true }), wire.ClaimException, false},
		"missing is never permitted":  {unmeasured, missing, permit(func(e *wire.Exception) { e.Unmeasured = true }), unmeasured, true},
		"another claim is permitted":  {fail, failing, permit(func(e *wire.Exception) { e.Claim = wire.ClaimSecureBoot }), fail, true},
		"it has ended":                {fail, failing, permit(func(e *wire.Exception) { e.Until = baselineNow }), fail, true},
		"a rule is no claim":          {fail, failing, []wire.Exception{exceptionFor(1)}, fail, true},
		"a manual claim stays manual": {wire.ClaimManual, failing, permit(func(e *wire.Exception) { e.Unmeasured = true }), wire.ClaimManual, true},
		"nothing is permitted":        {fail, failing, nil, fail, true},
	} {
		claims, findings := []wire.Claim{{ID: wire.ClaimFirewall, State: c.state}}, []wire.Finding{c.finding}
		excuse(claims, findings, pardonsOf(c.exceptions, baselineDevice, baselineNow))
		if claims[0].State != c.want || findings[0].Fails() != c.fails {
			t.Errorf("%s: %+v %+v", name, claims, findings)
		}
	}
}

// FuzzBaselines: whatever a device reports, what is not a whole and accepted
// report never passes, and nothing panics.
func FuzzBaselines(f *testing.F) {
	f.Add(gcbID, "2026.1", []byte("x"), ruleID(1), "pass", 10)
	f.Add(gcbID, "2026.1", baselineRules[:], ruleID(1), "exception", 10)
	f.Fuzz(func(t *testing.T, id, version string, rules []byte, rule, state string, n int) {
		r := wire.BaselineReport{Baseline: id, Version: version, RuleSet: rules}
		for i := range max(0, min(n, 2000)) {
			r.Results = append(r.Results, wire.RuleResult{Rule: rule + fmt.Sprint(i), State: wire.ClaimState(state)})
		}
		claims, findings := appraiseBaselines([]wire.BaselineReport{r}, debian12, baselineDevice, baselinePolicy(100), nil, baselineNow)
		if claims[0].State == pass && (id != gcbID || version != "2026.1" || string(rules) != string(baselineRules[:]) || len(r.Results) != 10) {
			t.Fatalf("%+v", r)
		}
		if (claims[0].State == pass) != (len(findings) == 0) {
			t.Fatalf("%+v %+v", claims, findings)
		}
	})
}
