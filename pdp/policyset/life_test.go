package policyset_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/store"
)

// TestTheConfiguredSetIsInForceUntilOfficersActivateAnother (requirements 12).
func TestTheConfiguredSetIsInForceUntilOfficersActivateAnother(t *testing.T) {
	d := newDesk(t)
	baseline := d.inForce()
	d.wants(map[string]wire.PolicyState{baseline: wire.PolicyActive})
	if len(d.records) != 1 || d.records[0].Kind != wire.AuditSystem || !strings.Contains(string(d.records[0].Detail), baseline) {
		t.Errorf("the set that decides is not recorded: %v", d.records)
	}
	d.start()
	if len(d.records) != 1 {
		t.Error("a start that changes nothing is recorded as a change")
	}
	// Another folder: the one before is kept, for replay.
	d.config.Configured = with(noWrites)
	d.start()
	folder := d.inForce()
	d.wants(map[string]wire.PolicyState{baseline: wire.PolicySuperseded, folder: wire.PolicyActive})
	if !d.ConfiguredInForce() {
		t.Error("the configured set is not known as such")
	}
	set := d.active(with(freshKey))
	d.config.Configured = policy.Baseline()
	d.start()
	if d.inForce() != set || d.ConfiguredInForce() {
		t.Error("a start undid what officers activated")
	}
	for _, version := range []string{baseline, folder, set} {
		if e, err := d.At(t.Context(), version); err != nil || e.Version() != version {
			t.Errorf("%s cannot be replayed: %v", version, err)
		}
	}
	if _, err := d.At(t.Context(), "000000000000000000000000"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestAnActivationNeedsTwoOfficers(t *testing.T) {
	d := newDesk(t)
	ctx, before := t.Context(), d.inForce()
	version := d.staged(with(noWrites))
	set, err := d.Activate(ctx, version, version, wang)
	if err != nil || set.State != wire.PolicyStaged || len(set.Approvals) != 1 || set.Approvals[0].By != wang {
		t.Errorf("%+v %v", set, err)
	}
	if d.inForce() != before || d.told != 0 {
		t.Error("one officer alone brought a set into force")
	}
	_, err = d.Activate(ctx, version, version, wang)
	d.refused(err, reason.SetSameOfficer)
	d.start() // the approval outlives the process
	_, err = d.Activate(ctx, version, version, wang)
	d.refused(err, reason.SetSameOfficer)
	if d.inForce() != before {
		t.Error("the same officer twice brought a set into force")
	}
	set, err = d.Activate(ctx, version, version, li)
	if err != nil || set.State != wire.PolicyActive || d.inForce() != version || d.told != 1 {
		t.Errorf("%+v %v, told %d", set, err, d.told)
	}
	d.wants(map[string]wire.PolicyState{before: wire.PolicySuperseded, version: wire.PolicyActive})
	if last := d.records[len(d.records)-1]; !strings.Contains(string(last.Detail), version) {
		t.Errorf("not recorded: %s", last.Detail)
	}

	d.config.Approvers = 1
	d.start()
	if d.active2(with(freshKey)); d.inForce() == version {
		t.Error("one officer is enough by setting, and was not")
	}
}

// active2 activates by one officer.
func (d *desk) active2(files map[string][]byte) {
	d.t.Helper()
	version := d.staged(files)
	_, err := d.Activate(d.t.Context(), version, version, wang)
	d.must(err)
}

// TestAnApprovalCountsAgainstTheSetOfItsTime: a set that came into force
// meanwhile was not known to the first officer.
func TestAnApprovalCountsAgainstTheSetOfItsTime(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	version := d.staged(with(everybody))
	_, err := d.Activate(ctx, version, version, wang)
	d.must(err)
	other := d.active(with(nobodyIn))
	set, err := d.Activate(ctx, version, version, li)
	if err != nil || set.State != wire.PolicyStaged || len(set.Approvals) != 1 || d.inForce() != other {
		t.Errorf("an approval of another time counted: %+v %v", set, err)
	}
	// Nor does it count again when the set of that time comes back.
	for _, by := range []string{wang, li} {
		_, err = d.Rollback(ctx, "", by)
		d.must(err)
	}
	if set, err = d.Activate(ctx, version, version, wang); err != nil || len(set.Approvals) != 1 {
		t.Errorf("%+v %v", set, err)
	}
}

func TestAForgedApprovalDoesNotCount(t *testing.T) {
	d := newDesk(t)
	ctx, before := t.Context(), d.inForce()
	version, other := d.staged(with(everybody)), d.staged(with(noWrites))
	_, err := d.Activate(ctx, version, version, wang)
	d.must(err)
	key := store.Key("policy-set", "_", version)
	// Somebody who can write to the store makes another officer's of it, or
	// takes one that is for another set.
	var taken any
	d.change(key, func(h map[string]any) {
		taken = h["approvals"]
		approval := h["approvals"].([]any)[0].(map[string]any)["approval"].(map[string]any)
		approval["by"] = li
	})
	set, err := d.Activate(ctx, version, version, wang)
	if err != nil || len(set.Approvals) != 1 || d.inForce() != before {
		t.Errorf("a forged approval counted: %+v %v", set, err)
	}
	d.change(store.Key("policy-set", "_", other), func(h map[string]any) { h["approvals"] = taken })
	if set, err := d.Activate(ctx, other, other, li); err != nil || d.inForce() != before {
		t.Errorf("an approval of another set counted: %+v %v", set, err)
	}
}

func TestStatesAllowWhatTheyAllow(t *testing.T) {
	d := newDesk(t)
	ctx, baseline := t.Context(), d.inForce()
	draft, err := d.Submit(ctx, with(noWrites), "no writes on Sundays", wang)
	if err != nil || draft.State != wire.PolicyDraft || draft.Note == "" || draft.Policies <= d.Active().Policies() {
		t.Fatalf("%+v %v", draft, err)
	}
	v := draft.Version
	again, err := d.Submit(ctx, with(noWrites), "", li)
	d.refused(err, reason.SetExists)
	if again.Version != "" {
		t.Error("a refusal answers with a set")
	}
	_, err = d.Submit(ctx, policy.Baseline(), "", li)
	d.refused(err, reason.SetExists)
	_, err = d.Activate(ctx, v, v, wang)
	d.refused(err, reason.SetState)
	_, err = d.Shadow(ctx, v, wang)
	d.refused(err, reason.SetState)
	_, err = d.Rollback(ctx, v, wang)
	d.refused(err, reason.SetState)
	_, err = d.Stage(ctx, v, wang)
	d.must(err)
	_, err = d.Stage(ctx, v, wang)
	d.refused(err, reason.SetState)
	_, err = d.Shadow(ctx, v, wang)
	d.must(err)
	_, err = d.Activate(ctx, baseline, baseline, wang)
	d.refused(err, reason.SetState)
	other := d.staged(with(freshKey))
	_, err = d.Shadow(ctx, other, wang)
	d.must(err)
	d.wants(map[string]wire.PolicyState{baseline: wire.PolicyActive, v: wire.PolicyStaged, other: wire.PolicyShadow})
	for _, by := range []string{wang, li} {
		_, err = d.Activate(ctx, other, other, by)
		d.must(err)
	}
	if _, err := d.ShadowReport(); err == nil {
		t.Error("what came into force is in the shadow of itself")
	}
	_, err = d.Activate(ctx, baseline, baseline, wang)
	d.refused(err, reason.SetState) // taken back by rollback
	for _, unknown := range []string{"0123456789abcdef", "", "../x", strings.Repeat("a", 65)} {
		_, err := d.Stage(ctx, unknown, wang)
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
	view, err := d.Show(ctx, other)
	if err != nil || view.Files["90-more.cedar"] != freshKey || len(view.Set.History) != 4 {
		t.Errorf("%+v %v", view.Set, err)
	}
}

func TestAnEarlierSetIsTakenBackByTwoOfficers(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	first, second := d.active(with(noWrites)), d.active(with(everybody))
	set, err := d.Rollback(ctx, "", wang)
	if err != nil || set.Version != first || set.State != wire.PolicySuperseded || d.inForce() != second {
		t.Errorf("%+v %v", set, err)
	}
	_, err = d.Rollback(ctx, "", wang)
	d.refused(err, reason.SetSameOfficer)
	if _, err = d.Rollback(ctx, first, li); err != nil || d.inForce() != first {
		t.Errorf("%v", err)
	}
	d.start()
	if d.inForce() != first {
		t.Error("a restart undid a rollback")
	}
	_, err = d.Rollback(ctx, first, wang) // it is in force
	d.refused(err, reason.SetState)
	empty := newDesk(t)
	_, err = empty.Rollback(ctx, "", wang)
	empty.refused(err, reason.SetNoEarlier)
}

func TestASetIsValidatedWhenItComes(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	_, err := d.Submit(ctx, with("\n@id(\"x\")\npermit (principal, action, resource) when { context.nonsense };\n"), "", wang)
	d.refused(err, reason.CfgPolicy)
	if text := err.Error(); !strings.Contains(text, "90-more.cedar:2") || !strings.Contains(text, "nonsense") {
		t.Errorf("place and reason are missing: %s", text)
	}
	odd := with(noWrites)
	odd["\xff.cedar"] = []byte("// JSON cannot keep the name\n")
	_, err = d.Submit(ctx, odd, "", wang)
	d.refused(err, reason.SetTooLarge)
	_, err = d.Submit(ctx, with(noWrites), "two\nlines", wang)
	d.refused(err, reason.SetNote)
	_, err = d.Submit(ctx, with(noWrites), strings.Repeat("a", 257), wang)
	d.refused(err, reason.SetNote)
	large := policy.Baseline()
	for _, name := range strings.Split("a b c d e f g h i", " ") {
		large[name+".cedar"] = []byte("//" + strings.Repeat(name, 1<<20-10) + "\n")
	}
	_, err = d.Submit(ctx, large, "", wang)
	d.refused(err, reason.SetTooLarge)
	// A large set is kept in several parts.
	delete(large, "i.cedar")
	delete(large, "h.cedar")
	set, err := d.Submit(ctx, large, "", wang)
	d.must(err)
	view, err := d.Show(ctx, set.Version)
	if err != nil || len(view.Files["c.cedar"]) != 1<<20-7 {
		t.Error(len(view.Files["c.cedar"]), err)
	}
	if len(d.states()) != 2 {
		t.Errorf("what was refused is kept: %v", d.states())
	}
	for name, spoil := range map[string]func(*policyset.Config){
		"store": func(c *policyset.Config) { c.Store = nil }, "approvers": func(c *policyset.Config) { c.Approvers = 3 },
		"configured": func(c *policyset.Config) { c.Configured = nil }, "share": func(c *policyset.Config) { c.ConfirmAbove = 101 },
		"key": func(c *policyset.Config) { c.Approval = nil }, "recorder": func(c *policyset.Config) { c.Recorder = nil },
		"broken": func(c *policyset.Config) { c.Configured = map[string][]byte{"a.cedar": []byte("permit")} },
	} {
		c := d.config
		spoil(&c)
		if _, err := policyset.New(ctx, c); err == nil {
			t.Errorf("%s is not missed", name)
		}
	}
}

// dying is a store that dies at a transaction: before it, or after.
type dying struct {
	store.Store
	left  int
	after bool
	died  bool
}

func (s *dying) Txn(ctx context.Context, conditions []store.Compare, ops []store.Op) (int64, error) {
	if s.died {
		return 0, store.ErrUnavailable
	}
	if s.left--; s.left >= 0 {
		return s.Store.Txn(ctx, conditions, ops)
	}
	s.died = true
	if s.after {
		if _, err := s.Store.Txn(ctx, conditions, ops); err != nil {
			return 0, err
		}
	}
	return 0, store.ErrUnavailable
}

// TestACrashLeavesTheOldStateWholeOrTheNew at every write of a life.
func TestACrashLeavesTheOldStateWholeOrTheNew(t *testing.T) {
	ctx := t.Context()
	for _, after := range []bool{false, true} {
		for at := 0; ; at++ {
			d := newDesk(t)
			baseline := d.inForce()
			s := &dying{Store: d.store, left: at, after: after}
			d.wrapped = s
			d.start()
			version := ""
			life := []func() error{
				func() error { set, err := d.Submit(ctx, with(noWrites), "", wang); version = set.Version; return err },
				func() error { _, err := d.Stage(ctx, version, wang); return err },
				func() error { _, err := d.Shadow(ctx, version, wang); return err },
				func() error { _, err := d.Activate(ctx, version, version, wang); return err },
				func() error { _, err := d.Activate(ctx, version, version, li); return err },
				func() error { _, err := d.Rollback(ctx, "", wang); return err },
				func() error { _, err := d.Rollback(ctx, "", li); return err },
			}
			step := 0
			for ; step < len(life); step++ {
				if err := life[step](); err != nil {
					break
				}
			}
			if step == len(life) {
				if at != len(life) {
					t.Errorf("a life has %d writes, want one each step (%d)", at, len(life))
				}
				break
			}
			d.wrapped = nil
			d.start()
			now := d.inForce()
			activated := step == 5 || step == 6 && !after || step == 4 && after
			if (now != baseline) != activated {
				t.Errorf("died at step %d, after %v: %s is in force", step, after, now)
			}
			actives := 0
			for v, state := range d.states() {
				if state == wire.PolicyActive {
					actives++
					if v != now {
						t.Errorf("%s is active and %s decides", v, now)
					}
				}
			}
			if actives != 1 {
				t.Errorf("died at step %d: %v", step, d.states())
			}
		}
	}
}

// TestWhatCannotBeRecordedDoesNotComeIntoForce (requirements 23).
func TestWhatCannotBeRecordedDoesNotComeIntoForce(t *testing.T) {
	d := newDesk(t)
	before, version := d.inForce(), d.staged(with(everybody))
	_, err := d.Activate(t.Context(), version, version, wang)
	d.must(err)
	d.deaf = true
	if _, err = d.Activate(t.Context(), version, version, li); err == nil || d.inForce() != before {
		t.Error("an activation without its record")
	}
	d.config.Configured = with(noWrites)
	if _, err := policyset.New(t.Context(), d.config); err == nil {
		t.Error("a configured set came into force without its record")
	}
}

// TestKeptSetsAreBounded.
func TestKeptSetsAreBounded(t *testing.T) {
	d := newDesk(t)
	draft, err := d.Submit(t.Context(), with(noWrites), "", wang)
	d.must(err)
	kept, err := d.store.Get(t.Context(), store.Key("policy-set", "_", draft.Version), store.Linearizable)
	d.must(err)
	for i := 2; i < 2000; {
		var ops []store.Op
		for ; len(ops) < store.MaxTxnParts && i < 2000; i++ {
			ops = append(ops, store.Op{Key: store.Key("policy-set", "_", fmt.Sprintf("%012d", i)), Value: kept.Value})
		}
		_, err := d.store.Txn(t.Context(), nil, ops)
		d.must(err)
	}
	_, err = d.Submit(t.Context(), with(freshKey), "", wang)
	d.refused(err, reason.SetTooMany)
}
