package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const (
	one = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	two = "FCDE2B2EDBA56BF408601FB721FE9B5C338D10EE429EA04FAE5511B68FBF8FB9"
)

func TestAListOfNetworks(t *testing.T) {
	all, err := readNetworks(strings.NewReader("# a comment\n\n198.51.100.0/24\r\n203.0.113.9 # one address\n  2001:db8:1::/48\t\n198.51.100.128/25\n198.51.100.200\n::ffff:192.0.2.1\n198.51.101.0/24\n"), 10)
	if err != nil || len(all) != 5 {
		t.Fatalf("%v %v", all, err)
	}
	for address, want := range map[string]bool{
		"198.51.100.0": true, "198.51.100.255": true, "198.51.101.7": true, "198.51.102.0": false, "198.51.99.255": false,
		"203.0.113.9": true, "203.0.113.8": false, "203.0.113.10": false, "192.0.2.1": true, "0.0.0.0": false, "255.255.255.255": false,
		"2001:db8:1::": true, "2001:db8:1:ffff::1": true, "2001:db8:2::": false, "2001:db8:0:ffff::": false, "::": false,
	} {
		if got := all.contain(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if networks(nil).contain(netip.MustParseAddr("192.0.2.1")) {
		t.Error("an empty list holds something")
	}
}

// TestTheSearchAgreesWithLookingAtEach: random networks within networks, asked
// by both ways.
func TestTheSearchAgreesWithLookingAtEach(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a test's
	var text strings.Builder
	var each []netip.Prefix
	for range 2000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(random.IntN(4)), byte(random.Uint32()), byte(random.Uint32())}), 14+random.IntN(19)).Masked()
		each = append(each, p)
		fmt.Fprintln(&text, p)
	}
	all, err := readNetworks(strings.NewReader(text.String()), len(each))
	if err != nil {
		t.Fatal(err)
	}
	for range 20_000 {
		a := netip.AddrFrom4([4]byte{10, byte(random.IntN(8)), byte(random.Uint32()), byte(random.Uint32())})
		if want := slices.ContainsFunc(each, func(p netip.Prefix) bool { return p.Contains(a) }); all.contain(a) != want {
			t.Errorf("%s: %v", a, !want)
		}
	}
}

func TestAListOfFiles(t *testing.T) {
	all, err := readDigests(strings.NewReader("# a comment\n"+one+"\n"+two+" # upper case\n"+strings.ToLower(two)+"\n"), 10)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d %v", len(all), err)
	}
	for text, want := range map[string]bool{one: true, strings.ToUpper(one): true, strings.ToLower(two): true, strings.Repeat("0", 64): false} {
		d, err := parseDigest(text)
		if err != nil || all.contain(d) != want {
			t.Errorf("%s: want %v, %v", text, want, err)
		}
	}
}

func TestALineThatCannotBeReadIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.0/24\n# a\nnowhere\n":   "line 3: \"nowhere\" is neither",
		"192.0.2.0/33\n":                 "line 1",
		"192.0.2.7/24\n":                 "bits below its mask",
		"0.0.0.0/0\n":                    "too large",
		"12.0.0.0/7\n":                   "too large",
		"2000::/3\n":                     "too large",
		"::ffff:192.0.2.0/120\n":         "neither a network",
		"fe80::1%eth0\n":                 "neither a network",
		"192.0.2.0/24 198.51.100.0/24\n": "neither a network",
		"192.0.2.0/24\n198.51.100.0/2":   "line 2: its end is missing",
		"192.0.2.0/24\n" + strings.Repeat("1", 2*maxLine): "line 2",
		"":                                  "nothing is on the list",
		"# bare\n":                          "nothing is on the list",
		"192.0.2.1\n192.0.2.2\n192.0.2.3\n": "more than",
	} {
		if _, err := readNetworks(strings.NewReader(text), 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		one + "\n" + one[:63] + "\n": "line 2", one + "00\n": "line 1", strings.Repeat("x", 64) + "\n": "line 1", one: "its end is missing", "\n": "nothing",
	} {
		if _, err := readDigests(strings.NewReader(text), 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func FuzzReadNetworks(f *testing.F) {
	f.Add("192.0.2.0/24\n# a\n203.0.113.9\n", "192.0.2.9")
	f.Add("2001:db8::/32\n", "2001:db8::1")
	f.Fuzz(func(t *testing.T, text, address string) {
		all, err := readNetworks(strings.NewReader(text), 100)
		if err != nil {
			return
		}
		for i, p := range all {
			if i > 0 && (all[i-1].Overlaps(p) || all[i-1].Addr().Compare(p.Addr()) >= 0) {
				t.Errorf("%v and %v are not apart", all[i-1], p)
			}
		}
		if a, err := netip.ParseAddr(address); err == nil {
			if want := slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) }); all.contain(a) != want {
				t.Errorf("%s: %v", a, !want)
			}
		}
	})
}

// million is a list of so many addresses, scattered.
func million() string {
	var text strings.Builder
	for n := range uint32(1_000_000) {
		a := n * 2654435761 // odd: all are different
		fmt.Fprintln(&text, netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}))
	}
	return text.String()
}

func BenchmarkContainOfAMillion(b *testing.B) {
	all, err := readNetworks(strings.NewReader(million()), maxEntries)
	if err != nil {
		b.Fatal(err)
	}
	a := netip.MustParseAddr("192.0.2.1")
	for b.Loop() {
		all.contain(a)
	}
}

func BenchmarkReadAMillion(b *testing.B) {
	text := million()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		all, err := readNetworks(strings.NewReader(text), maxEntries)
		if err != nil || len(all) != 1_000_000 {
			b.Fatal(len(all), err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-held")
		runtime.KeepAlive(all)
	}
}
