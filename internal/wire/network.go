package wire

import "net/netip"

// NetworkOf returns the network that an address counts as: its IPv4 /24 or
// IPv6 /56 (design: protocols). An IPv4 address mapped into IPv6 counts as
// IPv4, a zone is dropped, and an invalid address gives the empty string,
// which is never the same network as anything.
func NetworkOf(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	bits := 56
	if address.Is4() {
		bits = 24
	}
	prefix, err := address.Prefix(bits)
	if err != nil || !prefix.IsValid() {
		return ""
	}
	return prefix.String()
}

// SameNetwork reports whether a and b are one known network.
func SameNetwork(a, b string) bool { return a != "" && a == b }

// NetworkAddress returns the first address of NetworkOf(address), which names a
// network where an address is asked for; empty for an invalid address.
func NetworkAddress(address netip.Addr) string {
	prefix, err := netip.ParsePrefix(NetworkOf(address))
	if err != nil {
		return ""
	}
	return prefix.Addr().String()
}
