package policy

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// failing has claims fail as the verifier tells it: a finding each, and a
// configuration that is only a warning.
func failing(f *wire.Facts, ids ...wire.ClaimID) {
	for _, id := range ids {
		setClaimState(f, id, "fail")
		f.Standing.Result.Findings = append(f.Standing.Result.Findings, wire.Finding{Type: wire.FindingFailing, Claim: id, Reason: wire.Reason{Code: findingCodes[id]}})
		f.Standing.Result.Vector.Configuration = wire.Warning
	}
}

var findingCodes = map[wire.ClaimID]string{
	wire.ClaimFirewall: reason.FirewallOff, wire.ClaimDiskEncryption: reason.DiskNotEncrypted, wire.ClaimOSRelease: reason.OSUnsupported,
	wire.ClaimOSUpdates: reason.UpdatesPending, wire.ClaimAntivirus: reason.AntivirusNotFresh, wire.ClaimScreenLock: reason.ScreenLockOff,
	wire.ClaimVulnerabilities: reason.ExploitedVulnerability, wire.ClaimTimeSync: reason.ClockNotSynchronised,
}

func TestWhatHelps(t *testing.T) {
	const normal, sensitive = wire.PortalNormal, wire.PortalSensitive
	const read, write = wire.ActionRead, wire.ActionWrite
	tests := map[string]struct {
		portal wire.Sensitivity
		action wire.Action
		set    func(*wire.Facts)
		effect wire.Effect
		needs  []string // nil if nothing is known to help
	}{
		"a touch alone":                {normal, read, func(f *wire.Facts) { f.Network.Proven = false }, wire.StepUp, []string{"sign-in"}},
		"one claim":                    {normal, read, func(f *wire.Facts) { failing(f, wire.ClaimFirewall) }, wire.Deny, []string{"fix-claim firewall"}},
		"a claim and a touch":          {normal, read, func(f *wire.Facts) { failing(f, wire.ClaimFirewall); f.Network.Proven = false }, wire.Deny, []string{"fix-claim firewall", "sign-in"}},
		"silence and a change":         {normal, write, func(f *wire.Facts) { f.Standing.Standing = wire.StandingSilent }, wire.Deny, []string{"attest"}},
		"silence, read only":           {normal, read, func(f *wire.Facts) { f.Standing.Standing = wire.StandingSilent }, wire.Allow, []string{"attest"}},
		"middling, read only":          {normal, read, func(f *wire.Facts) { f.Trust.Score = 40 }, wire.Allow, []string{"sign-in"}},
		"a claim that is a note":       {normal, read, func(f *wire.Facts) { failing(f, wire.ClaimFirewall); setClaimState(f, wire.ClaimAntivirus, "fail") }, wire.Deny, []string{"fix-claim firewall"}},
		"two that are one warning":     {sensitive, read, func(f *wire.Facts) { failing(f, wire.ClaimOSUpdates, wire.ClaimAntivirus) }, wire.Deny, []string{"fix-claim antivirus", "fix-claim os-updates"}},
		"one that policies do not see": {sensitive, read, func(f *wire.Facts) { failing(f, wire.ClaimVulnerabilities) }, wire.Deny, []string{"fix-claim known-exploited"}},
		"four": {sensitive, write, func(f *wire.Facts) {
			failing(f, wire.ClaimDiskEncryption, wire.ClaimAntivirus)
			f.Standing.Standing, f.SignIn.At = wire.StandingStale, at.Add(-time.Hour)
		}, wire.Deny, []string{"attest", "fix-claim antivirus", "fix-claim disk-encryption", "sign-in"}},
		"five is too many": {sensitive, write, func(f *wire.Facts) {
			failing(f, wire.ClaimDiskEncryption, wire.ClaimAntivirus, wire.ClaimOSUpdates)
			f.Standing.Standing, f.SignIn.At = wire.StandingStale, at.Add(-time.Hour)
		}, wire.Deny, nil},
		"a key that is revoked":    {normal, read, func(f *wire.Facts) { f.Key.Revoked = true; f.SignIn.At = at.Add(-13 * time.Hour) }, wire.Deny, []string{"register-key"}},
		"a host that is silent":    {normal, read, func(f *wire.Facts) { hosted(f); f.Host.Standing = wire.StandingSilent }, wire.Deny, []string{"wait"}},
		"a host that is refused":   {normal, read, func(f *wire.Facts) { hosted(f); f.Host.Standing = wire.StandingRefused }, wire.Deny, nil},
		"a host that is unknown":   {normal, read, func(f *wire.Facts) { hosted(f); f.Host.Known = false }, wire.Deny, nil},
		"a laptop that is refused": {normal, read, func(f *wire.Facts) { f.Standing.Standing = wire.StandingRefused }, wire.Deny, nil},
		"a boot nobody vouches for": {sensitive, read, func(f *wire.Facts) {
			failing(f, wire.ClaimAntivirus)
			f.Standing.Result.Vector.Executables = wire.Warning
		}, wire.Deny, nil},
		"claims that lied": {sensitive, read, func(f *wire.Facts) {
			failing(f, wire.ClaimAntivirus)
			f.Standing.Result.Vector.Configuration = wire.Contraindicated
		}, wire.Deny, nil},
		"never measured":              {normal, read, func(f *wire.Facts) { f.Standing = wire.DeviceStanding{} }, wire.Deny, nil},
		"a disabled person":           {normal, read, func(f *wire.Facts) { f.Person.Disabled = true; f.Network.Proven = false }, wire.Deny, nil},
		"a retired laptop":            {normal, read, func(f *wire.Facts) { f.Device.Status = wire.DeviceRetired }, wire.Deny, nil},
		"no permit":                   {normal, read, func(f *wire.Facts) { f.Portal.Agency = "mof" }, wire.Deny, nil},
		"a low score after the touch": {normal, write, func(f *wire.Facts) { f.Trust.Score, f.SignIn.At = 10, at }, wire.Deny, nil},
	}
	e := baseline(t)
	for name, tt := range tests {
		f := good(tt.portal)
		tt.set(&f)
		d := e.Decide(f, tt.action, at)
		if d.Effect != tt.effect || d.Suffices != (tt.needs != nil) {
			t.Errorf("%s: %v, suffices %v, %+v", name, d.Effect, d.Suffices, d.Remedies)
		}
		if tt.needs != nil && !slices.Equal(needsOf(d), tt.needs) {
			t.Errorf("%s: %q, want %q", name, needsOf(d), tt.needs)
		}
		if len(d.Remedies) == 0 {
			t.Errorf("%s: no remedy at all", name)
		}
	}
}

func TestWhatHelpsIsToldInTheOrderOfDoing(t *testing.T) {
	f := good(wire.PortalSensitive)
	failing(&f, wire.ClaimDiskEncryption)
	f.Standing.Standing, f.SignIn.At = wire.StandingStale, at.Add(-time.Hour)
	want := []wire.Remedy{
		{Reason: wire.Reason{Code: reason.DiskNotEncrypted}, Claim: wire.ClaimDiskEncryption, Action: "fix-claim"},
		{Reason: wire.Reason{Code: reason.DeviceStale}, Action: "attest"},
		{Reason: wire.Reason{Code: reason.ChangeNeedsTouch}, Action: "sign-in"},
	}
	if diff := cmp.Diff(want, baseline(t).Decide(f, wire.ActionWrite, at).Remedies); diff != "" {
		t.Error(diff)
	}
}

// A withheld reason is not given away by what would help.
func TestARemedyDoesNotTellWhatIsWithheld(t *testing.T) {
	codes := slices.DeleteFunc(reason.Codes(), func(code string) bool { return !reason.Of(reason.English, wire.Reason{Code: code}).Withheld })
	if len(codes) == 0 {
		t.Fatal("nothing is withheld")
	}
	for name, e := range map[string]*Engine{
		"by a finding": baseline(t),
		"by a rule":    withPolicy(t, `@id("x") @reason("`+codes[0]+`") @claim("time-sync") @remedy("fix-claim") forbid (principal, action, resource) when { context.claims.timeSync != "pass" };`),
		"by a rule that shows later": withPolicy(t, `@id("x") @reason("`+codes[0]+`") @remedy("fix-claim") forbid (principal, action, resource)
			when { context.claims.timeSync != "pass" && context.network.proven };`),
	} {
		f := good(wire.PortalNormal)
		failing(&f, wire.ClaimTimeSync, wire.ClaimFirewall)
		hidden := wire.Reason{Code: codes[0]}
		switch name {
		case "by a finding":
			f.Standing.Result.Findings[1].Reason = hidden
		case "by a rule":
			f.Standing.Result.Findings = f.Standing.Result.Findings[1:]
		default:
			f.Network.Proven = false
		}
		d := e.Decide(f, wire.ActionRead, at)
		if d.Effect != wire.Deny || d.Suffices {
			t.Errorf("%s: %v, suffices %v: %+v", name, d.Effect, d.Suffices, d.Remedies)
		}
		for _, r := range d.Remedies {
			if r.Reason.Code == hidden.Code && (r.Claim != "" || r.Action == "fix-claim") || r.Claim == wire.ClaimTimeSync {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

// The search is bounded; where the bound is reached nothing is claimed.
func TestTheSearchIsBounded(t *testing.T) {
	conditions := make([]string, 0, len(claims))
	for _, c := range claims[1:] {
		if c.id == wire.ClaimFirewall {
			continue // a rule of the baseline asks for it alone
		}
		conditions = append(conditions, fmt.Sprintf("context.claims.%s == \"pass\"", c.name))
	}
	e := withPolicy(t, `@id("x") @reason("ZT-POL-035") @remedy("fix-claim") forbid (principal, action, resource) unless { `+strings.Join(conditions, " && ")+` };`)
	f := good(wire.PortalNormal)
	f.Standing.Result.Claims = passing(at)
	for _, c := range claims[1:] {
		if c.id != wire.ClaimFirewall {
			setClaimState(&f, c.id, "fail")
		}
	}
	s, steps := e.smallest(e.evaluate(e.view.request(&f, at), wire.ActionRead), &f, wire.ActionRead, at)
	if steps != nil || len(s.known) > maxEvaluations+1 {
		t.Errorf("%v after %d evaluations", steps, len(s.known))
	}
	if d := e.Decide(f, wire.ActionRead, at); d.Suffices || len(d.Remedies) == 0 {
		t.Errorf("%+v", d)
	}
}

func TestClaimsMendNoMoreThanTheVerifierWouldSay(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(*wire.Facts)
		want wire.Trustworthiness
	}{
		"the last one that lowered it": {func(*wire.Facts) {}, wire.Affirming},
		"another still does":           {func(f *wire.Facts) { failing(f, wire.ClaimAntivirus) }, wire.Warning},
		"another that is a note":       {func(f *wire.Facts) { failing(f, wire.ClaimAntivirus); f.Standing.Result.Findings[1].Note = true }, wire.Affirming},
		"a boot nobody vouches for":    {func(f *wire.Facts) { f.Standing.Result.Vector.Executables = wire.Warning }, wire.Warning},
		"claims that lied":             {func(f *wire.Facts) { f.Standing.Result.Vector.Configuration = wire.Contraindicated }, wire.Contraindicated},
		"nothing said":                 {func(f *wire.Facts) { f.Standing.Result.Vector.Configuration = wire.TrustNone }, wire.TrustNone},
		"it was a note itself":         {func(f *wire.Facts) { f.Standing.Result.Findings[0].Note = true }, wire.Warning},
	} {
		f := good(wire.PortalNormal)
		failing(&f, wire.ClaimFirewall)
		tt.set(&f)
		was := f.Standing.Result.Findings
		fixClaim(&f, wire.ClaimFirewall, at)
		if got := f.Standing.Result.Vector.Configuration; got != tt.want {
			t.Errorf("%s: %q", name, got)
		}
		if claimState(&f.Standing.Result, wire.ClaimFirewall) != "pass" || len(f.Standing.Result.Findings) != len(was)-1 || was[0].Claim != wire.ClaimFirewall {
			t.Errorf("%s: %+v", name, f.Standing.Result)
		}
	}
}

// A change alters nothing but what it is said to affect.
func TestChangesAlterWhatTheySayAndNothingElse(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 1))
	seen := map[string]bool{}
	for range 200 {
		f := troubled(random)
		before := attributes(&f)
		for _, c := range changesOf(&f, at) {
			after := f
			c.apply(&after)
			seen[c.action] = true
			now := attributes(&after)
			for name, was := range before {
				is := now[name]
				lifts := slices.Contains(configurationChanges[:], name) && slices.Contains(lowering(&f), c.claim)
				if !is.Equal(was) && !c.affects(&reads{attributes: map[string]bool{name: true}}) && !lifts {
					t.Fatalf("%s %s alters %s from %v to %v", c.action, c.claim, name, was, is)
				}
			}
			if !cmp.Equal(after.Person, f.Person) || !cmp.Equal(after.Device, f.Device) || !cmp.Equal(after.Portal, f.Portal) ||
				!cmp.Equal(after.Trust, f.Trust) || after.Risk != f.Risk || after.Standing.Result.Vector.InstanceIdentity != f.Standing.Result.Vector.InstanceIdentity ||
				after.Standing.Result.Vector.Executables != f.Standing.Result.Vector.Executables || after.Standing.Result.Vector.Hardware != f.Standing.Result.Vector.Hardware {
				t.Fatalf("%s %s touches what nobody can change", c.action, c.claim)
			}
		}
	}
	if len(seen) != len(ranks) {
		t.Errorf("only %v were tried", seen)
	}
}

// attributes are all that policies can see, by name.
func attributes(f *wire.Facts) map[string]types.Value {
	all := map[string]types.Value{}
	for section, inner := range newRequest(f, at).context.All() {
		for name, v := range inner.(types.Record).All() {
			all[string(section)+"."+string(name)] = v
		}
	}
	return all
}

// troubled is a session with some faults, of all kinds.
func troubled(random *rand.Rand) wire.Facts {
	f := good([]wire.Sensitivity{wire.PortalNormal, wire.PortalSensitive}[random.IntN(2)])
	f.Standing.Result.Claims = passing(at)
	ids := []wire.ClaimID{wire.ClaimFirewall, wire.ClaimDiskEncryption, wire.ClaimOSRelease, wire.ClaimOSUpdates, wire.ClaimAntivirus, wire.ClaimScreenLock, wire.ClaimVulnerabilities}
	for range random.IntN(4) {
		if id := ids[random.IntN(len(ids))]; claimState(&f.Standing.Result, id) == "pass" || id == wire.ClaimVulnerabilities {
			failing(&f, id)
		}
	}
	faults := []func(){
		func() { f.Standing.Standing = wire.StandingSilent },
		func() { f.Standing.Standing = wire.StandingStale },
		func() { f.Standing.Result.ValidUntil = at },
		func() { f.SignIn.At = at.Add(-time.Duration(random.IntN(14*60)) * time.Minute) },
		func() { f.Binding.At = at.Add(-13 * time.Hour) },
		func() { f.Network.Proven = false },
		func() { f.Key.Revoked = true },
		func() { f.Key.Hardware = false },
		func() { f.SignIn.AAL = 2 },
		func() { f.SignIn.TestKey = true },
		func() { f.SignIn.UserVerified = false },
		func() { hosted(&f); f.Host.Standing = wire.StandingSilent },
		func() { f.Trust.Score = random.IntN(100) },
		func() { f.Risk.Person = wire.RiskHigh },
		func() { f.Risk.Device = wire.RiskMedium },
		func() { setClaimState(&f, wire.ClaimUSBStorage, "error") },
		func() { f.Standing.Result.Vector.Executables = wire.Warning },
	}
	for range random.IntN(5) {
		faults[random.IntN(len(faults))]()
	}
	return f
}

// odd are policies of an agency that are unlike the baseline's: some want
// something bad, some read whole sections, some fail where others do not look.
var odd = [...]string{
	``,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) unless { context.claims.antivirus == "pass" && context.claims.screenLock == "pass" };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { context.signIn.ageSeconds < 60 && context.claims.firewall == "pass" };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) unless { context.device.standing == "fresh" || context.claims.usbStorage == "pass" && context.signIn.ageSeconds < 60 };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { (if context.network.proven then context.claims else context.claims).osUpdates != "pass" };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) unless { principal has admin && resource has origin && context has risk && context.risk has device };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { (if context.network.proven then resource else resource).origin == "https://hr.moda.test" && principal in Group::"moda/audit" };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) unless { principal has admin && resource has origin };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { context.signIn.ageSeconds == 999999999 || context.binding.ageSeconds <= 300 };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { [299, 301].contains(context.signIn.ageSeconds) || context.time.minuteOfDay <= 1019 };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { context.binding.ageSeconds < context.signIn.ageSeconds || context.signIn.ageSeconds == 999999999 };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { context.claims.osUpdates == "pass" && context.signIn.aal * 9223372036854775807 > 5 };`,
	`@id("x") @reason("ZT-POL-041") forbid (principal, action, resource) when { context.attestation.configuration == "affirming" && context.claims.osUpdates == "pass" && context.device.standing != "fresh" };`,
}

// oddEngines are sets of the baseline and one of these, and one that permits by
// what can be changed.
func oddEngines(t *testing.T) []*Engine {
	var all []*Engine
	for _, text := range odd {
		all = append(all, withPolicy(t, text))
	}
	files := Baseline()
	files["10-access.cedar"] = []byte(`@id("x") permit (principal in Group::"moda/hr", action, resource in Agency::"moda") when { context.claims.antivirus == "pass" };
		@id("y") permit (principal, action, resource is Portal in Agency::"moda") when { context.signIn.ageSeconds < 60 && context.claims.screenLock == "pass" };
		@id("z") @reason("ZT-POL-041") forbid (principal is Person in Agency::"moda", action, resource == Portal::"por-1") when { context.claims.osUpdates != "pass" && context.claims.antivirus == "pass" };`)
	e, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, e)
}

// bruteForce decides with every set of at most MaxChanges changes and returns
// the size of the smallest that helps, 0 if none does.
func bruteForce(e *Engine, f *wire.Facts, action wire.Action) int {
	changes := changesOf(f, at)
	best := 0
	for set := uint64(1); set < 1<<len(changes); set++ {
		size := bits.OnesCount64(set)
		if size > MaxChanges || best > 0 && size >= best {
			continue
		}
		after := *f
		for i := range changes {
			if set&(1<<i) != 0 {
				changes[i].apply(&after)
			}
		}
		if e.evaluate(e.view.request(&after, at), action).allowed {
			best = size
		}
	}
	return best
}

// TestNoSmallerSetHelps holds the search against trying everything, and applies
// what a decision tells to see the allow.
func TestNoSmallerSetHelps(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 6))
	sizes := map[int]int{}
	engines := oddEngines(t)
	for i := range 330 {
		e := engines[i%len(engines)]
		f := troubled(random)
		action := []wire.Action{wire.ActionRead, wire.ActionWrite}[random.IntN(2)]
		now := e.evaluate(e.view.request(&f, at), action)
		if now.allowed || now.failed {
			continue
		}
		want := bruteForce(e, &f, action)
		_, steps := e.smallest(now, &f, action, at)
		if len(steps) != want {
			t.Fatalf("set %d: found %d changes, everything tried gives %d: %+v", i%len(engines), len(steps), want, f)
		}
		sizes[want]++
		d := e.Decide(f, action, at)
		if d.Suffices != (want > 0) {
			t.Fatalf("suffices %v, want %d: %+v", d.Suffices, want, d)
		}
		if d.Suffices && !helps(e, f, d) {
			t.Fatalf("set %d: %+v does not help %+v", i%len(engines), d.Remedies, f)
		}
	}
	for size := range MaxChanges + 1 {
		if sizes[size] < 3 {
			t.Errorf("sets of %d came up %d times", size, sizes[size])
		}
	}
}

// helps applies a decision's remedies by what they say alone.
func helps(e *Engine, f wire.Facts, d wire.Decision) bool {
	changes := changesOf(&f, at)
	after := f
	for _, r := range d.Remedies {
		i := slices.IndexFunc(changes, func(c change) bool { return c.action == r.Action && c.claim == r.Claim })
		if i < 0 {
			return false
		}
		changes[i].apply(&after)
	}
	return e.Decide(after, d.Action, at).Effect == wire.Allow
}

// TestWhatIsLeftOutChangesNothing decides as Cedar does with all policies and
// all facts, whatever the index and the view leave out.
func TestWhatIsLeftOutChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 9))
	for i, e := range oddEngines(t) {
		all := cedar.NewPolicySet()
		for id, r := range e.rules.byID {
			all.Add(id, r.policy)
		}
		for range 120 {
			f := troubled(random)
			// Ages at the numbers of the policies, and beside them.
			ages := [...]int64{0, 298, 299, 300, 301, 302, 599, 600, 601, 899, 900, 43200, 43201, unknownAge}
			f.SignIn.At, f.Binding.At = ago(at, ages[random.IntN(len(ages))]), ago(at, ages[random.IntN(len(ages))])
			at := at.Add(time.Duration(random.IntN(3)-1) * time.Minute)
			f.Person.Groups = [][]string{nil, {"hr"}, {"audit", "hr"}}[random.IntN(3)]
			f.Portal.ID = []string{"por-1", "por-2"}[random.IntN(2)]
			f.Portal.Agency = []string{"moda", "moda", "mof"}[random.IntN(3)]
			for _, action := range actions {
				whole := newRequest(&f, at)
				decision, diagnostic := cedar.Authorize(all, whole, whole.cedar(action))
				var ids []string
				for _, why := range diagnostic.Reasons {
					ids = append(ids, string(why.PolicyID))
				}
				got := e.evaluate(e.view.request(&f, at), action)
				if got.allowed != (decision == types.Allow && len(diagnostic.Errors) == 0) || got.failed != (len(diagnostic.Errors) > 0) || !slices.Equal(got.policies(), sorted(ids)) {
					t.Fatalf("set %d, %s: %+v, Cedar says %v %q: %+v", i, action, got, decision, ids, f)
				}
			}
		}
	}
}
