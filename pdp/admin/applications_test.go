package admin

import (
	"context"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

// badApplication is what a keeper says of files with a fault.
type badApplication struct{}

func (badApplication) Error() string { return "bad" }
func (badApplication) Reason() wire.Reason {
	return reason.New(reason.CfgApplication, "detail", "a.cedar:3: syntax")
}

// ruleStore keeps one portal's files in memory.
type ruleStore struct {
	by      string
	applied map[string]map[string]string
}

func (o *ruleStore) Application(portal wire.Portal) (client.Application, error) {
	if len(o.applied[portal.ID]) == 0 {
		return client.Application{}, store.ErrNotFound
	}
	return client.Application{Version: "v1", Number: 1, Files: o.applied[portal.ID]}, nil
}

func (o *ruleStore) ValidateApplication(files map[string]string) (client.Application, error) {
	if files["a.cedar"] != "good" {
		return client.Application{}, badApplication{}
	}
	return client.Application{Version: "v1", Policies: 1}, nil
}

func (o *ruleStore) SetApplication(_ context.Context, portal wire.Portal, files map[string]string, by string) (client.Application, error) {
	o.by = by
	o.applied = map[string]map[string]string{portal.ID: files}
	return client.Application{Version: "v1", Number: 1, SetBy: by}, nil
}

func (o *ruleStore) RemoveApplication(_ context.Context, portal wire.Portal) (client.Application, error) {
	if len(o.applied[portal.ID]) == 0 {
		return client.Application{}, store.ErrNotFound
	}
	delete(o.applied, portal.ID)
	return client.Application{Version: "v1"}, nil
}

func portalWithRules(t *testing.T, f *fixture) wire.Portal {
	t.Helper()
	if _, err := f.CreateAgency(t.Context(), wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Digital Affairs"}); err != nil {
		t.Fatal(err)
	}
	made, err := f.CreatePortal(t.Context(), "moda", client.NewPortal{Origin: "https://hr.example", NameZH: "人事", NameEN: "HR", Sensitivity: wire.PortalNormal})
	if err != nil {
		t.Fatal(err)
	}
	return made.Portal
}

func TestApplicationsAreChangedOnRecord(t *testing.T) {
	f := open(t)
	made := portalWithRules(t, f)
	id, before := made.ID, len(f.audit.acts(t))
	good := map[string]string{"a.cedar": "good"}
	if out, err := f.Client.ValidateApplication(t.Context(), good); err != nil || out.Policies != 1 {
		t.Errorf("validated: %+v, %v", out, err)
	}
	_, err := f.Client.ValidateApplication(t.Context(), nil)
	refusedWith(t, err, 400, reason.CfgApplication)
	_, err = f.Client.SetApplication(t.Context(), id, map[string]string{"a.cedar": "bad"})
	refusedWith(t, err, 400, reason.CfgApplication)
	_, err = f.Client.Application(t.Context(), id)
	refusedWith(t, err, 404, reason.CfgNotFound)
	_, err = f.Client.RemoveApplication(t.Context(), id)
	refusedWith(t, err, 404, reason.CfgNotFound)
	_, err = f.Client.SetApplication(t.Context(), "por-nobody", good)
	refusedWith(t, err, 404, reason.CfgNotFound)
	if _, err := f.Client.SetApplication(t.Context(), id, good); err != nil {
		t.Fatal(err)
	}
	if out, err := f.Client.Application(t.Context(), id); err != nil || out.Files["a.cedar"] != "good" {
		t.Errorf("shown: %+v, %v", out, err)
	}
	if _, err := f.Client.RemoveApplication(t.Context(), id); err != nil {
		t.Error(err)
	}
	var told []string
	for i, act := range f.audit.acts(t)[before:] {
		if got := f.audit.records[before+i]; got.Portal != id || got.Agency != "moda" {
			t.Errorf("record of portal %q, agency %q", got.Portal, got.Agency)
		}
		told = append(told, act.Action+" "+act.Outcome)
	}
	want := []string{"application remove asked", "application remove failed", "application set asked", "application set done", "application remove asked", "application remove done"}
	if len(told) != len(want) {
		t.Fatalf("%q", told)
	}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("%q, not %q", told[i], want[i])
		}
	}
}

func TestAnApplicationThatCannotBeRecordedIsNotSet(t *testing.T) {
	f := open(t)
	made := portalWithRules(t, f)
	f.audit.room = len(f.audit.records)
	_, err := f.Client.SetApplication(t.Context(), made.ID, map[string]string{"a.cedar": "good"})
	refusedWith(t, err, 503, reason.AuditClosed)
	if rules, ok := f.Applications.(*ruleStore); !ok || len(rules.applied) != 0 {
		t.Error("it was set")
	}
}
