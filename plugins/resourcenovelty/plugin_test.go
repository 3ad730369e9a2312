package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

var morning = time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)

func using(person, group, portal, grade string, day int) contract.Observation {
	return contract.Observation{
		Kind: contract.KindActivity, Person: person, Group: group, Portal: portal, Grade: grade, At: morning.AddDate(0, 0, day),
	}
}

func teach(t testing.TB, r *resourceNovelty, all ...contract.Observation) int {
	t.Helper()
	learned, err := r.Observe(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

func assess(t testing.TB, r *resourceNovelty, o contract.Observation) contract.Verdict {
	t.Helper()
	o.Kind = contract.KindSituation
	v, err := r.Assess(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// office is a house of two groups of ten: all read mail; the first writes
// accounts, the second reads maps. p is one more of the first, who only knows mail.
func office(t testing.TB) *resourceNovelty {
	t.Helper()
	r := newPlugin()
	for day := range 10 {
		for n := range 10 {
			first, second := fmt.Sprint("a", n), fmt.Sprint("b", n)
			teach(t, r, using(first, "a", "mail", "read", day), using(first, "a", "accounts", "write", day))
			teach(t, r, using(second, "b", "mail", "read", day), using(second, "b", "maps", "read", day))
		}
		teach(t, r, using("p", "a", "mail", "read", day))
	}
	return r
}

func TestTheFewerUseItTheWorse(t *testing.T) {
	r := office(t)
	last := 2.0
	for _, c := range []struct{ portal, grade, code string }{
		{"mail", "read", reasonUsual}, {"accounts", "write", reasonPeers}, {"maps", "read", reasonNew}, {"vault", "admin", reasonNew},
	} {
		v := assess(t, r, using("p", "a", c.portal, c.grade, 11))
		if v.Abstained || v.LLR >= last || v.Reasons[0].Code != c.code {
			t.Errorf("%s: %+v after %.2f", c.portal, v, last)
		}
		last = v.LLR
	}
	usual, peers := assess(t, r, using("p", "a", "mail", "read", 11)), assess(t, r, using("p", "a", "accounts", "write", 11))
	fresh := assess(t, r, using("p", "a", "vault", "admin", 11))
	if usual.LLR <= 0 || usual.LLR > mostFor || peers.LLR < -1.2 || fresh.LLR > -2 {
		t.Errorf("usual %.2f, of the peers %.2f, new %.2f", usual.LLR, peers.LLR, fresh.LLR)
	}
}

func TestAKnownPortalUsedInAnotherWay(t *testing.T) {
	r := office(t)
	admin := assess(t, r, using("p", "a", "mail", "admin", 11))
	if admin.LLR > -1.5 || admin.Reasons[0].Code != reasonGrade {
		t.Errorf("%+v", admin)
	}
	// Where the kind of access is not known, the portal alone counts.
	if v := assess(t, r, using("p", "a", "mail", "", 11)); v.LLR <= 0 || v.Reasons[0].Code != reasonUsual {
		t.Errorf("%+v", v)
	}
	if a, b := assess(t, r, using("p", "a", "mail", "root", 11)), assess(t, r, using("p", "a", "mail", "", 11)); !reflect.DeepEqual(a, b) {
		t.Errorf("a kind that is none: %+v", a)
	}
	// Where nobody's kinds of access were ever told, they are not judged.
	silent := newPlugin()
	teach(t, silent, using("p", "a", "mail", "", 0), using("q", "a", "mail", "", 0))
	if v := assess(t, silent, using("p", "a", "mail", "admin", 1)); v.Reasons[0].Code != reasonUsual {
		t.Errorf("%+v", v)
	}
}

func TestTheFormulaByHand(t *testing.T) {
	// Portals alone. p: mail on 4 days (counts 3), maps on 1. Peers: q uses mail
	// and accounts. Others: z uses mail. So V = 4 (three and a new one).
	r := newPlugin()
	for day := range 4 {
		teach(t, r, using("p", "a", "mail", "", day))
	}
	teach(t, r, using("p", "a", "maps", "", 0), using("q", "a", "mail", "", 0), using("q", "a", "accounts", "", 0), using("z", "b", "mail", "", 0))
	hand := func(own, peers, everybody float64) float64 {
		g := (everybody + 2*2*0.25) / (3 + 2*2) // z and q: mail 2, accounts 1
		h := (peers + 2*2*g) / (2 + 2*2)        // q: mail 1, accounts 1
		u := (own + 2*2*h) / (4 + 2*2)
		return math.Log(u / (g/2 + 0.125))
	}
	for portal, want := range map[string]float64{
		"mail": hand(3, 1, 2), "maps": hand(1, 0, 0), "accounts": hand(0, 1, 1), "vault": hand(0, 0, 0),
	} {
		if v := assess(t, r, using("p", "a", portal, "", 5)); math.Abs(v.LLR-want) > 1e-12 || v.Confidence != 0.5 {
			t.Errorf("%s: by hand %.6f, got %.6f (confidence %.2f)", portal, want, v.LLR, v.Confidence)
		}
	}
}

func TestProbabilitiesAddUpToOne(t *testing.T) {
	r := office(t)
	var sum float64
	r.Look("p", morning, func(p *person) {
		seen := maps.Keys(r.counts.everybody[0].people)
		n := float64(len(r.counts.everybody[0].people))
		all := []resource{{Portal: "never seen"}}
		for one := range seen {
			all = append(all, one)
		}
		for _, one := range all {
			own, _ := p.own(one, day(morning)+11)
			global := r.counts.everybody.without(p, one).over(1 / (n + 1))
			sum += own.over(r.counts.groups["a"].without(p, one).over(global))
		}
	})
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("%.6f", sum)
	}
}

func TestWhoeverUsesManyPortalsStartsWithNewOnesMoreOften(t *testing.T) {
	r := office(t)
	few := assess(t, r, using("p", "a", "vault", "", 11))
	for n := range 12 {
		for day := range 4 {
			teach(t, r, using("many", "a", fmt.Sprint("portal", n), "", day))
		}
	}
	many := assess(t, r, using("many", "a", "vault", "", 11))
	if many.LLR < few.LLR {
		t.Errorf("with 12 portals %.2f, with one %.2f", many.LLR, few.LLR)
	}
}

func TestAGroupThatIsNotKnownFallsBackToEverybody(t *testing.T) {
	r := office(t)
	none, other := assess(t, r, using("p", "", "maps", "", 11)), assess(t, r, using("p", "nowhere", "maps", "", 11))
	own, theirs := assess(t, r, using("p", "a", "maps", "", 11)), assess(t, r, using("p", "b", "maps", "", 11))
	if none.LLR != other.LLR || none.LLR <= own.LLR || theirs.LLR <= none.LLR || theirs.Reasons[0].Code != reasonPeers {
		t.Errorf("no group %.3f, unknown %.3f, own %.3f, that of its users %.3f", none.LLR, other.LLR, own.LLR, theirs.LLR)
	}
}

func TestWhoMovedToAnotherGroupIsNotCountedThereYet(t *testing.T) {
	// z is all of group b and uses mail and maps; p of group a used mail once.
	r := newPlugin()
	teach(t, r, using("p", "a", "mail", "", 0), using("z", "b", "mail", "", 0), using("z", "b", "maps", "", 0))
	g := (1 + 4.0/3) / (2 + 4)
	h := (1 + 4*g) / (2 + 4)
	want := math.Log(2 * h / (1 + 2) / (g/2 + 1.0/6))
	if v := assess(t, r, using("p", "b", "maps", "", 1)); math.Abs(v.LLR-want) > 1e-12 {
		t.Errorf("by hand %.6f, got %.6f", want, v.LLR)
	}
}

func TestAbstains(t *testing.T) {
	r := office(t)
	for name, o := range map[string]contract.Observation{
		"no portal": using("p", "a", "", "read", 11), "no history": using("q", "a", "mail", "read", 11),
		"before the history": using("p", "a", "mail", "read", -1), "after the retention": using("p", "a", "mail", "read", 9+90),
	} {
		if v := assess(t, r, o); !v.Abstained || v.LLR != 0 || len(v.Reasons) != 1 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestADayOfUseCountsOnce(t *testing.T) {
	r := newPlugin()
	one := using("p", "a", "mail", "read", 0)
	later := one
	later.At = one.At.Add(time.Hour)
	failed := one
	failed.Kind = contract.KindFailedSignIn
	if n := teach(t, r, one, one, later, failed, using("p", "a", "", "read", 1)); n != 1 {
		t.Errorf("learned %d", n)
	}
	if n := teach(t, r, using("p", "a", "mail", "read", 1)); n != 1 {
		t.Errorf("the day after: %d", n)
	}
	r.Look("p", morning, func(p *person) {
		if len(p.Uses) != 2 || p.Uses[0].Days != 2 || p.Uses[1].Days != 2 {
			t.Errorf("%+v", p.Uses)
		}
	})
}

// counted is what the counts must be, from what is kept.
func counted(r *resourceNovelty, people ...string) counts {
	c := counts{groups: map[string]*crowd{}}
	for _, name := range people {
		r.Look(name, morning, func(p *person) { c.add(p, p.Uses, +1) })
	}
	return c
}

// same compares counts; a map that is empty is as good as none.
func same(a, b counts) bool {
	alike := func(a, b crowd) bool {
		return a[0].all == b[0].all && a[1].all == b[1].all && maps.Equal(a[0].people, b[0].people) && maps.Equal(a[1].people, b[1].people)
	}
	return alike(a.everybody, b.everybody) && maps.EqualFunc(a.groups, b.groups, func(a, b *crowd) bool { return alike(*a, *b) })
}

func TestBoundsHoldAndCountsFollow(t *testing.T) {
	r := newPlugin()
	for n := range 3 * maxUses {
		teach(t, r, using("p", fmt.Sprint("group", n%3), fmt.Sprint("portal", n), "read", n/8))
	}
	teach(t, r, using("q", "a", "mail", "read", 0), using("q", "b", "mail", "write", 1))
	check := func(when string) {
		t.Helper()
		if !same(r.counts, counted(r, "p", "q")) {
			t.Errorf("%s: %+v is counted", when, r.counts)
		}
	}
	check("taught")
	r.Look("p", morning, func(p *person) {
		if len(p.Uses) != maxUses || p.find(resource{Portal: fmt.Sprint("portal", 3*maxUses-1)}) < 0 || p.find(resource{Portal: "portal0"}) >= 0 {
			t.Errorf("%d uses kept", len(p.Uses))
		}
	})
	teach(t, r, using("q", "b", "maps", "", 90)) // mail was used last on days 0 and 1
	check("one unused for the retention")
	r.Look("q", morning, func(p *person) {
		if p.find(resource{Portal: "mail", Grade: "read"}) >= 0 || p.find(resource{Portal: "mail", Grade: "write"}) < 0 {
			t.Errorf("%+v", p.Uses)
		}
	})
	var state, again bytes.Buffer
	if err := r.Export(&state); err != nil {
		t.Fatal(err)
	}
	text := state.String()
	r.Forget("p")
	check("p forgotten")
	if err := r.Import(&state); err != nil {
		t.Fatal(err)
	}
	check("handed over")
	if err := r.Export(&again); err != nil || again.String() != text {
		t.Errorf("a state changed by being handed over: %v", err)
	}
	r.Forget("p")
	r.Forget("q")
	if !same(r.counts, counts{groups: map[string]*crowd{}}) {
		t.Errorf("of nobody is counted %+v", r.counts)
	}
}

func TestAnImpostorsUseIsTakenOut(t *testing.T) {
	r := office(t)
	before := assess(t, r, using("p", "a", "vault", "admin", 11))
	theirs := using("p", "a", "vault", "admin", 11)
	teach(t, r, theirs)
	for _, f := range []contract.Feedback{{Observation: theirs, Genuine: true}, {Observation: theirs}, {Observation: theirs}} {
		if err := r.Learn(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if after := assess(t, r, using("p", "a", "vault", "admin", 12)); !reflect.DeepEqual(before, after) {
		t.Errorf("%+v became %+v", before, after)
	}
	mail := using("p", "a", "mail", "read", 9)
	for range 2 { // the second word on the same day takes nothing more
		if err := r.Learn(t.Context(), contract.Feedback{Observation: mail}); err != nil {
			t.Fatal(err)
		}
	}
	r.Look("p", morning, func(p *person) {
		if p.Uses[0].Days != 9 {
			t.Errorf("%+v", p.Uses)
		}
	})
}

func TestAFullStateCanBeHandedOver(t *testing.T) {
	r := newPlugin()
	pseudonym := func(n int) string { return fmt.Sprintf("%032d", n) }
	for n := range maxUses {
		for day := range 12 {
			teach(t, r, using(pseudonym(0), pseudonym(1), pseudonym(n), "write", day))
		}
	}
	var state bytes.Buffer
	if err := r.Export(&state); err != nil || state.Len()*maxPeople > contract.MaxStateBytes {
		t.Errorf("one person takes %d bytes: %v", state.Len(), err)
	}
}

func FuzzAssess(f *testing.F) {
	f.Add("p", "a", "mail", "read", "vault", 3)
	f.Add("", "", "\x00", "admin", "", 0)
	f.Fuzz(func(t *testing.T, person, group, portal, grade, now string, times int) {
		r := newPlugin()
		for n := range max(0, min(times, 40)) {
			teach(t, r, using(person, group, portal, grade, n), using(person+"x", group, now, grade, n))
		}
		v := assess(t, r, using(person, group, now, grade, times%100))
		if math.IsNaN(v.LLR) || v.LLR > mostFor || v.LLR < -mostAgainst || v.Confidence < 0 || v.Confidence > 1 || v.Abstained && v.LLR != 0 {
			t.Errorf("%+v", v)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	r := office(b)
	o := using("p", "a", "accounts", "write", 11)
	for b.Loop() {
		assess(b, r, o)
	}
}
