package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

const (
	decisionID = "dec-00000000000000000000000004"
	differing  = "dec-00000000000000000000000008"
	erasedID   = "dec-0000000000000000000000000c"
	askedID    = "dec-0000000000000000000000000g"
	askedGone  = "dec-0000000000000000000000000m"
)

func (*others) Replay(_ context.Context, id string) (client.Replay, error) {
	r := client.Replay{ID: id, Recorded: json.RawMessage(`{"effect":"deny","policy_version":"v1"}`)}
	switch id {
	case decisionID:
		r.Same, r.PolicyVersion, r.Computed = true, "v1", r.Recorded
		return r, nil
	case erasedID:
		return r.Told(reason.New(reason.InputsErased)), nil
	}
	r.Computed = json.RawMessage(`{"effect":"allow","policy_version":"v1"}`)
	return r.Told(reason.New(reason.ReplayDiffers)), nil
}

func (*others) Why(_ context.Context, id string) (client.Why, error) {
	switch id {
	case askedID:
		return evaluation(), nil
	case askedGone:
		gone, w := reason.New(reason.InputsErased), evaluation()
		w.Inputs, w.Evaluation.Looks, w.Evaluation.Policies = &gone, nil, nil
		w.Evaluation.Detail.Results, w.Evaluation.Detail.Basis = nil, nil
		return w, nil
	}
	if id != decisionID {
		return client.Why{}, store.ErrNotFound
	}
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	return client.Why{
		Decision: wire.Decision{
			ID: id, Action: wire.ActionWrite, PolicyVersion: "v7", At: at, ValidUntil: at.Add(time.Minute), Policies: []string{"baseline.firewall", "gone"},
			Reasons:  []wire.Reason{reason.New(reason.ReadOnlySession), reason.New(reason.Unauthorized)},
			Remedies: []wire.Remedy{{Reason: reason.New(reason.FreshKeyNeeded), Action: "sign-in"}}, Suffices: true,
		},
		Detail: wire.DecisionDetail{Class: "payroll", AAL: 3, Standing: wire.StandingFresh, Network: "192.0.2.0/24", SignInAt: at.Add(-12 * time.Minute), EvidenceAt: at.Add(-3 * time.Minute),
			Trust: wire.RecordedTrust{Nats: 0.49, Score: 62, Coverage: 0.75, Weights: "w3", Terms: []wire.TrustTerm{{Name: "networknovelty", Cluster: wire.ClusterNetwork, Nats: -0.8, State: "answered"}}}},
		Agency: "nstc", Session: sessionID, Person: client.Named{ID: "per-1", Name: "王小明", Account: "wang"}, Device: client.Named{ID: "dev-1", Name: "LT-1"},
		Portal:   client.Named{ID: "por-1", Name: "Personnel", NameZH: "人事資料系統"},
		Policies: []client.PolicyPlace{{ID: "baseline.firewall", File: "10-device.cedar", Line: 12}, {ID: "gone"}}, Uses: 4,
	}, nil
}

// evaluation is what an application asked: about two sessions, one of them gone.
func evaluation() client.Why {
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	none := reason.New(reason.SessionNone)
	return client.Why{
		Decision: wire.Decision{ID: askedID, At: at}, Agency: "nstc", Portal: client.Named{ID: "por-1", Name: "Personnel", NameZH: "人事資料系統"},
		Evaluation: &client.Evaluation{
			Detail: wire.EvaluationDetail{
				Endpoint: "/access/v1/evaluations", RequestID: "r-7", InputsDigest: "abc", Basis: []wire.EvaluationBasis{{Application: "rules-v2", Policy: "v7"}, {}},
				Results: []wire.EvaluationResult{{Question: "menshen-session:ses-1 read file:a", Allowed: true}, {Question: "menshen-session:ses-1 burn file:a", StepUp: true, Code: reason.AppForbidden}, {Code: reason.AppIncomplete}},
			},
			Policies: []client.PolicyPlace{{ID: "ours", File: "p.cedar", Line: 3}}, InForce: false,
			Looks: []client.Looked{
				{Session: "ses-1", Class: "payroll", Person: client.Named{ID: "per-1", Name: "王小明"}, Device: client.Named{ID: "dev-1", Name: "LT-1"}, InForce: true,
					Decision: wire.Decision{Effect: wire.StepUp, Action: wire.ActionWrite, PolicyVersion: "v7", Reasons: []wire.Reason{reason.New(reason.FreshKeyNeeded)}},
					Policies: []client.PolicyPlace{{ID: "baseline.fresh", File: "20-person.cedar", Line: 9}}},
				{Session: "ses-2", Why: &none},
			},
		},
	}
}

func (*others) List(_ context.Context, q client.DecisionQuery) (client.Decisions, error) {
	if q.Effect == "allow" {
		return client.Decisions{}, nil
	}
	return client.Decisions{Decisions: []client.DecisionLine{{ID: decisionID, Effect: wire.Deny, Action: wire.ActionRead, Person: q.Person, Portal: q.Portal, Device: q.Device, Reasons: []string{"ZT-POL-001"}}}, More: true, Until: time.Now()}, nil
}

func (*others) Erase(context.Context, string) (int, error) { return 3, nil }

func TestDecisionWhy(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "decision", "why", decisionID)
	holds(t, out, "✖ denied", "王小明 (wang, per-1)", "LT-1 (dev-1)", "Personnel", "write payroll", reason.ReadOnlySession, reason.Of(reason.English, reason.New(reason.ReadOnlySession)).What,
		"the person sees the code alone", "smallest set", "tried by the engine: 1", "touches the key again", "baseline.firewall  10-device.cedar:12", "place is not known",
		"v7", "another version", "AAL3, 12m0s before", "fresh (3m0s before)", "62/100 = +0.49 nats", "75 %", "w3", "-0.80  networknovelty (network, answered)", "Used again        4", "can be computed again")
	c.lang = "zh-TW"
	out, _ = c.run(0, "decision", "why", decisionID)
	holds(t, out, "✖ 拒絕", "人事資料系統", "最少變更，共 1 項", reason.Of(reason.Chinese, reason.New(reason.ReadOnlySession)).What, "當事人僅看到代碼")
	out, _ = c.run(0, "--json", "decision", "why", decisionID)
	holds(t, out, `"suffices": true`)
	c.run(exitRefused, "decision", "why", erasedID)
}

func TestDecisionWhyOfAnApplicationsQuestion(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "decision", "why", askedID)
	holds(t, out, "asked by an application", "Personnel (por-1)", "/access/v1/evaluations", "r-7", "✔ menshen-session:ses-1 read file:a", "⚠ menshen-session:ses-1 burn file:a", reason.AppForbidden,
		"✖ (not a question)", "ours  p.cedar:3", "rules-v2 (another version is in force now)", "Session ses-1", "⚠ sign in again", "王小明 (per-1)", "write payroll", reason.FreshKeyNeeded,
		"baseline.fresh  20-person.cedar:9", "v7 (in force now)", "Session ses-2", reason.SessionNone, "can be answered again")
	c.lang = "zh-TW"
	out, _ = c.run(0, "decision", "why", askedID)
	holds(t, out, "應用系統提問", "人事資料系統", "（並非有效的提問）", "應用系統自有的規則", "可重新計算")
	out, _ = c.run(0, "decision", "why", askedGone)
	holds(t, out, reason.InputsErased, "查無符合者。")
	if strings.Contains(out, "應用系統自有的規則") {
		t.Error("tells of rules that were not asked:", out)
	}
}

func TestDecisionReplay(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "decision", "replay", decisionID)
	holds(t, out, "✔ the same bytes", "v1")
	out, told := c.run(exitRefused, "decision", "replay", differing)
	holds(t, out, `-  "effect": "deny",`, `+  "effect": "allow",`, `   "policy_version": "v1"`)
	holds(t, told, reason.ReplayDiffers)
	out, told = c.run(exitRefused, "decision", "replay", erasedID)
	holds(t, told, reason.InputsErased)
	if strings.Contains(out, "+++") {
		t.Error("a difference to nothing:", out)
	}
	c.lang = "zh-TW"
	out, _ = c.run(0, "decision", "replay", decisionID)
	holds(t, out, "✔ 與紀錄的位元組相同")
}

func TestDecisionList(t *testing.T) {
	c := newConsole(t)
	c.run(0, "person", "create", "li", "--agency", "nstc", "--name", "李")
	c.run(0, "portal", "create", "https://hr.example", "--agency", "nstc", "--name-zh", "人事", "--name-en", "HR")
	out, _ := c.run(0, "decision", "list", "--person", "li", "--device", "LT-1", "--agency", "nstc", "--portal", "https://hr.example", "--effect", "deny")
	holds(t, out, decisionID, "✖ denied", "per-", "por-", "ZT-POL-001", "--limit", "so far only")
	out, _ = c.run(0, "decision", "list", "--effect", "allow")
	holds(t, out, "(none)")
	for _, args := range [][]string{{"--effect", "perhaps"}, {"--limit", "0"}, {"--limit", "1001"}, {"--person", "nobody", "--agency", "nstc"}, {"--device", "none", "--agency", "nstc"}, {"--portal", "https://none.example"}} {
		c.run(exitRefused, slices.Concat([]string{"decision", "list"}, args)...)
	}
}

func TestPersonErase(t *testing.T) {
	c := newConsole(t)
	c.run(0, "person", "create", "li", "--agency", "nstc", "--name", "李")
	out, _ := c.run(0, "person", "erase", "li", "--agency", "nstc", "--reason", "request 114-7")
	holds(t, out, "Keys destroyed: 3")
	c.run(exitUsage, "person", "erase", "li", "--agency", "nstc")
	_, told := c.run(exitRefused, "person", "erase", "li", "--agency", "nstc", "--reason", " ")
	holds(t, told, reason.CfgErasureReason)
	c.run(exitRefused, "person", "erase", "nobody", "--agency", "nstc", "--reason", "x")
}

func TestDifferences(t *testing.T) {
	for _, c := range []struct{ old, fresh, want string }{
		{"a b c", "a b c", " a| b| c"},
		{"a b c", "a x c", " a|-b|+x| c"},
		{"a", "", "-a"},
		{"", "b", "+b"},
		{"a b", "b c", "-a| b|+c"},
	} {
		if got := strings.Join(difference(strings.Fields(c.old), strings.Fields(c.fresh)), "|"); got != c.want {
			t.Errorf("%q to %q: %q", c.old, c.fresh, got)
		}
	}
	long := make([]string, mostCompared+1)
	if got := difference(long, long[:1]); len(got) != mostCompared+2 {
		t.Errorf("%d lines", len(got))
	}
}

func (*others) Rates(_ context.Context, by wire.RatesBy, agency string, _ time.Time) (wire.DecisionRates, error) {
	return wire.DecisionRates{By: by, MinPeople: 10, FewPeople: 3, Rows: []wire.RateRow{
		{Name: agency + "-night", People: 12, Decisions: 40, StepUps: 10, Denials: 2, ByScore: 8, PeopleDenied: 3},
	}}, nil
}

func TestDecisionRates(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "decision", "rates", "--by", "shift", "--agency", "nstc")
	for _, want := range []string{"nstc-night", "25.0 %", "5.0 %", "20.0 %", "3 rows are not shown: fewer than 10 people"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if _, err := c.run(1, "decision", "rates", "--by", "name"); !strings.Contains(err, "by must be") {
		t.Errorf("%s", err)
	}
}
