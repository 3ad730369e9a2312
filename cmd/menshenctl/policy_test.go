package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/store"
)

// deed is an audit log that takes everything.
type deed struct{}

func (deed) Append(context.Context, wire.AuditRecord) (uint64, error) { return 1, nil }

// newPolicySets is a true keeper with the true engine, which asks for two
// officers. One decision is recorded: of somebody who
// came in.
func newPolicySets(t *testing.T, s store.Store) *policyset.Keeper {
	t.Helper()
	_, approval, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := policyset.New(t.Context(), policyset.Config{
		Store: s, Configured: policy.Baseline(), Approval: approval, Approvers: 2, ConfirmAbove: 5,
		Recorder: deed{}, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Load: func(files map[string][]byte) (policyset.Evaluator, error) {
			e, err := policy.Load(files)
			if err != nil {
				return nil, err
			}
			return e, nil
		},
		Recorded: func(_ context.Context, since time.Time) iter.Seq2[wire.RecordedDecision, error] {
			return func(yield func(wire.RecordedDecision, error) bool) {
				one := wire.RecordedDecision{Subject: "per-1", Portal: "por-1", Facts: letIn(since.Add(time.Hour))}
				one.Decision = wire.Decision{ID: "dec-1", Action: wire.ActionRead}
				yield(one, nil)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// letIn is a session that the baseline lets read.
func letIn(at time.Time) wire.Facts {
	f := wire.Facts{
		Person:  wire.Person{ID: "per-1", Agency: "moda"},
		Key:     wire.KeyFacts{Hardware: true},
		SignIn:  wire.SignIn{PersonID: "per-1", KeyID: "key-1", At: at.Add(-time.Minute), AAL: 3, UserVerified: true},
		Device:  wire.Device{ID: "dev-1", Agency: "moda", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM},
		Binding: wire.DeviceBinding{DeviceID: "dev-1", At: at.Add(-time.Minute), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true},
		Trust:   wire.TrustAssessment{Score: 90, Coverage: 1, ValidUntil: at.Add(time.Minute)},
		Portal:  wire.Portal{ID: "por-1", Agency: "moda", Sensitivity: wire.PortalNormal},
		Network: wire.NetworkFacts{Network: "192.0.2.0/24", Proven: true},
		At:      at,
	}
	f.Standing = wire.DeviceStanding{DeviceID: "dev-1", Standing: wire.StandingFresh, ChangesAt: at.Add(time.Minute)}
	f.Standing.Result = wire.AttestationResult{DeviceID: "dev-1", ValidUntil: at.Add(time.Minute), Vector: wire.TrustVector{
		InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming,
	}}
	for _, id := range []wire.ClaimID{wire.ClaimOSRelease, wire.ClaimDiskEncryption, wire.ClaimFirewall, wire.ClaimSecureBoot} {
		f.Standing.Result.Claims = append(f.Standing.Result.Claims, wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: at, Source: "test"})
	}
	return f
}

// folder makes a policy folder of the baseline with one more file.
func (c *console) folder(text string) string {
	c.t.Helper()
	dir := filepath.Join(c.t.TempDir(), "policy")
	c.run(0, "policy", "export", "baseline", dir)
	if err := os.WriteFile(filepath.Join(dir, "90-more.cedar"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

// another officer approves: the socket knows one user in this test.
func (c *console) another(version string) {
	c.t.Helper()
	set, err := c.sets.Activate(c.t.Context(), version, version, "uid:1002")
	if err != nil || set.State != wire.PolicyActive {
		c.t.Fatal(set, err)
	}
}

const (
	nobodyIn = `@id("more.nobody")
@reason("ZT-POL-010")
forbid (principal, action, resource);
`
	oldKeys = `@id("more.old")
@reason("ZT-POL-012")
forbid (principal, action, resource) when { context.signIn.ageSeconds > 600 };
`
)

func TestAPolicySetIsWrittenTestedAndActivated(t *testing.T) {
	c := newConsole(t)
	dir := c.folder(oldKeys)
	out, _ := c.run(0, "policy", "submit", dir, "--note", "no old touches")
	version, state, _ := strings.Cut(strings.TrimSpace(out), ": ")
	if state != "draft" {
		t.Fatal(out)
	}
	out, _ = c.run(0, "policy", "list")
	holds(t, out, version+"  draft", "submitted", "uid:0", "no old touches", "active", "configuration")
	_, told := c.run(exitRefused, "policy", "activate", version)
	holds(t, told, reason.SetState, "draft")
	out, _ = c.run(0, "policy", "stage", version)
	holds(t, out, version+": staged")
	_, told = c.run(exitRefused, "policy", "shadow")
	holds(t, told, reason.SetNoShadow)
	out, _ = c.run(0, "policy", "shadow", version)
	holds(t, out, version+": in shadow")
	out, _ = c.run(0, "policy", "shadow")
	holds(t, out, "In shadow", version, "Decisions judged", "(none)")
	out, _ = c.run(0, "policy", "what-if", dir, "--days", "3")
	holds(t, out, version, "Decisions replayed", "lose access: 0", "gain access: 0", "of them by another version  1", "who were not there")
	out, _ = c.run(0, "policy", "activate", version) // it was tried, and nobody loses
	holds(t, out, version+": in shadow, approved once")
	_, told = c.run(exitRefused, "policy", "activate", version)
	holds(t, told, reason.SetSameOfficer, "uid:0")
	c.another(version)
	out, _ = c.run(0, "policy", "show", version)
	holds(t, out, "active", "uid:1002", "more.old", "10-access.cedar")
	out, _ = c.run(0, "policy", "rollback")
	holds(t, out, "superseded, approved once")

	c.lang = "zh_TW.UTF-8"
	out, _ = c.run(0, "policy", "list")
	holds(t, out, "現行", "已取代，已核准一次", "設定檔")
	for _, args := range [][]string{{"policy", "list"}, {"policy", "show", version}, {"policy", "test", "baseline"}, {"policy", "diff", "baseline", version}, {"policy", "what-if", dir}} {
		out, _ := c.run(0, append(args, "--json")...)
		if !json.Valid([]byte(out)) || strings.HasPrefix(out, "null") {
			t.Errorf("%v: %s", args, out)
		}
	}
}

// TestAnActivationIsTyped where nobody tried what the set does, or somebody
// would lose (requirements 13).
func TestAnActivationIsTyped(t *testing.T) {
	c := newConsole(t)
	dir := c.folder(nobodyIn)
	out, _ := c.run(0, "policy", "submit", dir)
	version, _, _ := strings.Cut(out, ":")
	c.run(0, "policy", "stage", version)
	_, told := c.run(exitRefused, "policy", "activate", version) // nothing is typed
	holds(t, told, reason.SetUntried, version)
	c.typed = "yes\n"
	_, told = c.run(exitRefused, "policy", "activate", version)
	holds(t, told, reason.SetUntried)
	out, _ = c.run(0, "policy", "what-if", version, "--portal", "por-1")
	holds(t, out, "lose access: 1", "per-1  por-1  read", "allow → deny", "ZT-POL-010", "dec-1")
	_, told = c.run(exitRefused, "policy", "activate", version) // that was one portal
	holds(t, told, reason.SetUntried)
	out, _ = c.run(0, "policy", "what-if", dir)
	holds(t, out, "lose access: 1")
	_, told = c.run(exitRefused, "policy", "activate", version)
	holds(t, told, reason.SetConfirm, "1 of 1 people")
	_, told = c.run(exitRefused, "policy", "activate", version, "--confirm", "yes")
	holds(t, told, reason.SetConfirm)
	var stdout, stderr bytes.Buffer
	args := []string{"--socket", c.socket, "--lang", "en", "policy", "activate", version}
	if exit := execute(t.Context(), args, os.Getenv, strings.NewReader(version+"\n"), &stdout, &stderr); exit != exitDone {
		t.Error(exit, stderr.String())
	}
	holds(t, stdout.String(), "approved once")
	holds(t, stderr.String(), reason.SetConfirm)
	c.lang = "zh_TW.UTF-8"
	out, _ = c.run(0, "policy", "what-if", dir)
	holds(t, out, "失去存取權: 1", "允許 → 拒絕")
}

func TestPolicyCases(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "policy", "test", "baseline")
	holds(t, out, "cases end as expected")
	dir := c.folder(nobodyIn)
	out, told := c.run(exitRefused, "policy", "test", dir)
	holds(t, out, "✖ 10-people.yaml: a healthy session reads and writes", "effect is deny, want allow", "ZT-POL-010")
	holds(t, told, reason.SetCasesFail)
	cases := c.t.TempDir()
	mine := "cases:\n  - name: nobody reads\n    action: read\n    effect: deny\n    reasons: [ZT-POL-010]\n"
	if err := os.WriteFile(filepath.Join(cases, "mine.yaml"), []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = c.run(0, "policy", "test", dir, "--cases", cases)
	holds(t, out, "1 of 1 cases", "no case is about: ", "baseline.")
	out, _ = c.run(exitRefused, "policy", "test", "baseline", "--cases", cases)
	holds(t, out, "effect is allow, want deny", "0 of 1")
	if err := os.WriteFile(filepath.Join(cases, "bad.yaml"), []byte("cases:\n  - nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, told = c.run(exitRefused, "policy", "test", dir, "--cases", cases)
	holds(t, told, reason.SetCasesBad, "bad.yaml")
	never := "@id(\"agency.never\") permit (principal, action, resource) when { false };"
	if err := os.WriteFile(filepath.Join(dir, "90-more.cedar"), []byte(never), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = c.run(0, "policy", "test", dir)
	holds(t, out, "⚠ access policy 90-more.cedar:1: policy agency.never: this policy can never apply")
	if err := os.WriteFile(filepath.Join(dir, "90-more.cedar"), []byte("permit"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, told = c.run(exitRefused, "policy", "test", dir)
	holds(t, told, reason.CfgPolicy, "90-more.cedar")
	for _, args := range [][]string{
		{"policy", "test", t.TempDir()}, {"policy", "test", "baseline", "--cases", t.TempDir()}, {"policy", "test"}, {"policy", "export", "baseline", dir}, {"policy", "submit", t.TempDir()},
	} {
		c.run(exitUsage, args...)
	}
}

func TestPolicyDifferences(t *testing.T) {
	c := newConsole(t)
	dir := c.folder(nobodyIn)
	out, _ := c.run(0, "policy", "diff", "baseline", dir)
	holds(t, out, "Added\n+ more.nobody  (90-more.cedar:1)")
	if strings.Contains(out, "Changed") || strings.Contains(out, "Removed") {
		t.Error(out)
	}
	out, _ = c.run(0, "policy", "submit", dir)
	version, _, _ := strings.Cut(out, ":")
	lax := strings.Replace(strings.Replace(nobodyIn, "010", "011", 1), "action,", `action == Action::"write",`, 1)
	if err := os.WriteFile(filepath.Join(dir, "90-more.cedar"), []byte(lax), 0o600); err != nil {
		t.Fatal(err)
	}
	c.lang = "zh_TW.UTF-8"
	out, _ = c.run(0, "policy", "diff", version, dir)
	holds(t, out, "修改\n~ more.nobody", "@reason: ZT-POL-010 → ZT-POL-011", "    - ", `    + `, `action == Action::"write"`)
	out, _ = c.run(0, "policy", "diff", version, "baseline")
	holds(t, out, "移除\n- more.nobody")
	out, _ = c.run(0, "policy", "diff", version, version)
	holds(t, out, "沒有差異")
}

// TestTheGuidesCommandsRun: the console blocks of docs/policy.md, in their order.
func TestTheGuidesCommandsRun(t *testing.T) {
	raw, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	c := newConsole(t)
	dir, version, ran := c.folder("// the draft\n"), "", map[string]bool{}
	for _, block := range strings.Split(string(raw), "\n```console\n")[1:] {
		block, _, _ = strings.Cut(block, "\n```")
		for line := range strings.Lines(block) {
			fields := strings.Fields(line)
			if slices.Contains(fields, "#") { // the second officer
				c.another(version)
				continue
			}
			for i, field := range fields {
				switch field {
				case "FOLDER":
					fields[i] = dir
				case "VERSION":
					fields[i] = version
				}
			}
			if fields[0] != "menshenctl" {
				t.Fatalf("not a command: %s", line)
			}
			out, _ := c.run(0, fields[1:]...)
			if ran[fields[2]] = true; fields[2] == "submit" {
				version, _, _ = strings.Cut(out, ":")
			}
		}
	}
	for _, verb := range []string{"submit", "stage", "shadow", "what-if", "activate", "rollback", "list", "diff"} {
		if !ran[verb] {
			t.Errorf("the guide does not show policy %s", verb)
		}
	}
}
