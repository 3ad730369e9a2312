package pdp

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
)

func TestWhyTellsWhoWhatAndBy(t *testing.T) {
	s, _, denied := taken(t)
	a := adminDecisions{s.history, s.names}
	w, err := a.Why(t.Context(), denied.ID)
	s.must(err)
	if w.Person != (client.Named{ID: s.person.ID, Name: "王小明", Account: "wang.xm"}) || w.Device.Name != "LT-1" || w.Portal.NameZH != "人事" ||
		w.Agency != "moda" || w.Session == "" || w.Decision.Reasons[0].Code != reason.DeviceInQuarantine || w.Inputs != nil || !w.InForce {
		t.Errorf("%+v", w)
	}
	if d := w.Detail; d.AAL != 3 || d.Standing != wire.StandingFresh || time.Since(d.EvidenceAt) > time.Hour || time.Since(d.SignInAt) > time.Hour ||
		d.Trust.Score != 90 || d.Trust.Coverage != 1 || d.Network != "192.0.2.0/24" {
		t.Errorf("%+v", d)
	}
	if len(w.Policies) == 0 {
		t.Error("no policy decided")
	}
	for _, p := range w.Policies {
		if p.File == "" || p.Line == 0 {
			t.Errorf("%+v", p)
		}
	}
	s.history.policyOf = func(context.Context, string) (policyJudge, error) { return nil, store.ErrNotFound }
	s.history.inForce = func() string { return "another" }
	s.erases(a)
	w, err = a.Why(t.Context(), denied.ID)
	if err != nil || w.InForce || w.Policies[0].File != "" || w.Inputs == nil || w.Inputs.Code != reason.InputsErased {
		t.Errorf("another policy in force, and erased: %+v, %v", w, err)
	}
	if _, err := a.Why(t.Context(), "dec-00000000000000000000000000"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func (s *scene) erases(a adminDecisions) {
	s.t.Helper()
	if n, err := a.Erase(s.t.Context(), s.person.ID); n != 1 || err != nil {
		s.t.Fatal(n, err)
	}
}

func TestListingDecisions(t *testing.T) {
	s, allowed, denied := taken(t)
	a := adminDecisions{s.history, s.names}
	for name, c := range map[string]struct {
		q    client.DecisionQuery
		want []string
		more bool
	}{
		"all":            {client.DecisionQuery{Limit: 9}, []string{denied.ID, allowed.ID}, false},
		"as many as are": {client.DecisionQuery{Limit: 2}, []string{denied.ID, allowed.ID}, false},
		"the latest":     {client.DecisionQuery{Limit: 1}, []string{denied.ID}, true},
		"by effect":      {client.DecisionQuery{Limit: 9, Effect: "allow"}, []string{allowed.ID}, false},
		"by time":        {client.DecisionQuery{Limit: 9, Since: denied.At}, []string{denied.ID}, false},
		"by all":         {client.DecisionQuery{Limit: 9, Agency: "moda", Person: s.person.ID, Device: s.laptop.ID, Portal: s.portal.ID}, []string{denied.ID, allowed.ID}, false},
		"other agency":   {client.DecisionQuery{Limit: 9, Agency: "nstc"}, nil, false},
		"other person":   {client.DecisionQuery{Limit: 9, Person: s.other.ID}, nil, false},
		"other device":   {client.DecisionQuery{Limit: 9, Device: s.host.ID}, nil, false},
		"other portal":   {client.DecisionQuery{Limit: 9, Portal: "por-x"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := a.List(t.Context(), c.q)
			s.must(err)
			ids := map[string]bool{}
			for i, d := range got.Decisions {
				ids[d.ID] = true
				if i < len(c.want) && d.ID != c.want[i] {
					t.Errorf("%s at place %d", d.ID, i)
				}
			}
			if len(got.Decisions) != len(c.want) || got.More != c.more || len(ids) != len(c.want) || !got.Until.IsZero() {
				t.Errorf("%+v", got)
			}
		})
	}
	got, err := a.List(t.Context(), client.DecisionQuery{Limit: 9, Effect: "deny"})
	s.must(err)
	if d := got.Decisions[0]; d.Reasons[0] != reason.DeviceInQuarantine || d.Person != s.person.ID || d.Action != wire.ActionRead {
		t.Errorf("%+v", d)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if got, err := a.List(ended, client.DecisionQuery{Limit: 9}); err != nil || got.Until.IsZero() || len(got.Decisions) != 0 {
		t.Errorf("without time: %+v, %v", got, err)
	}
}
