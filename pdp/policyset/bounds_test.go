package policyset

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"iter"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
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

// TestAnActivationHasItsOfficers: also one that is signed.
func TestAnActivationHasItsOfficers(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := &Keeper{Config: Config{Approval: key}, approvalKey: ed25519.PublicKey(key[32:])}
	wang, li := wire.PolicyApproval{By: "uid:1"}, wire.PolicyApproval{By: "uid:2"}
	for name, c := range map[string]struct {
		activation activation
		stands     bool
	}{
		"two":                  {activation{Needed: 2, Approvals: []wire.PolicyApproval{wang, li}}, true},
		"one of two":           {activation{Needed: 2, Approvals: []wire.PolicyApproval{wang}}, false},
		"the same twice":       {activation{Needed: 2, Approvals: []wire.PolicyApproval{wang, wang}}, false},
		"one, by setting":      {activation{Needed: 1, Approvals: []wire.PolicyApproval{wang}}, true},
		"nobody, none needed":  {activation{}, false},
		"nobody, by the setup": {activation{Configured: true}, true},
	} {
		signature, err := k.sign(labelActivation, c.activation)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.stands(signedActivation{c.activation, signature}); got != c.stands {
			t.Errorf("%s: %v", name, got)
		}
		// A signature over the same bytes as something else counts for nothing.
		if signature, err = k.sign(labelSet, c.activation); err != nil || k.stands(signedActivation{c.activation, signature}) {
			t.Errorf("%s: stands by another label, %v", name, err)
		}
	}
}

// TestAWhatIfThatEndedEarlyIsNone for an activation.
func TestAWhatIfThatEndedEarlyIsNone(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	k := &Keeper{Config: Config{Store: s, ConfirmAbove: 5}}
	k.force.Store(&inForce{last: activation{Version: "aa"}})
	untried := func() bool {
		var refused *Refusal
		return errors.As(k.confirmation(t.Context(), "bb"), &refused) && refused.Why.Code == reason.SetUntried
	}
	r := wire.PolicyWhatIf{Version: "bb", Against: "aa", Decisions: 10, People: 10, Truncated: reason.New(reason.SetTooLong)}
	if err := k.keepTried(t.Context(), &r, 1); err != nil || !untried() {
		t.Error("one that ended early counts", err)
	}
	r.Truncated = wire.Reason{}
	if err := k.keepTried(t.Context(), &r, 1); err != nil || untried() {
		t.Error("a whole one does not count", err)
	}
}
