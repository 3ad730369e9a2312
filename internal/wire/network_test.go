package wire

import (
	"net/netip"
	"testing"
)

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.77":             "192.0.2.0/24",
		"::ffff:192.0.2.77":      "192.0.2.0/24",
		"2001:db8:1:22ff:3::1":   "2001:db8:1:2200::/56",
		"fe80::1%eth0":           "fe80::/56",
		"2001:db8:ffff:ffff::77": "2001:db8:ffff:ff00::/56",
	} {
		if got := NetworkOf(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is in %s, want %s", address, got, want)
		}
	}
	if got := NetworkOf(netip.Addr{}); got != "" {
		t.Errorf("no address is in %q", got)
	}
}

func TestUnknownNetworksAreNeverTheSame(t *testing.T) {
	if SameNetwork("", "") || SameNetwork("192.0.2.0/24", "192.0.3.0/24") || !SameNetwork("192.0.2.0/24", "192.0.2.0/24") {
		t.Error("wrong")
	}
}
