package main

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/trust/override"
)

// inference is what the PDP has of trust: real overrides, and the rest as it
// was told.
type inference struct {
	*override.Keeper
	judged string
	tried  client.Trial
}

func newInference(t *testing.T, s store.Store) *inference {
	t.Helper()
	k, err := override.New(t.Context(), override.Config{Store: s, Clock: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return &inference{Keeper: k}
}

func (i *inference) Override(ctx context.Context, o wire.TrustOverride, by string) (wire.TrustOverride, error) {
	return i.Add(ctx, o, by)
}
func (i *inference) Overrides(agency string) []wire.TrustOverride { return i.List(agency) }

func (i *inference) Assessments(string) map[string]wire.TrustAssessment {
	return map[string]wire.TrustAssessment{"ses-late": {}, sessionID: {AssessedAt: time.Now(), Score: 31, Nats: -0.77, Weights: "1-2f0c", Terms: []wire.TrustTerm{
		{Name: "threatlist", Cluster: wire.ClusterNetwork, State: "answered", Nats: -3.52, Reasons: []wire.Reason{reason.New("ZT-TRU-120")}},
	}}}
}

func (i *inference) Judge(_ context.Context, decision string, genuine bool) error {
	if decision != decisionID {
		return store.ErrNotFound
	}
	i.judged = map[bool]string{true: "genuine", false: "not the person"}[genuine]
	return nil
}

func (i *inference) Observations(_ context.Context, _ time.Time, each func(wire.Observation) error) error {
	return each(wire.Observation{Kind: wire.ObservedSignIn, Person: "0a1b", IP: "203.0.113.0"})
}

func (i *inference) Try(_ context.Context, in client.Trial) (client.Shadow, error) {
	i.tried = in
	return i.Shadow(), nil
}

func (i *inference) EndTrial(context.Context) (client.Shadow, error) {
	s := i.Shadow()
	i.tried = client.Trial{}
	return s, nil
}

func (i *inference) Shadow() client.Shadow {
	return client.Shadow{Trial: strings.TrimSpace(i.tried.Weights), Plugins: []string{"unusualhours"}, Counts: []wire.ShadowCount{
		{Candidate: "trial", Portal: "por-1", Was: "allow", Would: "step-up", Decisions: 7},
	}}
}

func TestAnOfficersOverride(t *testing.T) {
	c := newConsole(t)
	c.run(0, "agency", "create", "moda", "--name-zh", "數位發展部", "--name-en", "Digital Affairs")
	c.run(0, "person", "create", "wang.xm", "--agency", "nstc", "--name", "王小明")
	latch := []string{"trust", "override", "compromised", "--agency", "nstc", "--person", "wang.xm", "--reason", "key reported stolen"}
	out, _ := c.run(0, latch...)
	id, rest, _ := strings.Cut(out, " ")
	if !strings.Contains(rest, "denies until it is lifted") {
		t.Errorf("%s", out)
	}
	if out, _ := c.run(0, "trust", "override", "safe", "--agency", "nstc", "--person", "wang.xm", "--code", "ZT-TRU-003", "--for", "8h", "--reason", "on duty travel"); !strings.Contains(out, "mutes until") {
		t.Errorf("%s", out)
	}
	if out, _ := c.run(0, "trust", "list", "--agency", "nstc"); !strings.Contains(out, id) || !strings.Contains(out, "key reported stolen") || !strings.Contains(out, "ZT-TRU-003") || !strings.Contains(out, "uid:") {
		t.Errorf("%s", out)
	}
	if out, _ := c.run(0, "trust", "list", "--agency", "moda"); strings.Contains(out, id) {
		t.Errorf("another agency sees it: %s", out)
	}
	if out, _ := c.run(0, "trust", "show", "wang.xm", "--agency", "nstc"); !strings.Contains(out, "31/100") || !strings.Contains(out, "ses-late  not assessed yet") || strings.Contains(out, "0/100 ") || !strings.Contains(out, "threatlist") || !strings.Contains(out, "ZT-TRU-120") || !strings.Contains(out, id) {
		t.Errorf("%s", out)
	}
	if _, err := c.run(1, "trust", "lift", id, "--agency", "moda", "--reason", "the key was found"); !strings.Contains(err, reason.CfgNotFound) {
		t.Errorf("another agency lifts it: %s", err)
	}
	c.lang = "zh_TW.UTF-8"
	if out, _ := c.run(0, "trust", "lift", id, "--agency", "nstc", "--reason", "the key was found"); !strings.Contains(out, "已解除") {
		t.Errorf("%s", out)
	}
	if out, _ := c.run(0, "trust", "list", "--agency", "nstc"); strings.Contains(out, id) || !strings.Contains(out, "略過至") {
		t.Errorf("%s", out)
	}
	c.lang = "en"
	if _, err := c.run(1, append(latch, "--person", "nobody")...); !strings.Contains(err, reason.CfgNotFound) {
		t.Errorf("about nobody: %s", err)
	}
}

func TestFeedbackTrialsAndObservations(t *testing.T) {
	c := newConsole(t)
	if out, _ := c.run(0, "trust", "feedback", decisionID, "--not-the-person", "--reason", "she was on leave"); c.inference.judged != "not the person" || !strings.Contains(out, "told") {
		t.Errorf("%q, %s", c.inference.judged, out)
	}
	if c.run(0, "trust", "feedback", decisionID, "--reason", "she says so"); c.inference.judged != "genuine" {
		t.Errorf("%q", c.inference.judged)
	}
	if _, err := c.run(1, "trust", "feedback", "dec-0000000000000000000000000c", "--reason", "nobody knows why"); !strings.Contains(err, "ZT-CFG-182") {
		t.Errorf("of no decision: %s", err)
	}
	if out, _ := c.run(0, "trust", "observations", "--since", "720h"); !strings.Contains(out, `"kind":"sign-in"`) || !strings.HasSuffix(out, "\n") {
		t.Errorf("%s", out)
	}
	file := filepath.Join(t.TempDir(), "w.yaml")
	if err := os.WriteFile(file, []byte("version: \"2\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"try", "--weights", file}, {"show"}, {"end"}} {
		if out, _ := c.run(0, append([]string{"trust", "shadow"}, args...)...); !strings.Contains(out, `version: "2"`) || !strings.Contains(out, "step-up") || !strings.Contains(out, "unusualhours") {
			t.Errorf("%v: %s", args, out)
		}
	}
	if c.inference.tried.Weights != "" {
		t.Error("the trial did not end")
	}
}
