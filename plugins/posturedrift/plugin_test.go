package main

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var morning = time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)

// claims reads "firewall=pass antivirus=fail".
func claims(text string) []contract.Claim {
	var all []contract.Claim
	for _, one := range strings.Fields(text) {
		id, state, _ := strings.Cut(one, "=")
		all = append(all, contract.Claim{ID: id, State: state})
	}
	return all
}

const healthy = "firewall=pass disk-encryption=pass antivirus=pass os-updates=pass"

func says(device, text string, minutes int) contract.Observation {
	return contract.Observation{
		Kind: contract.KindActivity, Person: "p", Device: device, Posture: claims(text),
		At: morning.Add(time.Duration(minutes) * time.Minute),
	}
}

func teach(t testing.TB, d *postureDrift, all ...contract.Observation) int {
	t.Helper()
	learned, err := d.Observe(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

// steady teaches so many hours of the same report.
func steady(t testing.TB, text string, hours int) *postureDrift {
	t.Helper()
	d := newPlugin()
	for n := range hours {
		teach(t, d, says("laptop", text, n*60))
	}
	return d
}

func assess(t testing.TB, d *postureDrift, o contract.Observation) contract.Verdict {
	t.Helper()
	o.Kind = contract.KindSituation
	v, err := d.Assess(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func now(text string) contract.Observation { return says("laptop", text, 21*60) }

func TestTheMoreHasChangedTheWorse(t *testing.T) {
	d := steady(t, healthy, 20)
	last := mostFor + 0.1
	for n, text := range []string{
		healthy, "firewall=fail disk-encryption=pass antivirus=pass os-updates=pass",
		"firewall=fail disk-encryption=pass antivirus=error os-updates=pass",
		"firewall=fail disk-encryption=fail antivirus=error os-updates=pass",
	} {
		v := assess(t, d, now(text))
		if v.Abstained || v.LLR >= last || n > 0 && (v.LLR > -1 || v.Reasons[0].Code != reasonDrift || v.Reasons[0].Args["count"] != fmt.Sprint(n)) {
			t.Errorf("%d claims: %+v after %.2f", n, v, last)
		}
		last = v.LLR
	}
	if last < -limit {
		t.Errorf("%.2f", last)
	}
	if v := assess(t, d, now(healthy)); v.LLR <= 0 || v.LLR > mostFor || v.Reasons[0].Code != reasonUsual {
		t.Errorf("as always: %+v", v)
	}
}

func TestWhatIsNoLongerReportedOrNoLongerAppliesDoesNotPass(t *testing.T) {
	d := steady(t, healthy, 20)
	fails := assess(t, d, now("firewall=fail disk-encryption=pass antivirus=pass os-updates=pass"))
	for name, text := range map[string]string{
		"left out":       "disk-encryption=pass antivirus=pass os-updates=pass",
		"not applicable": "firewall=not-applicable disk-encryption=pass antivirus=pass os-updates=pass",
		"manual":         "firewall=manual disk-encryption=pass antivirus=pass os-updates=pass",
		"no state":       "firewall= disk-encryption=pass antivirus=pass os-updates=pass",
		"said twice":     "firewall=pass firewall=fail disk-encryption=pass antivirus=pass os-updates=pass",
		"and first fail": "firewall=fail firewall=pass disk-encryption=pass antivirus=pass os-updates=pass",
	} {
		if v := assess(t, d, now(text)); v.LLR != fails.LLR {
			t.Errorf("%s: %.2f, failing %.2f", name, v.LLR, fails.LLR)
		}
	}
	excepted := assess(t, d, now("firewall=exception disk-encryption=pass antivirus=pass os-updates=pass"))
	if excepted.LLR < 0 || excepted.Reasons[0].Code != reasonUsual {
		t.Errorf("an exception: %+v", excepted)
	}
}

func TestWhatAlwaysFailedIsUsualAndARepairSpeaksForNobody(t *testing.T) {
	d := steady(t, "firewall=pass antivirus=fail", 20)
	same, repaired := assess(t, d, now("firewall=pass antivirus=fail")), assess(t, d, now("firewall=pass antivirus=pass"))
	if same.LLR < 0 || repaired.LLR < 0 || repaired.LLR > same.LLR || same.LLR > mostFor {
		t.Errorf("as always %.3f, repaired %.3f", same.LLR, repaired.LLR)
	}
	if alone := math.Log((1 - 0.5/30) / 0.9); math.Abs(same.LLR-alone) > 1e-12 {
		t.Errorf("what always failed adds to the firewall's %.4f: %.4f", alone, same.LLR)
	}
	unknown := assess(t, d, now("firewall=pass antivirus=fail screen-lock=fail"))
	if unknown.LLR != same.LLR {
		t.Errorf("with a claim that is not known: %.3f, without %.3f", unknown.LLR, same.LLR)
	}
}

func TestTheFormulaByHand(t *testing.T) {
	d := steady(t, "firewall=pass antivirus=pass", 20)
	p := 0.5 / 30
	for text, want := range map[string]float64{
		"firewall=pass antivirus=pass": 2 * math.Log((1-p)/0.9), "firewall=fail antivirus=pass": math.Log(p / 0.1),
		"firewall=fail antivirus=fail": 1.5 * math.Log(p/0.1),
	} {
		v := assess(t, d, now(text))
		if math.Abs(v.LLR-want) > 1e-12 || v.Confidence != 0.8 {
			t.Errorf("%s: by hand %.6f, got %.6f (confidence %.2f)", text, want, v.LLR, v.Confidence)
		}
	}
	if got, want := flapping(4), math.Log(3)-(4*math.Log(2)-2); math.Abs(got-min(0, want)) > 1e-12 {
		t.Errorf("four changes: by hand %.4f, got %.4f", want, got)
	}
	if flapping(3) != 0 || flapping(1e6) != -mostFlaps {
		t.Error("three changes, or a million")
	}
	// Two claims and changes: the terms in their order, worst first.
	if got := score([]float64{-1, 0.2, -2}, -0.5); math.Abs(got+0.5+2+0.5) > 1e-12 {
		t.Errorf("−½ − 2 − 1/2: %.3f", got)
	}
}

func TestAClaimThatComesAndGoes(t *testing.T) {
	d := steady(t, healthy, 20)
	for n := range 8 { // within the hour: the counts know little of it
		text := healthy
		if n%2 == 0 {
			text = strings.Replace(healthy, "firewall=pass", "firewall=fail", 1)
		}
		teach(t, d, says("laptop", text, 20*60+5*n+5))
	}
	v := assess(t, d, now(healthy))
	if v.LLR > -1 || v.Reasons[0].Code != reasonFlapping {
		t.Errorf("%+v", v)
	}
	for n := range 4 * 24 {
		teach(t, d, says("laptop", healthy, (21+n)*60))
	}
	later := now(healthy)
	later.At = later.At.Add(4 * halfLife)
	if v := assess(t, d, later); v.LLR < 0 || v.Reasons[0].Code != reasonUsual {
		t.Errorf("four days later: %+v", v)
	}
}

func TestTheChangeThatIsJudgedCounts(t *testing.T) {
	d := steady(t, "firewall=pass", 20)
	for n, state := range []string{"fail", "pass", "fail", "pass"} {
		teach(t, d, says("laptop", "firewall="+state, 19*60+5+n))
	}
	o := says("laptop", "firewall=fail", 19*60+9)
	if v := assess(t, d, o); v.LLR >= math.Log(0.5/30/0.1)-0.1 {
		t.Errorf("the fifth change: %+v", v)
	}
	o.Posture = claims("firewall=pass")
	if v := assess(t, d, o); v.LLR < 0 {
		t.Errorf("four changes: %+v", v)
	}
}

func TestANewStateBecomesUsual(t *testing.T) {
	d := steady(t, healthy, 20)
	worse := strings.Replace(healthy, "antivirus=pass", "antivirus=fail", 1)
	first := assess(t, d, now(worse))
	for n := range 10 {
		teach(t, d, says("laptop", worse, (21+n)*60))
	}
	if v := assess(t, d, says("laptop", worse, 32*60)); v.LLR < -0.3 || first.LLR > -1 {
		t.Errorf("at first %.2f, ten hours later %.2f", first.LLR, v.LLR)
	}
}

func TestAbstains(t *testing.T) {
	d := steady(t, healthy, 20)
	other := now(healthy)
	other.Person = "q"
	late := now(healthy)
	late.At = morning.Add(19*time.Hour + retention)
	for name, o := range map[string]contract.Observation{
		"no device": says("", healthy, 21*60), "no report": now(""), "another device": says("another", healthy, 21*60),
		"another person": other, "after the retention": late, "exceptions alone": now("firewall=exception"),
	} {
		if v := assess(t, d, o); !v.Abstained || v.LLR != 0 || len(v.Reasons) != 1 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := assess(t, steady(t, healthy, minHours-1), now(healthy)); !v.Abstained {
		t.Errorf("after %d hours: %+v", minHours-1, v)
	}
	if v := assess(t, steady(t, healthy, minHours), now(healthy)); v.Abstained {
		t.Errorf("after %d hours: %+v", minHours, v)
	}
}

func kept(t testing.TB, d *postureDrift) person {
	t.Helper()
	var out person
	d.Look("p", morning, func(p *person) { out = *p })
	return out
}

func TestWhatTeaches(t *testing.T) {
	d := newPlugin()
	one, failed := says("laptop", healthy, 0), says("laptop", healthy, 70)
	failed.Kind = contract.KindFailedSignIn
	again := says("laptop", healthy, 10)
	if learned := teach(t, d, one, one, again, says("laptop", healthy, 5), failed, says("laptop", "", 80), says("", healthy, 80)); learned != 2 {
		t.Errorf("learned %d", learned)
	}
	if p := kept(t, d); p.Devices[0].Hours != 1 || p.Devices[0].Claims[0].Good != 1 {
		t.Errorf("two reports in an hour: %+v", p)
	}
}

func TestBoundsHold(t *testing.T) {
	d := newPlugin()
	var many strings.Builder
	for n := range contract.MaxClaims {
		fmt.Fprintf(&many, "claim%d=pass ", n)
	}
	long := strings.Repeat("x", maxClaimID+1) + "=pass "
	for n := range 3 * maxReports {
		teach(t, d, says("laptop", long+many.String(), n*60), says("tablet", healthy, n*60+1), says("desktop", healthy, n*60+2))
	}
	for n := range 3 * maxReports {
		teach(t, d, says("laptop", long+many.String(), (n+200)*60), says("tablet", healthy, (n+200)*60+1))
	}
	p := kept(t, d)
	if len(p.Devices) != maxDevices || p.find("desktop") != nil || len(p.find("laptop").Claims) != maxClaims {
		t.Errorf("%d devices, %d claims", len(p.Devices), len(p.find("laptop").Claims))
	}
	for _, c := range p.find("laptop").Claims {
		if c.Good+c.Bad > maxReports || len(c.ID) > maxClaimID {
			t.Errorf("%+v", c)
		}
	}
	// A claim that is reported no more is dropped when nothing of its good past is left.
	for n := range 8 * maxReports {
		teach(t, d, says("tablet", "firewall=pass", (n+500)*60))
	}
	p = kept(t, d)
	if left := p.find("tablet").Claims; len(left) != 1 {
		t.Errorf("%+v", left)
	}
	// A device that was not seen for the retention is dropped with the next report.
	o := says("new", healthy, 0)
	o.At = morning.Add((500+8*maxReports)*time.Hour + retention)
	teach(t, d, o)
	if p := kept(t, d); len(p.Devices) != 1 {
		t.Errorf("%d devices", len(p.Devices))
	}
	for n := range maxPeople {
		other := o
		other.Person = fmt.Sprint(n)
		teach(t, d, other)
	}
	if d.Len() != maxPeople {
		t.Errorf("%d people", d.Len())
	}
}

func TestStateIsHandedOver(t *testing.T) {
	d := steady(t, healthy, 20)
	teach(t, d, says("tablet", "firewall=fail", 20*60), says("laptop", "firewall=fail", 20*60+1))
	var state, again bytes.Buffer
	if err := d.Export(&state); err != nil {
		t.Fatal(err)
	}
	text := state.String()
	young := newPlugin()
	if err := young.Import(&state); err != nil {
		t.Fatal(err)
	}
	if err := young.Export(&again); err != nil || again.String() != text || !reflect.DeepEqual(kept(t, d), kept(t, young)) {
		t.Errorf("a state changed by being handed over: %v", err)
	}
	wild := `{"person":"p","taught":"2026-11-02T01:00:00Z","state":{"devices":[{"id":"laptop","at":"2026-11-02T01:00:00Z","hours":-1,"claims":null},{"id":"laptop","at":"2026-11-02T01:00:00Z","hours":99999999,"claims":[{"id":"firewall","g":-7,"b":99999999,"c":1e300}]},{"id":"x","at":"2026-11-02T01:00:00Z","hours":9,"claims":[]}]}}`
	if err := young.Import(strings.NewReader(wild)); err != nil {
		t.Fatal(err)
	}
	if v := assess(t, young, now("firewall=fail")); v.LLR > mostFor || v.LLR < -limit || v.Confidence > 1 {
		t.Errorf("%+v", v)
	}
}

func TestAFullStateCanBeHandedOver(t *testing.T) {
	d := newPlugin()
	for n := range 40 {
		var text strings.Builder
		for claim := range maxClaims {
			fmt.Fprintf(&text, "claim-of-usual-length%d=%s ", claim, []string{"pass", "fail"}[n*claim%3%2])
		}
		teach(t, d, says("laptop", text.String(), 61*n), says("tablet", text.String(), 61*n+7))
	}
	var state bytes.Buffer
	if err := d.Export(&state); err != nil || state.Len()*maxPeople > contract.MaxStateBytes {
		t.Errorf("one person takes %d bytes: %v", state.Len(), err)
	}
}

func FuzzAssess(f *testing.F) {
	f.Add("firewall=pass antivirus=fail", "firewall=fail", 12, 60)
	f.Add("=", "\x00=pass", 1, -1)
	f.Fuzz(func(t *testing.T, before, after string, times, step int) {
		d := newPlugin()
		for n := range max(0, min(times, 60)) {
			teach(t, d, says("laptop", before, n*(step%1000)), says("laptop", after, n*(step%1000)+1))
		}
		v := assess(t, d, now(after))
		if math.IsNaN(v.LLR) || v.LLR > mostFor || v.LLR < -limit || v.Confidence < 0 || v.Confidence > 1 || v.Abstained && v.LLR != 0 {
			t.Errorf("%+v", v)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	var many strings.Builder
	for n := range maxClaims {
		fmt.Fprintf(&many, "claim%d=pass ", n)
	}
	d := steady(b, many.String(), 20)
	o := now(strings.Replace(many.String(), "claim7=pass", "claim7=fail", 1))
	for b.Loop() {
		assess(b, d, o)
	}
}
