package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
)

// Bounds of the lists: how many entries all have together, and how long a line is.
const (
	maxEntries = 1 << 21
	maxLine    = 1024
)

// Networks larger than these would list whole continents by a slip.
const (
	largestIPv4 = 8
	largestIPv6 = 16
)

var errTooMany = fmt.Errorf("more than %d entries on all lists", maxEntries)

// digest is a file's.
type digest [sha256.Size]byte

// networks are apart and ascending.
type networks []netip.Prefix

// digests are ascending.
type digests []digest

// readNetworks reads a list of at most room entries.
func readNetworks(r io.Reader, room int) (networks, error) {
	all, err := entries(r, room, parseNetwork)
	if err != nil {
		return nil, err
	}
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
	return slices.Clip(kept), nil
}

// readDigests reads a list of at most room entries.
func readDigests(r io.Reader, room int) (digests, error) {
	all, err := entries(r, room, parseDigest)
	slices.SortFunc(all, func(a, b digest) int { return bytes.Compare(a[:], b[:]) })
	return slices.Clip(slices.Compact(all)), err
}

// entries reads what parse reads of each line.
func entries[T any](r io.Reader, room int, parse func(string) (T, error)) ([]T, error) {
	lines := bufio.NewReaderSize(r, maxLine)
	var all []T
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && len(all) > 0:
			return all, nil
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, errors.New("nothing is on the list")
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("line %d: its end is missing", n)
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		text, _, _ := bytes.Cut(line, []byte("#"))
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		entry, err := parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if all = append(all, entry); len(all) > room {
			return nil, errTooMany
		}
	}
}

func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4In6():
		return p, fmt.Errorf("%.64q is neither a network nor an address", text)
	case p.Masked() != p:
		return p, fmt.Errorf("%s has bits below its mask", p)
	case p.Addr().Is4() && p.Bits() < largestIPv4 || p.Addr().Is6() && p.Bits() < largestIPv6:
		return p, fmt.Errorf("%s is too large a network for a list of threats", p)
	}
	return p, nil
}

func parseDigest(text string) (digest, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != sha256.Size {
		return digest{}, fmt.Errorf("%.80q is no SHA-256 digest", text)
	}
	return digest(raw), nil
}

// contain looks an address up among networks that are apart: the last one that
// begins at or before it is the only one that can.
func (all networks) contain(address netip.Addr) bool {
	next, found := slices.BinarySearchFunc(all, address, func(p netip.Prefix, a netip.Addr) int { return p.Addr().Compare(a) })
	return found || next > 0 && all[next-1].Contains(address)
}

func (all digests) contain(d digest) bool {
	_, found := slices.BinarySearchFunc(all, d, func(a, b digest) int { return bytes.Compare(a[:], b[:]) })
	return found
}
