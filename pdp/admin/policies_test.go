package admin

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/store"
)

// newPolicySets is a true keeper with the true engine, and 2000 recorded
// decisions of somebody of whom nothing is known.
func newPolicySets(t *testing.T, s store.Store, clock func() time.Time) *policyset.Keeper {
	t.Helper()
	_, approval, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := policyset.New(t.Context(), policyset.Config{
		Store: s, Configured: policy.Baseline(), Approval: approval, Approvers: 2, ConfirmAbove: 5,
		Recorder: &log{room: 1000}, Clock: clock, Logger: slog.New(slog.DiscardHandler),
		Load: func(files map[string][]byte) (policyset.Evaluator, error) {
			e, err := policy.Load(files)
			if err != nil {
				return nil, err
			}
			return e, nil
		},
		Recorded: func(context.Context, time.Time) iter.Seq2[wire.RecordedDecision, error] {
			return func(yield func(wire.RecordedDecision, error) bool) {
				one := wire.RecordedDecision{Subject: "per-1", Facts: wire.Facts{At: clock()}, Decision: wire.Decision{At: clock()}}
				for range 2000 {
					if !yield(one, nil) {
						return
					}
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func draft(text string) map[string]string {
	files := map[string]string{"90-more.cedar": text}
	for name, raw := range policy.Baseline() {
		files[name] = string(raw)
	}
	return files
}

const everybody = `@id("more.everybody") permit (principal, action, resource);`

// post sends JSON as another user and returns the status.
func (f *fixture) post(t *testing.T, uid int, path, body string) int {
	t.Helper()
	answer, err := f.as(t, uid).Post("http://menshen"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestAPolicySetsLifeByTheSocket(t *testing.T) {
	f := open(t, nobodyUID)
	ctx, baseline := t.Context(), f.sets.Active().Version()
	set, err := f.SubmitPolicy(ctx, client.NewPolicySet{Files: draft(everybody), Note: "for all"})
	if err != nil || set.State != wire.PolicyDraft || set.History[0].By != "uid:0" {
		t.Fatalf("%+v %v", set, err)
	}
	v := set.Version
	if all, err := f.PolicySets(ctx); err != nil || len(all) != 2 {
		t.Error(all, err)
	}
	if got, err := f.Client.PolicySet(ctx, v); err != nil || got.Files["90-more.cedar"] != everybody || got.Set.Note != "for all" {
		t.Error(got.Set, err)
	}
	if got, err := f.StagePolicy(ctx, v); err != nil || got.State != wire.PolicyStaged {
		t.Error(got, err)
	}
	_, err = f.PolicyShadow(ctx)
	refusedWith(t, err, http.StatusConflict, reason.SetNoShadow)
	if got, err := f.ShadowPolicy(ctx, v); err != nil || got.State != wire.PolicyShadow {
		t.Error(got, err)
	}
	if got, err := f.PolicyShadow(ctx); err != nil || got.Version != v || got.Against != baseline {
		t.Error(got, err)
	}
	_, err = f.ActivatePolicy(ctx, v, client.Activate{})
	refusedWith(t, err, http.StatusConflict, reason.SetUntried)
	if got, err := f.ActivatePolicy(ctx, v, client.Activate{Confirm: v}); err != nil || len(got.Approvals) != 1 {
		t.Error(got, err)
	}
	_, err = f.ActivatePolicy(ctx, v, client.Activate{Confirm: v})
	refusedWith(t, err, http.StatusConflict, reason.SetSameOfficer)
	// The second officer is who the kernel says, whatever a body claims.
	if got := f.post(t, nobodyUID, "/v1/policies/"+v+"/activate", `{"confirm":"`+v+`"}`); got != http.StatusOK || f.sets.Active().Version() != v {
		t.Errorf("status %d", got)
	}
	if _, err = f.RollbackPolicy(ctx, client.Rollback{}); err != nil {
		t.Error(err)
	}
	if got := f.post(t, nobodyUID, "/v1/policy/rollback", `{}`); got != http.StatusOK || f.sets.Active().Version() != baseline {
		t.Errorf("status %d", got)
	}
	did := map[string]int{}
	for _, a := range f.audit.acts(t) {
		did[a.Action+" "+a.Outcome+" "+a.By]++
	}
	for want, n := range map[string]int{
		"policy submit done uid:0": 1, "policy stage done uid:0": 1, "policy shadow done uid:0": 1, "policy activate asked uid:0": 3,
		"policy activate failed uid:0": 2, "policy activate done uid:0": 1, "policy activate done uid:65534": 1, "policy rollback done uid:65534": 1,
	} {
		if did[want] != n {
			t.Errorf("%s: recorded %d times, want %d: %v", want, did[want], n, did)
		}
	}
}

func TestPolicySetsThatAreRefused(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		status int
		code   string
		do     func() error
	}{
		"unknown":    {404, reason.CfgNotFound, func() error { _, err := f.StagePolicy(ctx, "0123456789ab"); return err }},
		"no version": {404, reason.CfgNotFound, func() error { _, err := f.Client.PolicySet(ctx, "x"); return err }},
		"bad": {400, reason.CfgPolicy, func() error {
			_, err := f.SubmitPolicy(ctx, client.NewPolicySet{Files: map[string]string{"a.cedar": "permit"}})
			return err
		}},
		"kept already": {409, reason.SetExists, func() error {
			files := draft("")
			delete(files, "90-more.cedar")
			_, err := f.SubmitPolicy(ctx, client.NewPolicySet{Files: files})
			return err
		}},
		"no earlier": {409, reason.SetNoEarlier, func() error { _, err := f.RollbackPolicy(ctx, client.Rollback{}); return err }},
		"days": {400, reason.SetDays, func() error {
			_, err := f.Client.WhatIf(ctx, client.WhatIf{Files: draft(everybody)}, nil)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) { refusedWith(t, c.do(), c.status, c.code) })
	}
	f.audit.room = len(f.audit.records)
	_, err := f.SubmitPolicy(ctx, client.NewPolicySet{Files: draft(everybody)})
	refusedWith(t, err, http.StatusServiceUnavailable, reason.AuditClosed)
	if all, err := f.sets.Sets(ctx); err != nil || len(all) != 1 {
		t.Error("kept without a record")
	}
}

func TestAWhatIfStreams(t *testing.T) {
	f := open(t)
	var told []uint64
	progress := func(n uint64, at time.Time) {
		told = append(told, n)
		if !at.Equal(f.now) {
			t.Error(at)
		}
	}
	r, err := f.Client.WhatIf(t.Context(), client.WhatIf{Files: draft(everybody), Days: 7}, progress)
	if err != nil || r.Decisions != 2000 || r.People != 1 || len(told) != 2 {
		t.Errorf("%+v %v %v", r, err, told)
	}
	// The record of how it ended does not fit: a problem, though lines went out.
	f.audit.room = len(f.audit.records) + 1
	told = nil
	_, err = f.Client.WhatIf(t.Context(), client.WhatIf{Files: draft(everybody), Days: 7}, progress)
	refusedWith(t, err, http.StatusServiceUnavailable, reason.AuditClosed)
	if len(told) != 2 {
		t.Errorf("told %v", told)
	}
}
