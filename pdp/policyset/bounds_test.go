package policyset

import (
	"context"
	"iter"
	"strconv"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
)

func engine(t *testing.T) Evaluator {
	t.Helper()
	e, err := policy.Load(policy.Baseline())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestAReplayThatEndsEarlySaysSo: after its time, and where no more people can
// be told apart.
func TestAReplayThatEndsEarlySaysSo(t *testing.T) {
	e, at := engine(t), time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	one := wire.RecordedDecision{Subject: "per-1", Facts: wire.Facts{At: at}, Decision: wire.Decision{At: at}}
	replayed := func(limit time.Duration, people int, source Source) wire.PolicyWhatIf {
		r := &replay{draft: e, against: e, limit: limit, people: map[string]*affected{}, failures: map[string]*wire.PolicyFailure{}}
		for i := range people {
			r.people[strconv.Itoa(i)] = &affected{}
		}
		if err := r.run(t.Context(), source, func(uint64, time.Time) {}); err != nil {
			t.Fatal(err)
		}
		r.sum()
		return r.report
	}
	slow := func(ctx context.Context, _ time.Time) iter.Seq2[wire.RecordedDecision, error] {
		return func(yield func(wire.RecordedDecision, error) bool) {
			if yield(one, nil) {
				<-ctx.Done()
			}
		}
	}
	if r := replayed(time.Millisecond, 0, slow); r.Truncated.Code != reason.SetTooLong || r.Truncated.Args["until"] != "2026-11-23T09:00:00Z" {
		t.Errorf("%+v", r.Truncated)
	}
	twice := func(context.Context, time.Time) iter.Seq2[wire.RecordedDecision, error] {
		return func(yield func(wire.RecordedDecision, error) bool) {
			_ = yield(one, nil) && yield(wire.RecordedDecision{Subject: "per-2", Facts: one.Facts}, nil)
		}
	}
	if r := replayed(time.Minute, maxPeople-1, twice); r.Truncated.Code != reason.SetTooManyPeople || r.People != maxPeople || r.Decisions != 1 {
		t.Errorf("%+v", r)
	}
	if r := replayed(time.Minute, maxPeople-2, twice); r.Truncated.Code != "" || r.Decisions != 2 {
		t.Errorf("%+v", r)
	}
}

// TestRowsAndFailuresAreBounded: what no row is left for is counted.
func TestRowsAndFailuresAreBounded(t *testing.T) {
	e := engine(t)
	lax, err := policy.Load(map[string][]byte{"a.cedar": []byte(`@id("a") permit (principal, action, resource);`)})
	if err != nil {
		t.Fatal(err)
	}
	s := &shadow{set: lax, against: e, rows: map[row]*counted{}}
	for i := range maxRows + 2 {
		s.judge(observed{facts: &wire.Facts{Portal: wire.Portal{ID: strconv.Itoa(i)}}, action: wire.ActionRead})
	}
	if len(s.rows) != maxRows || s.unlisted != 2 {
		t.Errorf("%d rows, %d unlisted", len(s.rows), s.unlisted)
	}
	k := &Keeper{}
	k.shadow.Store(s)
	if report, err := k.ShadowReport(); err != nil || len(report.Differences) != maxRowsShown || report.Unlisted != maxRows+2-maxRowsShown {
		t.Errorf("%d shown, %d unlisted, %v", len(report.Differences), report.Unlisted, err)
	}
	r := &replay{failures: map[string]*wire.PolicyFailure{}}
	for i := range maxFailures + 2 {
		r.failed(wire.Reason{Code: strconv.Itoa(i)})
	}
	if len(r.failures) > maxFailures+1 || r.failures[reason.SetRecordFailed].Count != 2 {
		t.Errorf("%d kinds of failures", len(r.failures))
	}
}
