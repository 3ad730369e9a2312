package session

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// opened returns a decision's record and the inputs sealed in it.
func (b *bench) opened(t *testing.T, id string) (wire.AuditRecord, []byte) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.records {
		if r.Kind != wire.AuditDecision || r.Decision != id {
			continue
		}
		if r.Inputs == nil {
			t.Fatal("recorded without its inputs")
		}
		b.mu.Unlock()
		raw, err := b.inputs.Open(t.Context(), r.Agency, r.Subject, id, *r.Inputs)
		b.mu.Lock()
		if err != nil {
			t.Fatal(err)
		}
		return r, raw
	}
	t.Fatal("no record of ", id)
	return wire.AuditRecord{}, nil
}

// Whatever befalls a decision after the engine, the record's inputs are enough
// to come to the same bytes again.
func TestEveryDecisionComesOutOfItsRecordAgain(t *testing.T) {
	facts := wire.Facts{Person: wire.Person{ID: "per-1", Agency: "moda", Groups: []string{"hr"}}}
	valid := wire.Decision{Effect: wire.Allow, PolicyVersion: "v1", ValidUntil: beginning.Add(time.Hour)}
	for name, c := range map[string]struct {
		engine wire.Decision
		err    error
		mint   error
		action wire.Action
		code   string
	}{
		"allowed":        {engine: valid, action: wire.ActionRead},
		"denied":         {engine: wire.Decision{Reasons: []wire.Reason{reason.New(reason.NoPermit)}}, action: wire.ActionRead, code: reason.NoPermit},
		"engine failed":  {err: errors.New("store gone"), action: wire.ActionRead, code: reason.Unavailable},
		"ended already":  {engine: wire.Decision{Effect: wire.Allow, Suffices: true, ValidUntil: beginning}, action: wire.ActionRead, code: reason.Unavailable},
		"read-only":      {engine: wire.Decision{Effect: wire.Allow, ValidUntil: valid.ValidUntil, Obligations: wire.Obligations{ReadOnly: true}}, action: wire.ActionWrite, code: reason.ReadOnlySession},
		"touched before": {engine: wire.Decision{Effect: wire.StepUp, Suffices: true, ValidUntil: valid.ValidUntil, Reasons: []wire.Reason{reason.New(reason.FreshKeyNeeded)}}, action: wire.ActionRead, code: reason.FreshKeyNeeded},
		"no token":       {engine: valid, mint: errors.New("no key"), action: wire.ActionRead, code: reason.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) { return facts, c.engine, c.err })
			if c.mint != nil {
				b.mint = func() (string, time.Time, error) { return "", time.Time{}, c.mint }
			}
			a := b.Authorize(t.Context(), ask(b.create(who{}), office, c.action))
			if a.Decision == nil || a.Reason.Code != c.code {
				t.Fatalf("%+v", a)
			}
			record, canonical := b.opened(t, a.Decision.ID)
			var in wire.DecisionInputs
			if err := json.Unmarshal(canonical, &in); err != nil {
				t.Fatal(err)
			}
			if without := c.err == nil && c.engine.PolicyVersion == "" && len(c.engine.Reasons) > 0; (in.NoPolicy != nil) != without || in.PolicyVersion != c.engine.PolicyVersion {
				t.Errorf("policy %q, %v", in.PolicyVersion, in.NoPolicy)
			}
			if a.Decision.Suffices {
				t.Error("what the engine tried is said to suffice")
			}
			again := Conclude(c.engine, &in)
			again.InputsDigest = Digest(canonical)
			var was struct{ Decision json.RawMessage }
			if err := json.Unmarshal(record.Detail, &was); err != nil {
				t.Fatal(err)
			}
			if raw, err := json.Marshal(again); err != nil || string(raw) != string(was.Decision) {
				t.Errorf("computed again: %v\n%s\nrecorded:\n%s", err, raw, was.Decision)
			}
			if c.err == nil && in.Facts.Person.Groups[0] != "hr" {
				t.Errorf("the facts were not recorded: %+v", in.Facts)
			}
		})
	}
}

// Two decisions from one set of facts have different digests: after the inputs
// are gone, nobody can try guesses at them.
func TestTheDigestIsSalted(t *testing.T) {
	b := newBench(t)
	cookie := b.create(who{})
	first := b.read(cookie).Decision
	b.PersonChanged("per-1")
	second := b.read(cookie).Decision
	_, one := b.opened(t, first.ID)
	_, two := b.opened(t, second.ID)
	var a, c wire.DecisionInputs
	if json.Unmarshal(one, &a) != nil || json.Unmarshal(two, &c) != nil {
		t.Fatal("inputs that are none")
	}
	if len(a.Salt) != saltSize || string(a.Salt) == string(c.Salt) {
		t.Fatal("the salt is not drawn for each decision")
	}
	a.Salt = nil
	unsalted, err := json.Marshal(a)
	if err != nil || Digest(unsalted) == first.InputsDigest || len(first.InputsDigest) != 64 {
		t.Error("the digest does not cover the salt", err)
	}
}

// What cannot be sealed is not decided; others are not touched by it.
func TestNoAllowWithoutItsInputs(t *testing.T) {
	b := newBench(t)
	cookie, other := b.create(who{}), b.create(who{person: "per-2"})
	b.want(b.read(other), wire.AccessGranted, "")
	b.sealErr = errors.New("no key")
	b.want(b.read(cookie), wire.AccessRefused, reason.InputsUnsealed)
	b.want(b.read(other), wire.AccessGranted, "")
	if b.count(wire.AuditDecision) != 1 {
		t.Error("a decision was recorded in part")
	}
	b.sealErr = nil
	b.pass(2 * time.Second)
	b.want(b.read(cookie), wire.AccessGranted, "")
}

// Facts without a canonical form cannot be recorded, so nothing is decided.
func TestNoAllowOnFactsWithoutACanonicalForm(t *testing.T) {
	b := newBench(t)
	b.set(func(Subject, wire.Action) (wire.Facts, wire.Decision, error) {
		return wire.Facts{Trust: wire.TrustAssessment{Nats: math.NaN()}}, wire.Decision{Effect: wire.Allow, ValidUntil: b.clock().Add(time.Hour)}, nil
	})
	b.want(b.read(b.create(who{})), wire.AccessRefused, reason.BadFacts)
}
