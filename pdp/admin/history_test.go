package admin

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

func (o *others) Replay(_ context.Context, id string) (client.Replay, error) {
	if id != decisionID {
		return client.Replay{}, store.ErrNotFound
	}
	return client.Replay{ID: id, Same: true}, nil
}

func (o *others) Why(_ context.Context, id string) (client.Why, error) {
	if id != decisionID {
		return client.Why{}, store.ErrNotFound
	}
	return client.Why{Uses: 4}, nil
}

func (o *others) List(_ context.Context, q client.DecisionQuery) (client.Decisions, error) {
	o.query = q
	return client.Decisions{}, nil
}

func (o *others) Erase(_ context.Context, person string) (int, error) {
	o.erased = append(o.erased, person)
	return 2, nil
}

func TestAboutDecisions(t *testing.T) {
	f := open(t)
	if r, err := f.Client.Replay(t.Context(), decisionID); err != nil || !r.Same {
		t.Error(r, err)
	}
	if w, err := f.Client.Why(t.Context(), decisionID); err != nil || w.Uses != 4 {
		t.Error(w, err)
	}
	for _, id := range []string{"dec-00000000000000000000000008", "ses-00000000000000000000000004"} {
		_, err := f.Client.Replay(t.Context(), id)
		refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
		_, err = f.Client.Why(t.Context(), id)
		refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	}
}

func TestSearchingDecisions(t *testing.T) {
	f := open(t)
	p, since := somebody(t, f), time.Now().UTC().Truncate(time.Second)
	_, err := f.Decisions(t.Context(), client.DecisionQuery{Since: since, Agency: "moda", Person: p.Account, Portal: "por-1", Effect: "step-up", Limit: 7})
	if want := (client.DecisionQuery{Since: since, Person: p.ID, Portal: "por-1", Effect: "step-up", Limit: 7}); err != nil || f.others.query != want {
		t.Errorf("%+v, %v", f.others.query, err)
	}
	for name, q := range map[string]client.DecisionQuery{
		"no limit":   {},
		"too many":   {Limit: 1001},
		"an effect?": {Limit: 1, Effect: "maybe"},
	} {
		_, err := f.Decisions(t.Context(), q)
		if refusedWith(t, err, http.StatusBadRequest, reason.BadRequest); err == nil {
			t.Error(name)
		}
	}
	_, err = f.Decisions(t.Context(), client.DecisionQuery{Limit: 1, Person: "nobody", Agency: "moda"})
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
	_, err = f.Decisions(t.Context(), client.DecisionQuery{Limit: 1, Device: "none", Agency: "moda"})
	refusedWith(t, err, http.StatusNotFound, reason.CfgNotFound)
}

// An erasure is recorded with who asked and why, before and after.
func TestErasing(t *testing.T) {
	f := open(t)
	p := somebody(t, f)
	before := len(f.audit.acts(t))
	e, err := f.ErasePerson(t.Context(), "moda", p.Account, client.Erasure{Reason: "request 114-7"})
	if err != nil || e.Keys != 2 || len(f.others.erased) != 1 || f.others.erased[0] != p.ID {
		t.Fatal(e, err, f.others.erased)
	}
	acts := f.audit.acts(t)[before:]
	if len(acts) != 2 || acts[0].Outcome != outcomeAsked || acts[1].Outcome != outcomeDone || acts[0].By == "" || acts[0].person != p.ID {
		t.Errorf("%+v", acts)
	}
	f.audit.mu.Lock()
	first := string(f.audit.records[before].Detail)
	f.audit.mu.Unlock()
	if !strings.Contains(first, "request 114-7") {
		t.Error("the reason is not recorded:", first)
	}
	for _, why := range []string{"", "  ", strings.Repeat("x", maxReason+1)} {
		_, err := f.ErasePerson(t.Context(), "moda", p.Account, client.Erasure{Reason: why})
		refusedWith(t, err, http.StatusBadRequest, reason.CfgErasureReason)
	}
	f.audit.room = len(f.audit.records)
	_, err = f.ErasePerson(t.Context(), "moda", p.Account, client.Erasure{Reason: "x"})
	refusedWith(t, err, http.StatusServiceUnavailable, reason.AuditClosed)
	if len(f.others.erased) != 1 {
		t.Error("erased without a record")
	}
}

// somebody is a person of an agency that was just made.
func somebody(t *testing.T, f *fixture) wire.Person {
	t.Helper()
	if _, err := f.CreateAgency(t.Context(), wire.Agency{ID: "moda", NameZH: "數位發展部", NameEN: "Digital Affairs"}); err != nil {
		t.Fatal(err)
	}
	p, err := f.CreatePerson(t.Context(), "moda", client.NewPerson{Account: "wang", Name: "王小明"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (*others) Rates(_ context.Context, by wire.RatesBy, agency string, _ time.Time) (wire.DecisionRates, error) {
	return wire.DecisionRates{By: by, MinPeople: 10, Rows: []wire.RateRow{{Name: agency, People: 12, Decisions: 40, Denials: 2}}}, nil
}

func TestRates(t *testing.T) {
	f := open(t)
	got, err := f.Client.Rates(t.Context(), wire.RatesByShift, "nstc", f.now)
	if err != nil || got.By != wire.RatesByShift || len(got.Rows) != 1 || got.Rows[0].Name != "nstc" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := f.Client.Rates(t.Context(), "name", "", f.now); err == nil {
		t.Error("rates by name were told")
	}
}
