package main

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// maxGateways bounds the list of gateways.
const maxGateways = 1 << 16

func readEgress(entries []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, entry := range entries {
		found, err := readEntry(entry)
		if err != nil {
			return nil, fmt.Errorf("egress: %w", err)
		}
		if all = append(all, found...); len(all) > maxGateways {
			return nil, fmt.Errorf("egress: more than %d networks", maxGateways)
		}
	}
	return apart(all), nil
}

func readEntry(entry string) ([]netip.Prefix, error) {
	if strings.HasPrefix(entry, "/") {
		return readFile(entry)
	}
	p, err := parse(entry)
	return []netip.Prefix{p}, err
}

func readFile(name string) ([]netip.Prefix, error) {
	file, err := os.Open(name) // #nosec G304 -- the operator's own setting
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only
	var all []netip.Prefix
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan() && len(all) <= maxGateways; n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, n, err)
		}
		all = append(all, p)
	}
	return all, lines.Err()
}

// parse reads a network or an address. Bits below the mask are a mistake in one
// of the two.
func parse(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Masked() != p || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network nor an address", text)
	}
	return p, nil
}

// apart sorts networks and drops those that lie within another.
func apart(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	kept := all[:0]
	for _, p := range all {
		if len(kept) == 0 || !kept[len(kept)-1].Contains(p.Addr()) {
			kept = append(kept, p)
		}
	}
	return kept
}

// gateway reports whether a gateway lies within the network (an IPv4 /24, an
// IPv6 /56) of an address, or around it: the PDP tells no more than that
// network.
func (m worldMap) gateway(address netip.Addr) bool {
	bits := 56
	if address.Is4() {
		bits = 24
	}
	network := netip.PrefixFrom(address, bits).Masked()
	next, _ := slices.BinarySearchFunc(m.gateways, network.Addr(), func(p netip.Prefix, a netip.Addr) int { return p.Addr().Compare(a) })
	return next < len(m.gateways) && m.gateways[next].Overlaps(network) || next > 0 && m.gateways[next-1].Overlaps(network)
}
