package admin

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/trust/override"
)

// officers is what the PDP has of trust, as far as this package asks.
type officers struct {
	*override.Keeper
	judged   map[string]bool
	kept     []wire.Observation
	tried    client.Trial
	sessions map[string]wire.TrustAssessment
}

func newOfficers(t *testing.T, s store.Store, clock func() time.Time) *officers {
	t.Helper()
	k, err := override.New(t.Context(), override.Config{Store: s, Clock: clock, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return &officers{Keeper: k, judged: map[string]bool{}}
}

func (o *officers) Override(ctx context.Context, of wire.TrustOverride, by string) (wire.TrustOverride, error) {
	return o.Add(ctx, of, by)
}
func (o *officers) Overrides(agency string) []wire.TrustOverride       { return o.List(agency) }
func (o *officers) Assessments(string) map[string]wire.TrustAssessment { return o.sessions }
func (o *officers) EndTrial(context.Context) (client.Shadow, error)    { return o.Shadow(), nil }
func (o *officers) Shadow() client.Shadow                              { return client.Shadow{Trial: o.tried.Weights} }
func (o *officers) Try(_ context.Context, in client.Trial) (client.Shadow, error) {
	o.tried = in
	return o.Shadow(), nil
}

const heldDecision = "dec-00000000000000000000000004"

func (o *officers) Judge(_ context.Context, decision string, genuine bool) error {
	if decision != heldDecision {
		return store.ErrNotFound
	}
	o.judged[decision] = genuine
	return nil
}

func (o *officers) Observations(_ context.Context, since time.Time, each func(wire.Observation) error) error {
	for _, one := range o.kept {
		if one.Person == "" {
			return errors.New("the store broke")
		}
		if !one.At.Before(since) {
			if err := each(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// twoAgencies have a person of the same account and a laptop of the same name.
func twoAgencies(t *testing.T) (f *fixture, ours, theirs wire.Person) {
	t.Helper()
	f = open(t)
	for _, id := range []string{"moda", "nstc"} {
		if _, err := f.dir.CreateAgency(t.Context(), wire.Agency{ID: id, NameZH: "機關", NameEN: "Agency"}); err != nil {
			t.Fatal(err)
		}
		p, err := f.dir.CreatePerson(t.Context(), wire.Person{Agency: id, Name: "王", Account: "wang"})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs = theirs, p
	}
	return f, ours, theirs
}

const incident = "EDR incident 2026-114"

// Who overrode whom and why is on record, and an agency's officer touches that
// agency's people alone (invariant 5).
func TestOverridesAreRecordedAndStayInTheirAgency(t *testing.T) {
	f, ours, theirs := twoAgencies(t)
	made, err := f.Client.Override(t.Context(), "moda", client.NewOverride{Kind: wire.OverrideCompromised, Person: "wang", Reason: incident})
	if err != nil || made.Person != ours.ID || made.Agency != "moda" || made.By != "uid:0" {
		t.Fatalf("%+v, %v", made, err)
	}
	acts := f.audit.acts(t)
	if len(acts) != 2 || acts[0].Outcome != outcomeAsked || acts[1].Outcome != outcomeDone || acts[0].person != ours.ID || acts[0].agency != "moda" || acts[1].Made != made.ID {
		t.Errorf("%+v", acts)
	}
	for name, in := range map[string]client.NewOverride{
		"another agency's person by id": {Kind: wire.OverrideCompromised, Person: theirs.ID, Reason: incident},
		"a device that is not there":    {Kind: wire.OverrideCompromised, Device: "LT-1", Reason: incident},
	} {
		if _, err := f.Client.Override(t.Context(), "moda", in); code(err) != reason.CfgNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Client.Override(t.Context(), "none", client.NewOverride{Kind: wire.OverrideCompromised, Person: "wang", Reason: incident}); code(err) != reason.CfgNotFound {
		t.Error(err)
	}
	if all, err := f.Client.Overrides(t.Context(), "nstc"); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if shown, err := f.Client.PersonTrust(t.Context(), "moda", "wang"); err != nil || len(shown.Overrides) != 1 || shown.Person != ours.ID {
		t.Errorf("%+v, %v", shown, err)
	}
	if _, err := f.Client.LiftOverride(t.Context(), "nstc", made.ID, client.Lift{Reason: incident}); code(err) != reason.CfgNotFound {
		t.Error("another agency lifts:", err)
	}
	if _, err := f.Client.LiftOverride(t.Context(), "moda", made.ID, client.Lift{Reason: "no"}); code(err) != reason.OverrideReason {
		t.Error("lifted without a reason:", err)
	}
	if gone, err := f.Client.LiftOverride(t.Context(), "moda", made.ID, client.Lift{Reason: incident}); err != nil || gone.ID != made.ID {
		t.Error(err)
	}
	if all, err := f.Client.Overrides(t.Context(), "moda"); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestSafeHasAnEnd(t *testing.T) {
	f, _, _ := twoAgencies(t)
	in := client.NewOverride{Kind: wire.OverrideSafe, Person: "wang", Reason: incident, Codes: []string{reason.NetworkNew}, Minutes: 60}
	made, err := f.Client.Override(t.Context(), "moda", in)
	if err != nil || !made.Until.Equal(f.now.Add(time.Hour)) {
		t.Errorf("%+v, %v", made, err)
	}
	for _, minutes := range []int{0, -5, 1 << 40} {
		in.Minutes = minutes
		if _, err := f.Client.Override(t.Context(), "moda", in); code(err) != reason.OverrideLife {
			t.Errorf("%d minutes: %v", minutes, err)
		}
	}
}

// What cannot be recorded is not done.
func TestAnOverrideThatCannotBeRecordedIsNone(t *testing.T) {
	f, _, _ := twoAgencies(t)
	f.audit.room = 0
	in := client.NewOverride{Kind: wire.OverrideCompromised, Person: "wang", Reason: incident}
	if _, err := f.Client.Override(t.Context(), "moda", in); code(err) != reason.AuditClosed || len(f.trust.List("moda")) != 0 {
		t.Error(err, f.trust.List("moda"))
	}
}

func TestFeedbackIsRecorded(t *testing.T) {
	f, _, _ := twoAgencies(t)
	if _, err := f.Client.JudgeSignIn(t.Context(), heldDecision, client.Feedback{Reason: incident}); err != nil {
		t.Fatal(err)
	}
	if genuine, told := f.trust.judged[heldDecision]; !told || genuine {
		t.Error("not told")
	}
	if acts := f.audit.acts(t); len(acts) != 2 || acts[0].Action != "trust feedback" || acts[0].Target != heldDecision {
		t.Errorf("%+v", acts)
	}
	for id, want := range map[string]string{
		"dec-00000000000000000000000008": reason.FeedbackNotHeld, "dec-x": reason.CfgNotFound,
	} {
		if _, err := f.Client.JudgeSignIn(t.Context(), id, client.Feedback{Reason: incident}); code(err) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := f.Client.JudgeSignIn(t.Context(), heldDecision, client.Feedback{}); code(err) != reason.OverrideReason {
		t.Error(err)
	}
}

func TestObservationsAreExportedALineEach(t *testing.T) {
	f, _, _ := twoAgencies(t)
	old := wire.Observation{Kind: wire.ObservedSignIn, Person: "p", At: f.now.Add(-time.Hour).UTC(), Address: "192.0.2.7"}
	recent := old
	recent.At = f.now.UTC()
	f.trust.kept = []wire.Observation{old, recent}
	var all, since bytes.Buffer
	if err := f.Client.Observations(t.Context(), time.Time{}, &all); err != nil || strings.Count(all.String(), "\n") != 2 || strings.Contains(all.String(), "192.0.2.7") {
		t.Errorf("%s, %v", &all, err)
	}
	if err := f.Client.Observations(t.Context(), f.now.Add(-time.Minute), &since); err != nil || strings.Count(since.String(), "\n") != 1 {
		t.Errorf("%s, %v", &since, err)
	}
	f.trust.kept = append(f.trust.kept, wire.Observation{})
	if err := f.Client.Observations(t.Context(), time.Time{}, &all); err == nil {
		t.Error("a part passes for the whole")
	}
}

func TestTrialsAreRecorded(t *testing.T) {
	f, _, _ := twoAgencies(t)
	if out, err := f.Client.Try(t.Context(), client.Trial{Weights: "w"}); err != nil || out.Trial != "w" {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err := f.Client.Shadow(t.Context()); err != nil || out.Trial != "w" {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := f.Client.EndTrial(t.Context()); err != nil {
		t.Error(err)
	}
	if acts := f.audit.acts(t); len(acts) != 4 || acts[0].Action != "trust shadow" || acts[2].Action != "trust shadow end" {
		t.Errorf("%+v", acts)
	}
	if _, err := f.Client.Try(t.Context(), client.Trial{Weights: strings.Repeat("x", maxTrial)}); err == nil {
		t.Error("a file of any length is taken")
	}
}

// code is that of a problem, or empty.
func code(err error) string {
	var p *client.Problem
	if errors.As(err, &p) {
		return p.Why.Code
	}
	return ""
}
