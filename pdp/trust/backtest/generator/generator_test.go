package generator

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/trust/backtest"
)

func world(t *testing.T, seed uint64) *World {
	t.Helper()
	w, err := New(Config{People: 200, SignIns: 7000, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTheSameSeedGivesTheSamePast(t *testing.T) {
	one, two, other := world(t, 1), world(t, 1), world(t, 2)
	if !reflect.DeepEqual(one.Events(), two.Events()) {
		t.Error("the same seed gave another past")
	}
	if reflect.DeepEqual(one.Events(), other.Events()) {
		t.Error("another seed gave the same past")
	}
	first, err := one.Databases(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	second, err := two.Databases(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, b := reflect.ValueOf(first), reflect.ValueOf(second)
	for i := range a.NumField() {
		if !bytes.Equal(read(t, a.Field(i).String()), read(t, b.Field(i).String())) {
			t.Errorf("%s differs", a.Type().Field(i).Name)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) == 0 {
		t.Fatalf("%s: %d bytes, %v", path, len(raw), err)
	}
	return raw
}

func TestNumbersOutOfBoundsMakeNoPast(t *testing.T) {
	for _, c := range []Config{{}, {People: 39, SignIns: 1000}, {People: 200_001, SignIns: 500_000}, {People: 100, SignIns: 199}, {People: 100, SignIns: 40_001}} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestThePastIsWhatWasAskedFor(t *testing.T) {
	w := world(t, 3)
	genuine, attacks, poison := 0, map[backtest.Label]int{}, 0
	last := w.Events()[0].At
	for _, e := range w.Events() {
		if e.At.Before(last) {
			t.Fatal("events are not in the order of time")
		}
		last = e.At
		if e.Kind != wire.ObservedSignIn {
			continue
		}
		switch {
		case e.Poison:
			poison++
		case e.Label == backtest.Genuine:
			genuine++
		default:
			attacks[e.Label]++
		}
	}
	if genuine < 6300 || genuine > 7700 {
		t.Errorf("%d sign-ins, about 7000 were asked for", genuine)
	}
	for _, a := range attackers() {
		if attacks[a.kind] != 200 {
			t.Errorf("%s: %d attacks on 200 people", a.kind, attacks[a.kind])
		}
	}
	if want := 4 * 10 * defaultPoisonSignIns; poison != want {
		t.Errorf("%d poisoned sign-ins, want %d", poison, want)
	}
}

// TestAttackersHoldWhatTheTableSays looks at each attack beside its victim.
func TestAttackersHoldWhatTheTableSays(t *testing.T) {
	w := world(t, 4)
	laptops, networks, portals := map[string]map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, e := range w.Events() {
		if e.Label == backtest.Genuine && e.Kind == wire.ObservedSignIn {
			for seen, value := range map[*map[string]map[string]bool]string{&laptops: e.Device, &networks: e.IP, &portals: e.Portal} {
				if (*seen)[e.Person] == nil {
					(*seen)[e.Person] = map[string]bool{}
				}
				(*seen)[e.Person][value] = true
			}
		}
	}
	own, all, near := map[backtest.Label]int{}, map[backtest.Label]int{}, 0
	for _, e := range w.Events() {
		if e.Label == backtest.Genuine || e.Kind != wire.ObservedSignIn || e.Poison {
			continue
		}
		all[e.Label]++
		if e.Variant == OwnLaptop {
			own[e.Label]++
		}
		if e.Variant == OtherLaptop && e.Device == "" {
			t.Error("an attack without an enrolled laptop")
		}
		if e.Label == backtest.VeryTargeted && networks[e.Person][e.IP] {
			near++
		}
	}
	for _, a := range attackers() {
		share := float64(own[a.kind]) / float64(all[a.kind])
		if share < a.own-0.1 || share > a.own+0.1 {
			t.Errorf("%s holds the victim's laptop in %.2f, the table says %.2f", a.kind, share, a.own)
		}
	}
	if near < all[backtest.VeryTargeted]/2 {
		t.Errorf("of %d very targeted attacks %d come from a network of the victim", all[backtest.VeryTargeted], near)
	}
}

func TestEveryAddressStandsInTheDatabases(t *testing.T) {
	w := world(t, 5)
	files, err := w.Databases(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	city, asn := open(t, files.City), open(t, files.ASN)
	abroad := 0
	for _, e := range w.Events() {
		address := netip.MustParseAddr(e.Address)
		if address.IsPrivate() || !address.IsGlobalUnicast() || !strings.HasSuffix(e.IP, ".0") {
			t.Fatalf("%s in %s", e.Address, e.IP)
		}
		var place struct {
			Country struct {
				ISO string `maxminddb:"iso_code"`
			} `maxminddb:"country"`
		}
		var provider struct {
			Number uint32 `maxminddb:"autonomous_system_number"`
		}
		if err := city.Lookup(address).Decode(&place); err != nil || place.Country.ISO == "" {
			t.Fatalf("%s: country %q, %v", address, place.Country.ISO, err)
		}
		if err := asn.Lookup(address).Decode(&provider); err != nil || provider.Number == 0 {
			t.Fatalf("%s: provider %d, %v", address, provider.Number, err)
		}
		if e.Label == backtest.Naive && place.Country.ISO != homeCountry {
			abroad++
		}
		if e.Label == backtest.VPN && place.Country.ISO != homeCountry {
			t.Fatalf("a VPN attacker from %s", place.Country.ISO)
		}
	}
	if abroad == 0 {
		t.Error("no naive attacker from abroad")
	}
	if lines := strings.Count(string(read(t, files.Threats)), "\n"); lines < 20 {
		t.Errorf("%d networks on the threat list", lines)
	}
}

func open(t *testing.T, path string) *maxminddb.Reader {
	t.Helper()
	db, err := maxminddb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestAPoolIsMadeOfItsNetworks(t *testing.T) {
	p := &pool{first: 0x01020300, nets: 7}
	size := 0
	for _, n := range p.networks() {
		ones, _ := n.Mask.Size()
		size += 1 << (32 - ones)
	}
	if size != 7*addressesPer24 || p.networks()[0].String() != "1.2.3.0/24" || p.networks()[1].String() != "1.2.4.0/22" {
		t.Errorf("%v", p.networks())
	}
}
