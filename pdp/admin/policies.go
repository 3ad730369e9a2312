package admin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// Policies shows the active policy set and checks another.
type Policies interface {
	Policy(ctx context.Context) (client.Policy, error)
	CheckPolicy(ctx context.Context, files map[string]string) client.PolicyChecked
}

// PolicySets keeps access policy sets by version. Errors wrap store.ErrNotFound,
// or carry a reason.
type PolicySets interface {
	Sets(ctx context.Context) ([]wire.PolicySet, error)
	Show(ctx context.Context, version string) (wire.PolicySetView, error)
	Submit(ctx context.Context, files map[string][]byte, note, by string) (wire.PolicySet, error)
	Stage(ctx context.Context, version, by string) (wire.PolicySet, error)
	Shadow(ctx context.Context, version, by string) (wire.PolicySet, error)
	Activate(ctx context.Context, version, confirm, by string) (wire.PolicySet, error)
	Rollback(ctx context.Context, version, by string) (wire.PolicySet, error)
	ShadowReport() (wire.PolicyShadowReport, error)
	// WhatIf tells how far it is now and again.
	WhatIf(ctx context.Context, files map[string][]byte, days int, portal string, progress func(decisions uint64, at time.Time)) (wire.PolicyWhatIf, error)
}

// policyRoutes are the routes of access policy sets.
func (a *Admin) policyRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/policy":                       a.showPolicy,
		"POST /v1/policy/validate":             a.checkPolicy,
		"GET /v1/policy/shadow":                a.shadowPolicy,
		"POST /v1/policy/rollback":             a.rollbackPolicy,
		"POST /v1/policy/what-if":              a.whatIfPolicy,
		"GET /v1/policies":                     a.listPolicies,
		"POST /v1/policies":                    a.submitPolicy,
		"GET /v1/policies/{version}":           a.showPolicySet,
		"POST /v1/policies/{version}/stage":    a.movePolicy("policy stage", a.PolicySets.Stage),
		"POST /v1/policies/{version}/shadow":   a.movePolicy("policy shadow", a.PolicySets.Shadow),
		"POST /v1/policies/{version}/activate": a.activatePolicy,
	}
}

func (a *Admin) showPolicy(w http.ResponseWriter, r *http.Request) {
	p, err := a.Policies.Policy(r.Context())
	answer(a, w, r, "policy", p, err)
}

func (a *Admin) checkPolicy(w http.ResponseWriter, r *http.Request) {
	var in client.PolicyCheck
	if !problem.ReadJSON(w, r, maxPolicy, &in) {
		return
	}
	problem.WriteJSON(w, r, a.Policies.CheckPolicy(r.Context(), in.Files))
}

func (a *Admin) listPolicies(w http.ResponseWriter, r *http.Request) {
	all, err := a.PolicySets.Sets(r.Context())
	answer(a, w, r, "policies", listed(all), err)
}

func (a *Admin) showPolicySet(w http.ResponseWriter, r *http.Request) {
	version := r.PathValue("version")
	out, err := a.PolicySets.Show(r.Context(), version)
	answer(a, w, r, version, out, err)
}

func (a *Admin) shadowPolicy(w http.ResponseWriter, r *http.Request) {
	out, err := a.PolicySets.ShadowReport()
	answer(a, w, r, "shadow", out, err)
}

// submitPolicy records which files came; what they say is kept with the set.
func (a *Admin) submitPolicy(w http.ResponseWriter, r *http.Request) {
	var in client.NewPolicySet
	if !problem.ReadJSON(w, r, maxPolicy, &in) {
		return
	}
	asked := map[string]any{"files": slices.Sorted(maps.Keys(in.Files)), "note": in.Note}
	change(a, w, r, act{Action: "policy submit", Input: asked}, func(ctx context.Context, by string) (wire.PolicySet, string, error) {
		out, err := a.PolicySets.Submit(ctx, client.RawFiles(in.Files), in.Note, by)
		return out, madePolicy(out), err
	})
}

// madePolicy names a set with its state, the digest of its content and how many
// have approved it.
func madePolicy(set wire.PolicySet) string {
	if set.Version == "" {
		return ""
	}
	return set.Version + " " + string(set.State) + " sha256:" + set.Digest.String()
}

func (a *Admin) movePolicy(action string, do func(ctx context.Context, version, by string) (wire.PolicySet, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !empty(w, r) {
			return
		}
		version := r.PathValue("version")
		change(a, w, r, act{Action: action, Target: version}, func(ctx context.Context, by string) (wire.PolicySet, string, error) {
			out, err := do(ctx, version, by)
			return out, madePolicy(out), err
		})
	}
}

func (a *Admin) activatePolicy(w http.ResponseWriter, r *http.Request) {
	var in client.Activate
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	version := r.PathValue("version")
	change(a, w, r, act{Action: "policy activate", Target: version, Input: in}, func(ctx context.Context, by string) (wire.PolicySet, string, error) {
		out, err := a.PolicySets.Activate(ctx, version, in.Confirm, by)
		return out, madePolicy(out), err
	})
}

func (a *Admin) rollbackPolicy(w http.ResponseWriter, r *http.Request) {
	var in client.Rollback
	if !problem.ReadJSON(w, r, maxBody, &in) {
		return
	}
	change(a, w, r, act{Action: "policy rollback", Target: in.Version, Input: in}, func(ctx context.Context, by string) (wire.PolicySet, string, error) {
		out, err := a.PolicySets.Rollback(ctx, in.Version, by)
		return out, madePolicy(out), err
	})
}

// whatIfLimit bounds how long the answer to a what-if may take.
const whatIfLimit = 20 * time.Minute

// whatIfPolicy looks into many people's decisions, so it is recorded like a
// change. Its answer is a line of JSON now and again, and one at the end.
func (a *Admin) whatIfPolicy(w http.ResponseWriter, r *http.Request) {
	var in client.WhatIf
	if !problem.ReadJSON(w, r, maxPolicy, &in) {
		return
	}
	out := &lines{ResponseWriter: w, status: http.StatusOK}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(whatIfLimit)); err != nil {
		a.fail(w, r, "what-if", err)
		return
	}
	asked := map[string]any{"days": in.Days, "portal": in.Portal}
	change(a, out, r, act{Action: "policy what-if", Input: asked, portal: in.Portal}, func(context.Context, string) (client.WhatIfLine, string, error) {
		// Whoever hangs up ends it.
		report, err := a.PolicySets.WhatIf(r.Context(), client.RawFiles(in.Files), in.Days, in.Portal, out.progress)
		return client.WhatIfLine{Report: &report}, report.Version, err
	})
}

// lines is an answer of several lines of JSON: once the first has gone, a
// problem is a line too.
type lines struct {
	http.ResponseWriter
	begun  bool
	status int
}

// Unwrap is for http.ResponseController.
func (l *lines) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *lines) progress(decisions uint64, at time.Time) {
	l.begun = true
	line, err := json.Marshal(client.WhatIfLine{Decisions: decisions, At: at})
	if err != nil {
		return // it has only a number and a time
	}
	_, _ = l.ResponseWriter.Write(append(line, '\n')) // a client that is gone ends the request
	_ = http.NewResponseController(l.ResponseWriter).Flush()
}

// WriteHeader implements http.ResponseWriter.
func (l *lines) WriteHeader(status int) {
	l.status = status
	if !l.begun {
		l.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (l *lines) Write(body []byte) (int, error) {
	if !l.begun || l.status == http.StatusOK {
		return l.ResponseWriter.Write(body)
	}
	line := append([]byte(`{"problem":`), body...)
	_, err := l.ResponseWriter.Write(append(line, '}'))
	return len(body), err
}
