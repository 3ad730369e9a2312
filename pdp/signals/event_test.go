package signals

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/ssf"
)

// well is the standing of a device that affirms everything.
func well() wire.DeviceStanding {
	return wire.DeviceStanding{Standing: wire.StandingFresh, Result: wire.AttestationResult{Vector: wire.TrustVector{
		InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming,
	}}}
}

func TestCompliance(t *testing.T) {
	active := wire.Device{Status: wire.DeviceActive}
	if compliance(active, well()) != compliant {
		t.Fatal("a device that is well")
	}
	for name, spoil := range map[string]func(*wire.Device, *wire.DeviceStanding){
		"unknown":        func(_ *wire.Device, s *wire.DeviceStanding) { *s = wire.DeviceStanding{} },
		"stale":          func(_ *wire.Device, s *wire.DeviceStanding) { s.Standing = wire.StandingStale },
		"refused":        func(_ *wire.Device, s *wire.DeviceStanding) { s.Standing = wire.StandingRefused },
		"quarantined":    func(d *wire.Device, _ *wire.DeviceStanding) { d.Status = wire.DeviceQuarantined },
		"retired":        func(d *wire.Device, _ *wire.DeviceStanding) { d.Status = wire.DeviceRetired },
		"not a device":   func(d *wire.Device, _ *wire.DeviceStanding) { *d = wire.Device{} },
		"forged":         func(_ *wire.Device, s *wire.DeviceStanding) { s.Result.Vector.InstanceIdentity = wire.Contraindicated },
		"firmware":       func(_ *wire.Device, s *wire.DeviceStanding) { s.Result.Vector.Hardware = wire.Contraindicated },
		"boot":           func(_ *wire.Device, s *wire.DeviceStanding) { s.Result.Vector.Executables = wire.Contraindicated },
		"configuration":  func(_ *wire.Device, s *wire.DeviceStanding) { s.Result.Vector.Configuration = wire.Warning },
		"nothing proven": func(_ *wire.Device, s *wire.DeviceStanding) { s.Result.Vector = wire.TrustVector{} },
	} {
		d, s := active, well()
		spoil(&d, &s)
		if compliance(d, s) != notCompliant {
			t.Errorf("%s: compliant", name)
		}
	}
	silent := well()
	silent.Standing = wire.StandingSilent
	if compliance(active, silent) != compliant {
		t.Error("silence alone says nothing of its health")
	}
}

// Risk rises at the border and falls beyond it only.
func TestRiskHasHysteresis(t *testing.T) {
	last, got := "", []string{}
	for _, score := range []int{60, 59, 60, 64, 65, 30, 29, 30, 34, 35, 64, 29, 65, 100, 0} {
		last = risk(score, last)
		got = append(got, last)
	}
	want := "LOW MEDIUM MEDIUM MEDIUM LOW MEDIUM HIGH HIGH HIGH MEDIUM MEDIUM HIGH LOW LOW HIGH"
	if strings.Join(got, " ") != want {
		t.Errorf("\n%s\n%s", strings.Join(got, " "), want)
	}
}

func (w *world) stands(id string, s wire.DeviceStanding) {
	w.mu.Lock()
	w.standings[id] = s
	w.mu.Unlock()
	w.tx.DeviceChanged(id)
	w.settled()
}

func (w *world) scored(id string, score int) {
	w.mu.Lock()
	w.scores[id] = score
	w.mu.Unlock()
	w.tx.TrustChanged(id)
	w.settled()
}

// nothing says that a stream has nothing to tell.
func (w *world) nothing(c *ssf.Client, s ssf.Stream, why string) {
	w.t.Helper()
	w.settled()
	got, _, err := c.Poll(w.t.Context(), s, ssf.PollRequest{Immediate: true})
	if err != nil || len(got) != 0 {
		w.t.Errorf("%s: %+v %v", why, got, err)
	}
}

func TestComplianceChangeIsToldOnceAndOverARestart(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	d := w.device("moda", "LT-1")
	w.stands(d.ID, well())
	w.stands(d.ID, well())
	w.nothing(c, s, "nothing changed")
	w.stands(d.ID, wire.DeviceStanding{})
	e := w.one(c, s)
	if e.Type != ssf.Prefix+"device-compliance-change" || e.Text("previous_status") != "compliant" || e.Text("current_status") != "not-compliant" ||
		e.Member("device") != c.Issuer+" "+d.ID || e.Subject["user"] != nil || e.Subject["session"] != nil || e.Text("initiating_entity") != "system" {
		t.Fatalf("%+v", e)
	}
	w.crash()
	w.stands(d.ID, wire.DeviceStanding{})
	w.nothing(c, s, "told again after a restart")
	w.stands(d.ID, well())
	if e := w.one(c, s); e.Text("previous_status") != "not-compliant" || e.Text("current_status") != "compliant" {
		t.Fatalf("%+v", e)
	}
	_, err := w.names.RetireDevice(t.Context(), d.ID)
	w.must(err)
	w.stands(d.ID, well())
	if e := w.one(c, s); e.Text("current_status") != "not-compliant" || e.Text("initiating_entity") != "admin" {
		t.Fatalf("%+v", e)
	}
}

func TestRiskChangeIsTold(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	one, quiet := w.somebody("moda"), w.somebody("moda")
	w.scored(quiet.ID, 90)
	w.nothing(c, s, "a new session of low risk")
	w.scored(one.ID, 45)
	e := w.one(c, s)
	if e.Type != ssf.Prefix+"risk-level-change" || e.Text("principal") != "SESSION" || e.Text("current_level") != "MEDIUM" || e.Body["previous_level"] != nil ||
		e.Member("session") != one.ID || !strings.Contains(e.Text("risk_reason"), "45") {
		t.Fatalf("%+v", e)
	}
	w.scored(one.ID, 40)
	w.nothing(c, s, "the same level")
	w.crash()
	w.scored(one.ID, 61)
	w.nothing(c, s, "the same level, remembered over a restart")
	w.scored(one.ID, 10)
	if e := w.one(c, s); e.Text("current_level") != "HIGH" || e.Text("previous_level") != "MEDIUM" {
		t.Fatalf("%+v", e)
	}
	w.scored(one.ID, 95)
	if e := w.one(c, s); e.Text("current_level") != "LOW" || e.Text("previous_level") != "HIGH" {
		t.Fatalf("%+v", e)
	}
	w.tx.TrustChanged("ses-unheard")
	w.nothing(c, s, "a session that is not known")
}

func TestAssuranceChangeIsTold(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{})
	one := w.somebody("moda")
	for _, same := range [][2]int{{3, 3}, {0, 3}, {3, 0}} {
		w.tx.SessionRenewed(one, w.clock(), wire.SignIn{AAL: same[0]}, wire.SignIn{AAL: same[1]})
	}
	w.nothing(c, s, "no level changed")
	for _, change := range []struct {
		before, after int
		direction     string
	}{{2, 3, "increase"}, {3, 2, "decrease"}} {
		w.tx.SessionRenewed(one, w.clock(), wire.SignIn{AAL: change.before}, wire.SignIn{AAL: change.after})
		e := w.one(c, s)
		if e.Type != ssf.Prefix+"assurance-level-change" || e.Text("namespace") != "NIST-AAL" || e.Text("change_direction") != change.direction ||
			e.Member("session") != one.ID || e.Text("initiating_entity") != "user" {
			t.Fatalf("%+v", e)
		}
	}
}

// Who sees what, where person, device and portal are of different agencies.
func TestAgenciesSeeTheirOwnAlone(t *testing.T) {
	w := newWorld(t, nil)
	moda, nstc, third := w.client("moda", "siem"), w.client("nstc", "siem"), (*ssf.Client)(nil)
	_, err := w.names.CreateAgency(t.Context(), wire.Agency{ID: "third", NameZH: "機關", NameEN: "Agency"})
	w.must(err)
	w.must(w.keys.Ensure("third"))
	third = w.client("third", "siem")
	atModa, atNSTC, atThird := w.create(moda, ssf.Stream{}), w.create(nstc, ssf.Stream{}), w.create(third, ssf.Stream{})
	person, dev := w.person("nstc", "li"), w.device("third", "LT-3")
	visit := w.live("moda", person, dev) // at moda's portal, on a third agency's laptop
	w.revoke(visit)
	w.tx.SessionRenewed(visit, w.clock(), wire.SignIn{AAL: 2}, wire.SignIn{AAL: 3})
	w.scored(visit.ID, 10)
	collect := func(c *ssf.Client, s ssf.Stream) map[string]ssf.Event {
		w.settled()
		got, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Immediate: true})
		w.must(err)
		return got
	}
	portal, home := collect(moda, atModa), collect(nstc, atNSTC)
	if len(portal) != 3 || len(home) != 3 {
		t.Fatal(len(portal), len(home))
	}
	for _, e := range portal {
		raw, err := json.Marshal(e.Claims)
		w.must(err)
		if e.Member("session") != visit.ID || e.Member("tenant") != "moda" || strings.Contains(string(raw), person.ID) ||
			strings.Contains(string(raw), dev.ID) || strings.Contains(string(raw), "nstc") {
			t.Errorf("the portal's agency sees %s", raw)
		}
	}
	for _, e := range home {
		raw, err := json.Marshal(e.Claims)
		w.must(err)
		if e.Member("session") != visit.ID || e.Member("user") != nstc.Issuer+" "+person.ID || strings.Contains(string(raw), dev.ID) || strings.Contains(string(raw), "moda") {
			t.Errorf("the person's agency sees %s", raw)
		}
	}
	w.nothing(third, atThird, "the device's agency hears of others' sessions")
	w.stands(dev.ID, well())
	w.settled()
	w.stands(dev.ID, wire.DeviceStanding{})
	if e := w.one(third, atThird); e.Member("device") != third.Issuer+" "+dev.ID {
		t.Errorf("%+v", e)
	}
	for c, s := range map[*ssf.Client]ssf.Stream{moda: atModa, nstc: atNSTC} {
		var acks []string
		for id := range collect(c, s) {
			acks = append(acks, id)
		}
		_, _, err := c.Poll(t.Context(), s, ssf.PollRequest{Ack: acks, Immediate: true, Most: new(int)})
		w.must(err)
		w.nothing(c, s, "others' devices are told")
	}
}

// A stream carries what was asked for and nothing else.
func TestStreamsCarryWhatWasAskedFor(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client("moda", "siem")
	s := w.create(c, ssf.Stream{Requested: []string{ssf.Prefix + "session-revoked"}})
	one := w.somebody("moda")
	w.tx.SessionRenewed(one, w.clock(), wire.SignIn{AAL: 2}, wire.SignIn{AAL: 3})
	w.scored(one.ID, 10)
	w.nothing(c, s, "it was not asked for")
	w.revoke(one)
	if e := w.one(c, s); e.Type != ssf.Prefix+"session-revoked" {
		t.Errorf("%+v", e)
	}
}

// Events of one change share txn; no two events share jti.
func TestNamesOfEvents(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.client("moda", "one"), w.client("moda", "two")
	a, b := w.create(first, ssf.Stream{}), w.create(second, ssf.Stream{})
	w.revoke(w.somebody("moda"))
	x, y := w.one(first, a), w.one(second, b)
	if x.ID == y.ID || x.Claims["txn"] != y.Claims["txn"] || x.Claims["txn"] == nil {
		t.Errorf("%v %v", x.Claims, y.Claims)
	}
	if x.Claims["aud"] == y.Claims["aud"] {
		t.Error("two receivers, one audience")
	}
	var ids []string
	for range 20 {
		w.revoke(w.somebody("moda"))
	}
	w.settled()
	for id := range w.poll(first, a) {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 20 {
		t.Error(len(ids))
	}
}
