package main

import (
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Networks of the tests' data base.
const (
	taipei    = "1.160.1.0"
	kaohsiung = "1.174.9.0"
	tokyo     = "133.11.0.0"
	berlin    = "141.20.5.0"
	vague     = "5.100.0.0" // somewhere within 1000 km of Berlin
	blank     = "6.100.0.0" // no radius
	nonsense  = "7.100.0.0" // not on earth
)

func record(latitude, longitude float64, radius uint16) mmdbtype.Map {
	return mmdbtype.Map{"location": mmdbtype.Map{
		"latitude": mmdbtype.Float64(latitude), "longitude": mmdbtype.Float64(longitude), "accuracy_radius": mmdbtype.Uint16(radius),
	}}
}

func write(tb testing.TB, records map[string]mmdbtype.Map) string {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", RecordSize: 24})
	if err != nil {
		tb.Fatal(err)
	}
	for cidr, one := range records {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			tb.Fatal(err)
		}
		if err := tree.Insert(network, one); err != nil {
			tb.Fatal(err)
		}
	}
	file := filepath.Join(tb.TempDir(), "city.mmdb")
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

func world(tb testing.TB, egress ...string) worldMap {
	tb.Helper()
	bare := record(50, 10, 5)
	delete(bare["location"].(mmdbtype.Map), "accuracy_radius")
	m, err := openMap(settings{Egress: egress, Database: write(tb, map[string]mmdbtype.Map{
		"1.160.0.0/16": record(25.05, 121.53, 20), "1.174.0.0/16": record(22.62, 120.31, 20), "133.11.0.0/16": record(35.69, 139.69, 50),
		"141.20.0.0/16": record(52.52, 13.40, 20), "5.100.0.0/16": record(52.52, 13.40, 1000),
		"6.100.0.0/16": bare, "7.100.0.0/16": record(95, 10, 5),
	})})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestOfAPlaceThatIsNotWholeNothingIsKnown(t *testing.T) {
	m := world(t)
	for address, want := range map[string]bool{taipei: true, "::ffff:1.160.1.0": true, blank: false, nonsense: false, "10.0.0.0": false, "": false, "x": false} {
		if _, gateway, known := m.find(address); known != want || gateway {
			t.Errorf("%s: known %v, gateway %v", address, known, gateway)
		}
	}
	if _, _, known := (worldMap{}).find(taipei); known {
		t.Error("a place without a data base")
	}
	if (spot{Latitude: math.NaN(), Radius: 1}).onEarth() {
		t.Error("nowhere is on earth")
	}
}

func TestAWrongDatabaseIsNotOpened(t *testing.T) {
	broken, huge := filepath.Join(t.TempDir(), "broken.mmdb"), filepath.Join(t.TempDir(), "huge.mmdb")
	if err := os.WriteFile(broken, []byte("no data base"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxDatabase+1); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(t.TempDir(), "missing.mmdb"): "no such file", broken: "broken.mmdb", huge: "larger than",
		write(t, map[string]mmdbtype.Map{"1.160.0.0/16": {"country": mmdbtype.String("TW")}}): "no record has a location",
	} {
		if _, err := openMap(settings{Database: file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestGateways(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateways")
	if err := os.WriteFile(file, []byte("# ours\n198.51.100.64/28 # the VPN\n\n2001:db8::/32\n  203.0.113.9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := world(t, file, "10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "2001:470:0:100::1")
	for address, want := range map[string]bool{
		"198.51.100.0": true, "198.51.101.0": false, "198.51.99.0": false, "203.0.113.0": true, "10.255.3.0": true, "11.0.0.0": false, "9.255.255.0": false,
		"2001:db8:7::": true, "2001:db9::": false, "2001:470:0:100::": true, "2001:470:0:200::": false,
	} {
		if _, gateway, _ := m.find(address); gateway != want {
			t.Errorf("%s: %v", address, gateway)
		}
	}
}

func TestAGatewayThatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"192.0.2.0/24\n192.0.2.7/24\n": "line 2", "# a\n\nnowhere\n": "line 3", "192.0.2.0/33\n": "line 1", "::ffff:192.0.2.0/120\n": "line 1", "fe80::1%eth0\n": "line 1",
		strings.Repeat("192.0.2.1\n", maxGateways+1): "more than", strings.Repeat("1", 1<<17): "too long",
	} {
		file := filepath.Join(dir, "gateways")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openMap(settings{Egress: []string{file}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
	for _, entry := range []string{"", "nowhere", filepath.Join(dir, "missing")} {
		if _, err := openMap(settings{Egress: []string{entry}}); err == nil {
			t.Errorf("%q was taken", entry)
		}
	}
}
