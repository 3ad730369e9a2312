package main

import (
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Networks that the tests' data bases know: two of one operator in Taiwan, one
// of another there, one in Japan, one whose record says nothing of use.
const (
	home      = "1.160.1.0"
	cafe      = "1.170.9.0"
	campus    = "140.112.8.0"
	tokyo     = "133.11.0.0"
	nowhere   = "81.2.69.0"
	intranet  = "10.1.2.0"
	intranet2 = "10.1.77.0"
)

func write(tb testing.TB, name string, records map[string]mmdbtype.Map) string {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", RecordSize: 24})
	if err != nil {
		tb.Fatal(err)
	}
	for cidr, record := range records {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			tb.Fatal(err)
		}
		if err := tree.Insert(network, record); err != nil {
			tb.Fatal(err)
		}
	}
	file := filepath.Join(tb.TempDir(), name)
	out, err := os.Create(file)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := tree.WriteTo(out); err != nil {
		tb.Fatal(err)
	}
	if err := out.Close(); err != nil {
		tb.Fatal(err)
	}
	return file
}

func countryFile(tb testing.TB) string {
	in := func(code string) mmdbtype.Map {
		return mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
	}
	return write(tb, "country.mmdb", map[string]mmdbtype.Map{
		"1.160.0.0/12": in("TW"), "140.112.0.0/16": in("TW"), "133.11.0.0/16": in("JP"),
		"81.2.69.0/24": {"country": mmdbtype.Map{"iso_code": mmdbtype.Uint32(7)}},
		"81.2.70.0/24": in("TWN"), "81.2.71.0/24": in(""),
	})
}

func operatorFile(tb testing.TB) string {
	of := func(number uint32) mmdbtype.Map {
		return mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(number)}
	}
	return write(tb, "asn.mmdb", map[string]mmdbtype.Map{
		"1.160.0.0/12": of(3462), "140.112.0.0/16": of(17716), "133.11.0.0/16": of(2501),
		"81.2.69.0/24": {"autonomous_system_number": mmdbtype.String("many")},
	})
}

func world(tb testing.TB) places {
	tb.Helper()
	where, err := openPlaces(settings{Database: countryFile(tb), ASNDatabase: operatorFile(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	return where
}

// TestTheFormulaByHand: five sign-ins from home, nobody else. An impostor comes
// from there with ¾·1/1000, by its operator with ¾·1/20, from its country with
// ¾·½.
func TestTheFormulaByHand(t *testing.T) {
	const n, country = 5.0, .1 * 5 / (.75 / 2)
	for address, want := range map[string]float64{
		home:   limit, // ln((1 + .6·5/.00075 + …)/6) is beyond it
		cafe:   math.Log((1 + .3*n/(.75/20) + country) / (n + 1)),
		campus: math.Log((1 + country) / (n + 1)),
		tokyo:  -math.Log(n + 1),
		// Neither operator nor country can be read: network and block are left.
		nowhere: -math.Log(n + 1),
	} {
		p := newPlugin(world(t))
		teach(t, p, "p", home, n, day)
		if v := assess(t, p, "p", address); math.Abs(v.LLR-want) > 1e-9 {
			t.Errorf("%s: %.4f, by hand %.4f", address, v.LLR, want)
		}
	}
}

// TestColleaguesByHand: nine colleagues' sign-ins by the same operator make it
// less of a sign: ¼·9/10 + ¾/20.
func TestColleaguesByHand(t *testing.T) {
	p := newPlugin(world(t))
	teach(t, p, "colleague", cafe, 9, day)
	teach(t, p, "p", home, 5, day)
	want := math.Log((1 + .3*5/(.25*.9+.75/20) + .1*5/(.25*.9+.75/2)) / 6)
	if v := assess(t, p, "p", "1.165.0.0"); math.Abs(v.LLR-want) > 1e-9 {
		t.Errorf("%.4f, by hand %.4f", v.LLR, want)
	}
}

func TestALevelThatIsNotKnownIsLeftOut(t *testing.T) {
	p := newPlugin(world(t))
	teach(t, p, "p", intranet, 5, day)
	// The weights .6 and .3 alone, the block in place of the operator.
	want := math.Log((1 + .3*5/(.75/20)/.9) / 6)
	v := assess(t, p, "p", intranet2)
	if math.Abs(v.LLR-want) > 1e-9 || v.Reasons[0].Code != reasonNear {
		t.Errorf("%.4f (%s), by hand %.4f", v.LLR, v.Reasons[0].Code, want)
	}
	if score(counts{all: 5}, counts{}, [depth]bool{}) != 0 {
		t.Error("an opinion although no level is known")
	}
}

func TestWhatIsNoCountryIsNotKnown(t *testing.T) {
	where := world(t)
	for address, want := range map[string]bool{home: true, nowhere: false, "81.2.70.0": false, "81.2.71.0": false, "9.9.9.0": false} {
		at, ok := where.find(address)
		if _, known := at.at(country); !ok || known != want {
			t.Errorf("%s: %v %+v", address, ok, at)
		}
	}
}

func TestReasonsNameTheSmallestPlace(t *testing.T) {
	p := newPlugin(world(t))
	teach(t, p, "p", home, 5, day)
	for address, want := range map[string]string{
		home: reasonKnown, cafe: reasonOperator, campus: reasonNew, tokyo: reasonNewCountry, nowhere: reasonNew,
	} {
		if v := assess(t, p, "p", address); v.Reasons[0].Code != want {
			t.Errorf("%s: %s", address, v.Reasons[0].Code)
		}
	}
}

func TestAWrongDatabaseIsNotOpened(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.mmdb")
	if err := os.WriteFile(broken, []byte("no data base"), 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(t.TempDir(), "huge.mmdb")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxDatabase+1); err != nil {
		t.Fatal(err)
	}
	for want, set := range map[string]settings{
		"no such file":   {Database: filepath.Join(t.TempDir(), "missing.mmdb")},
		"broken.mmdb":    {ASNDatabase: broken},
		"larger than":    {Database: huge},
		"no record has ": {Database: operatorFile(t)},
	} {
		if _, err := openPlaces(set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestStateIsHandedOver(t *testing.T) {
	old := newPlugin(places{})
	teach(t, old, "p", home, 5, day)
	teach(t, old, "q", cafe, 2, day)
	var state strings.Builder
	if err := old.Export(&state); err != nil {
		t.Fatal(err)
	}
	next := newPlugin(world(t))
	teach(t, next, "r", tokyo, 3, day)
	if err := next.Import(strings.NewReader(state.String())); err != nil {
		t.Fatal(err)
	}
	countsHold(t, next)
	// The data bases of the new one tell of the old one's sign-ins.
	if v := assess(t, next, "p", "1.175.0.0"); v.Reasons[0].Code != reasonOperator {
		t.Errorf("%+v", v)
	}
	if v := assess(t, next, "r", tokyo); !v.Abstained {
		t.Errorf("what stood before was kept: %+v", v)
	}
	teach(t, next, "p", home, 5, day)
	if got := kept(next, "p"); got != 5 {
		t.Errorf("the same five sign-ins became %d", got)
	}
	for _, broken := range []string{
		`{"person":"p"}`, `{"person":"p","taught":"2026-11-22T09:00:00Z","state":{"sign_ins":[{"at":"2026-11-22T09:00:00Z","network":""}]}}`,
		`{"person":"p","taught":"2026-11-22T09:00:00Z","state":{"sign_ins":[` + strings.Repeat(`{"at":"2026-11-22T09:00:00Z","network":"192.0.2.0/24"},`, maxSignIns) + `{"at":"2026-11-22T09:00:00Z","network":"192.0.2.0/24"}]}}`,
	} {
		if err := next.Import(strings.NewReader(broken)); err == nil || kept(next, "p") != 5 {
			t.Errorf("%.80s was taken: %v", broken, err)
		}
	}
}

// TestAFullStateCanBeHandedOver: as many people as are kept, each with the
// longest line there is.
func TestAFullStateCanBeHandedOver(t *testing.T) {
	p := newPlugin(places{})
	name := strings.Repeat("p", contract.MaxTextBytes)
	teach(t, p, name, "2001:dead:beef:ff00::", maxSignIns, day.Add(123456789))
	var state strings.Builder
	if err := p.Export(&state); err != nil {
		t.Fatal(err)
	}
	if all := state.Len() * maxPeople; all > contract.MaxStateBytes {
		t.Errorf("%d bytes, %d can be handed over", all, contract.MaxStateBytes)
	}
}

func TestForgettingAndRetention(t *testing.T) {
	p := newPlugin(world(t))
	teach(t, p, "p", home, 5, day)
	teach(t, p, "q", home, 5, day)
	p.Forget("p")
	countsHold(t, p)
	if v := assess(t, p, "p", home); !v.Abstained {
		t.Errorf("forgotten, and still: %+v", v)
	}
	// Four of the five are past the retention and do not count.
	later := contract.Observation{Person: "q", Network: home, At: day.Add(retention + 3*time.Hour)}
	if v, err := p.Assess(t.Context(), later); err != nil || v.Reasons[0].Args["sign_ins"] != "1" {
		t.Errorf("%+v %v", v, err)
	}
	// A sign-in past the retention is dropped with the next, a person with anybody's next.
	teach(t, p, "q", cafe, 1, day.Add(retention+2*time.Hour))
	if got := kept(p, "q"); got != 4 {
		t.Errorf("%d sign-ins kept", got)
	}
	teach(t, p, "s", home, 1, day.Add(3*retention))
	if got := p.history.people.Len(); got != 1 {
		t.Errorf("%d people kept", got)
	}
	countsHold(t, p)
}

func TestAnOfficersWord(t *testing.T) {
	p := newPlugin(world(t))
	teach(t, p, "p", home, 5, day)
	teach(t, p, "p", tokyo, 2, day.Add(6*time.Hour))
	intruder := contract.Observation{Person: "p", Network: tokyo, At: day.Add(6 * time.Hour)}
	if err := p.Learn(t.Context(), contract.Feedback{Observation: intruder}); err != nil {
		t.Fatal(err)
	}
	countsHold(t, p)
	if v := assess(t, p, "p", tokyo); v.Reasons[0].Code != reasonNewCountry || kept(p, "p") != 5 {
		t.Errorf("what the intruder taught is still known: %+v", v)
	}
	if err := p.Learn(t.Context(), contract.Feedback{Observation: intruder, Genuine: true}); err != nil {
		t.Fatal(err)
	}
	if v := assess(t, p, "p", tokyo); v.Reasons[0].Code != reasonKnown {
		t.Errorf("a genuine journey was not learned: %+v", v)
	}
}
