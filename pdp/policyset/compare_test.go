package policyset_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policyset"
)

// taken is a decision as the set in force takes it.
func (d *desk) taken(id string, facts wire.Facts, action wire.Action) (wire.Facts, wire.Decision) {
	decision := d.Active().Decide(facts, action, facts.At)
	decision.ID = id
	return facts, decision
}

func (d *desk) observe(id string, facts wire.Facts, action wire.Action) {
	f, decision := d.taken(id, facts, action)
	d.Observe(&f, &decision)
}

// drained runs the Keeper until it has looked at so many decisions.
func (d *desk) drained(judged uint64) wire.PolicyShadowReport {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for {
		report, err := d.ShadowReport()
		d.must(err)
		if report.Judged+report.Failed >= judged {
			return report
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTheShadowCountsWhatWouldDiffer(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	baseline, version := d.inForce(), d.staged(with(noWrites+freshKey))
	d.observe("dec-0", good("per-1", noon), wire.ActionRead) // nothing is in shadow yet
	_, err := d.ShadowReport()
	d.refused(err, reason.SetNoShadow)
	_, err = d.Shadow(ctx, version, wang)
	d.must(err)
	fresh := good("per-1", noon)
	fresh.SignIn.At = noon.Add(-time.Minute)
	disabled := good("per-2", noon)
	disabled.Person.Disabled = true
	for i, one := range []struct {
		facts  wire.Facts
		action wire.Action
	}{
		{good("per-1", noon), wire.ActionRead}, {good("per-2", noon), wire.ActionRead}, // must touch the key
		{fresh, wire.ActionRead},                // may only read
		{fresh, wire.ActionWrite},               // may not write
		{disabled, wire.ActionRead},             // denied by both
		{good("per-1", noon), wire.ActionWrite}, // may not write
	} {
		d.observe(fmt.Sprintf("dec-%d", i+1), one.facts, one.action)
	}
	// A decision of another set says nothing of the one in force.
	f, other := d.taken("dec-9", good("per-1", noon), wire.ActionRead)
	other.PolicyVersion = version
	d.Observe(&f, &other)
	want := []wire.PolicyDifference{
		{Was: wire.AnswerAllow, Now: wire.AnswerDeny, Portal: "por-1", Action: wire.ActionWrite, Rules: []string{"more.no-writes"}, Count: 1, Examples: []string{"dec-4"}},
		{Was: wire.AnswerAllow, Now: wire.AnswerDeny, Portal: "por-1", Action: wire.ActionWrite, Rules: []string{"more.fresh", "more.no-writes"}, Count: 1, Examples: []string{"dec-6"}},
		{Was: wire.AnswerAllow, Now: wire.AnswerReadOnly, Portal: "por-1", Action: wire.ActionRead, Rules: []string{"baseline.same-agency"}, Count: 1, Examples: []string{"dec-3"}},
		{Was: wire.AnswerAllow, Now: wire.AnswerStepUp, Portal: "por-1", Action: wire.ActionRead, Rules: []string{"more.fresh"}, Count: 2, Examples: []string{"dec-1", "dec-2"}},
	}
	report := d.drained(6)
	sorted := slices.SortedFunc(slices.Values(report.Differences), func(a, b wire.PolicyDifference) int {
		return slices.Compare([]string{string(a.Was), string(a.Now), b.Examples[0]}, []string{string(b.Was), string(b.Now), a.Examples[0]})
	})
	slices.SortFunc(want, func(a, b wire.PolicyDifference) int {
		return slices.Compare([]string{string(a.Was), string(a.Now), b.Examples[0]}, []string{string(b.Was), string(b.Now), a.Examples[0]})
	})
	if diff := cmp.Diff(want, sorted); diff != "" {
		t.Error(diff)
	}
	if report.Differences[0].Count != 2 {
		t.Error("the most frequent is not first")
	}
	if report.Version != version || report.Against != baseline || report.Judged != 6 || report.Dropped+report.Failed+report.Unlisted != 0 || !report.Since.Equal(noon) {
		t.Errorf("%+v", report)
	}
	// Another step leaves the counts alone; another set in shadow begins anew.
	d.staged(with(everybody))
	if again, err := d.ShadowReport(); err != nil || again.Judged != 6 {
		t.Errorf("%+v %v", again, err)
	}
	lax := d.staged(with(everybody + "\n// lax\n"))
	_, err = d.Shadow(ctx, lax, wang)
	d.must(err)
	outsider := good("per-3", noon)
	outsider.Person.Agency, outsider.Device.Agency = "nstc", "nstc"
	d.observe("dec-10", outsider, wire.ActionRead)
	report = d.drained(1)
	if report.Version != lax || len(report.Differences) != 1 || report.Differences[0].Was != wire.AnswerDeny {
		t.Errorf("%+v", report)
	}
	// So does another set in force.
	now := d.active(with(noWrites))
	if report, err = d.ShadowReport(); err != nil || report.Against != now || report.Version != lax || report.Judged != 0 {
		t.Errorf("%+v %v", report, err)
	}
	// A restart finds it in shadow.
	d.start()
	if report, err = d.ShadowReport(); err != nil || report.Version != lax || report.Judged != 0 {
		t.Errorf("%+v %v", report, err)
	}
}

// TestTheShadowNeverHoldsUpADecision: what finds no room is dropped, and told.
func TestTheShadowNeverHoldsUpADecision(t *testing.T) {
	d := newDesk(t)
	version := d.staged(with(noWrites))
	_, err := d.Shadow(t.Context(), version, wang)
	d.must(err)
	facts, decision := d.taken("dec-1", good("per-1", noon), wire.ActionWrite)
	for range 1030 { // and nobody runs it
		d.Observe(&facts, &decision)
	}
	report, err := d.ShadowReport()
	if err != nil || report.Dropped != 6 {
		t.Errorf("%+v %v", report, err)
	}
	if report = d.drained(1024); report.Differences[0].Count != 1024 || len(report.Differences[0].Examples) != 5 {
		t.Errorf("%+v", report)
	}
}

// panicky is a set that cannot evaluate.
type panicky struct{ policyset.Evaluator }

func (p panicky) Decide(wire.Facts, wire.Action, time.Time) wire.Decision { panic("no") }

func TestASetThatCannotEvaluateFailsByItself(t *testing.T) {
	d := newDesk(t)
	d.config.Load = func(files map[string][]byte) (policyset.Evaluator, error) {
		e, err := load(files)
		if err != nil || len(files["90-more.cedar"]) == 0 {
			return e, err
		}
		return panicky{e}, nil
	}
	d.config.Recorded = recorded([]wire.RecordedDecision{d.record("dec-1", good("per-1", noon), wire.ActionRead)})
	d.start()
	version := d.staged(with(noWrites))
	_, err := d.Shadow(t.Context(), version, wang)
	d.must(err)
	d.observe("dec-1", good("per-1", noon), wire.ActionRead)
	if report := d.drained(1); report.Failed != 1 || report.Judged != 0 {
		t.Errorf("%+v", report)
	}
	report, err := d.WhatIf(t.Context(), with(noWrites), 1, "", nothing)
	if err != nil || report.Decisions != 0 || len(report.Failures) != 1 || report.Failures[0].Count != 1 {
		t.Errorf("%+v %v", report, err)
	}
}

func nothing(uint64, time.Time) {}

// record is a decision as the audit log gives it back.
func (d *desk) record(id string, facts wire.Facts, action wire.Action) wire.RecordedDecision {
	_, decision := d.taken(id, facts, action)
	return wire.RecordedDecision{Agency: "moda", Portal: facts.Portal.ID, Subject: facts.Person.ID, Session: "ses-1", Decision: decision, Facts: facts}
}

// recorded gives these decisions that are not older than asked for, then errors.
func recorded(all []wire.RecordedDecision, failures ...error) policyset.Source {
	return func(_ context.Context, since time.Time) iter.Seq2[wire.RecordedDecision, error] {
		return func(yield func(wire.RecordedDecision, error) bool) {
			for _, err := range failures {
				if !yield(wire.RecordedDecision{}, err) {
					return
				}
			}
			for _, one := range all {
				if !one.Decision.At.Before(since) && !yield(one, nil) {
					return
				}
			}
		}
	}
}

// erased is a failure with its own reason.
type erased struct{}

func (erased) Error() string       { return "erased" }
func (erased) Reason() wire.Reason { return reason.New(reason.CfgNotFound, "what", "x") }

// week are decisions of some days: many people read and write, per-0 and per-1
// signed in a moment before.
func (d *desk) week() []wire.RecordedDecision {
	var all []wire.RecordedDecision
	for day := 6; day >= 0; day-- {
		for person := range 10 {
			facts := good(fmt.Sprintf("per-%d", person), noon.AddDate(0, 0, -day))
			if person < 2 {
				facts.SignIn.At = facts.At.Add(-time.Minute)
			}
			if person == 9 {
				facts.Portal.ID = "por-2"
			}
			all = append(all, d.record(fmt.Sprintf("dec-%d-%d", day, person), facts, wire.ActionRead))
			if person == 3 {
				all = append(all, d.record(fmt.Sprintf("dec-w-%d", day), facts, wire.ActionWrite))
			}
		}
	}
	return all
}

// TestWhatIfSaysWhoLosesAndWhoGains, each decision judged at its own time
// (requirements 13).
func TestWhatIfSaysWhoLosesAndWhoGains(t *testing.T) {
	d := newDesk(t)
	all := d.week()
	stranger := good("per-20", noon)
	stranger.Person.Agency, stranger.Device.Agency = "nstc", "nstc"
	old := d.record("dec-x", stranger, wire.ActionRead)
	old.Decision.PolicyVersion = "000000000000"
	factless := wire.RecordedDecision{Subject: "per-21", Decision: wire.Decision{At: noon, Action: wire.ActionRead}}
	d.config.Recorded = recorded(append(all, old, factless), erased{}, erased{})
	d.start()
	ctx := t.Context()

	draft := `@id("more.fresh") @reason("ZT-POL-012") @remedy("sign-in")
forbid (principal, action == Action::"read", resource) when { context.signIn.ageSeconds > 300 };
@id("more.no-writes") @reason("ZT-POL-043")
forbid (principal, action == Action::"write", resource);
@id("more.strangers")
permit (principal, action == Action::"read", resource) when { principal.agency == Agency::"nstc" };
`
	r, err := d.WhatIf(ctx, with(draft), 3, "", nothing)
	d.must(err)
	// Three days back from noon include the decisions of four days.
	if r.Decisions != 4*11+1 || r.OtherVersions != 1 || r.People != 12 {
		t.Errorf("%d decisions, %d of other versions, %d people", r.Decisions, r.OtherVersions, r.People)
	}
	if r.Losing.People != 1 || r.SteppingUp.People != 7 || r.ReadingOnly.People != 2 || r.Gaining.People != 1 {
		t.Errorf("lose %d, step up %d, read only %d, gain %d", r.Losing.People, r.SteppingUp.People, r.ReadingOnly.People, r.Gaining.People)
	}
	lost := r.Losing.Examples[0]
	if lost.Person != "per-3" || lost.Was != wire.AnswerAllow || lost.Now != wire.AnswerDeny || lost.Action != wire.ActionWrite || lost.Decision != "dec-w-3" ||
		!slices.Contains(lost.Reasons, reason.TrustReadOnly) || lost.Portal != "por-1" || lost.Agency != "moda" {
		t.Errorf("%+v", lost)
	}
	if len(r.Failures) != 2 || r.Failures[0].Why.Code != reason.CfgNotFound || r.Failures[0].Count != 2 || r.Failures[1].Count != 1 || r.Truncated.Code != "" {
		t.Errorf("%+v", r)
	}
	r, err = d.WhatIf(ctx, with(draft), 7, "por-2", nothing)
	if err != nil || r.Decisions != 7 || r.People != 1 || r.SteppingUp.People != 1 || r.SteppingUp.Examples[0].Person != "per-9" {
		t.Errorf("%+v %v", r, err)
	}
	r, err = d.WhatIf(ctx, with(`@id("more.strangers")
permit (principal, action == Action::"read", resource) when { principal.agency == Agency::"nstc" };
@id("more.dev") permit (principal, action, resource) when { device.x };`), 7, "", nothing)
	d.refused(err, reason.CfgPolicy)
	if r.Version != "" {
		t.Error("a report of a draft that cannot be loaded")
	}
	for _, days := range []int{0, policyset.MaxDays + 1} {
		_, err = d.WhatIf(ctx, with(draft), days, "", nothing)
		d.refused(err, reason.SetDays)
	}
	d.config.Recorded = nil
	d.start()
	_, err = d.WhatIf(ctx, with(draft), 1, "", nothing)
	d.refused(err, reason.SetNoRecords)
	// A log that cannot be read to its end is no what-if of those days.
	d.config.Recorded = recorded(all, errors.New("broken"))
	d.start()
	_, err = d.WhatIf(ctx, with(draft), 1, "", nothing)
	d.refused(err, reason.SetNoRecords)
}

// TestAWhatIfTellsHowFarItIs, one at a time, and ends with whoever asked.
func TestAWhatIfTellsHowFarItIs(t *testing.T) {
	d := newDesk(t)
	one := d.record("dec-1", good("per-1", noon), wire.ActionRead)
	ctx, hangUp := context.WithCancel(t.Context())
	asked := 0
	d.config.Recorded = func(context.Context, time.Time) iter.Seq2[wire.RecordedDecision, error] {
		return func(yield func(wire.RecordedDecision, error) bool) {
			for range 2_500 {
				if asked++; !yield(one, nil) {
					return
				}
			}
		}
	}
	d.start()
	var told []uint64
	r, err := d.WhatIf(ctx, with(noWrites), 1, "", func(n uint64, at time.Time) {
		told = append(told, n)
		if !at.Equal(noon) {
			t.Error(at)
		}
		_, err := d.WhatIf(ctx, with(noWrites), 1, "", nothing)
		d.refused(err, reason.SetWhatIfBusy)
	})
	if err != nil || r.Decisions != 2_500 || !slices.Equal(told, []uint64{1000, 2000}) || r.ReadingOnly.People != 1 {
		t.Errorf("%+v %v %v", r, err, told)
	}
	asked = 0
	_, err = d.WhatIf(ctx, with(noWrites), 1, "", func(uint64, time.Time) { hangUp() })
	if !errors.Is(err, context.Canceled) || asked > 1001 {
		t.Errorf("%v after %d", err, asked)
	}
}

// TestAnActivationThatTakesMuchAwayIsConfirmed by typing its version.
func TestAnActivationThatTakesMuchAwayIsConfirmed(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	all := d.week()
	d.config.Recorded = recorded(all)
	d.start()
	files := with(noWrites) // per-3 writes: 1 of 10 loses
	version := d.staged(files)
	wants := func(code string) {
		t.Helper()
		_, err := d.Activate(ctx, version, "", wang)
		if code != "" {
			d.refused(err, code)
			_, err = d.Activate(ctx, version, "yes", wang)
			d.refused(err, code)
			return
		}
		d.must(err)
	}
	whatIf := func(days int, portal string) {
		t.Helper()
		_, err := d.WhatIf(ctx, files, days, portal, nothing)
		d.must(err)
	}
	wants(reason.SetUntried)
	whatIf(7, "por-2") // of one portal, where nobody loses
	wants(reason.SetUntried)
	whatIf(7, "")
	wants(reason.SetConfirm)
	d.config.ConfirmAbove = 9
	d.start()
	wants(reason.SetConfirm)
	d.config.ConfirmAbove = 10
	d.start()
	wants("") // 10 of 100 is not more than 10 percent
	// It said so against the set that was in force then.
	d.active(with(freshKey))
	wants(reason.SetUntried)
	// One that could judge little, or nothing, says nothing.
	d.config.Recorded = recorded(all[:1], erased{})
	d.start()
	whatIf(7, "")
	wants(reason.SetUntried)
	d.config.Recorded = recorded(nil)
	d.start()
	whatIf(7, "")
	wants(reason.SetUntried)
	_, err := d.Activate(ctx, version, version, wang)
	d.must(err)
}
