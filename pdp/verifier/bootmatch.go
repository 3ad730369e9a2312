package verifier

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// anyName reports whether a value counts under every name of its place. The
// name of such a measurement is its turn or its path: an approved program is as
// good in another turn, and a machine with one program more would else differ in
// all that follow. A variable's value counts under its own name only.
func anyName(kind wire.MeasurementKind) bool {
	switch kind {
	case wire.MeasuredFirmware, wire.MeasuredOptionROM, wire.MeasuredBootApplication, wire.MeasuredAuthority,
		wire.MeasuredCommandLine, wire.MeasuredAction, wire.MeasuredFile, wire.MeasuredUnknown:
		return true
	}
	return false
}

// values calls f with each value that counts at a key until f returns false.
func (b *bootJudge) values(key wire.ReferenceKey, f func(*wire.ReferenceValue) bool) {
	own := b.set.Values[key]
	for i := range own {
		if !f(&own[i]) {
			return
		}
	}
	if !anyName(key.Kind) {
		return
	}
	for other, values := range b.set.Values {
		if other == key || other.PCR != key.PCR || other.Kind != key.Kind {
			continue
		}
		for i := range values {
			if !f(&values[i]) {
				return
			}
		}
	}
}

// match returns the best state of the values that m has, empty if it has none.
func (b *bootJudge) match(m wire.Measurement) (best wire.ReferenceState) {
	var general []byte
	if m.Kind == wire.MeasuredCommandLine && m.Verified && m.Detail != "" {
		digest := wire.GeneralCommandLineDigest(m.Detail)
		general = digest[:]
	}
	b.values(wire.KeyOf(m), func(v *wire.ReferenceValue) bool {
		if bytes.Equal(v.Digest[:], m.Digest) || general != nil && contains(v.Members, general) {
			best = better(best, v.State)
		}
		return best != wire.ReferenceCurrent
	})
	return best
}

// better returns the one of two states that accepts more.
func better(a, b wire.ReferenceState) wire.ReferenceState {
	for _, state := range [...]wire.ReferenceState{wire.ReferenceCurrent, wire.ReferenceNext, wire.ReferenceSuperseded} {
		if a == state || b == state {
			return state
		}
	}
	return ""
}

// accepts reports whether a value of this state is fine.
func accepts(s wire.ReferenceState) bool {
	return s == wire.ReferenceCurrent || s == wire.ReferenceNext
}

// revocations holds a dbx that nobody knows against those that are known. It
// is grown if it has all entries of an accepted one, and shrunk if it lacks
// entries of every accepted one. It is neither where entries are not known.
func (b *bootJudge) revocations(m wire.Measurement) (grown, shrunk bool) {
	compared := false
	b.values(wire.KeyOf(m), func(v *wire.ReferenceValue) bool {
		if !accepts(v.State) || len(v.Members) == 0 && v.Digest != emptyDBX() {
			return true
		}
		compared = true
		grown = containsAll(m.Members, v.Members)
		return !grown
	})
	return grown, compared && !grown
}

// emptyDBX is what is measured of a dbx without entries: the variable's GUID,
// the lengths of its name and its data, and its name (UEFI_VARIABLE_DATA of the
// TCG PC Client Platform Firmware Profile 1.06, 10.2.6).
func emptyDBX() [sha256.Size]byte {
	return sha256.Sum256([]byte("\xcb\xb2\x19\xd7\x3a\x3d\x96\x45\xa3\xbc\xda\xd0\x0e\x67\x65\x6f" +
		"\x03\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "d\x00b\x00x\x00"))
}

func contains(all [][]byte, one []byte) bool {
	return slices.ContainsFunc(all, func(b []byte) bool { return bytes.Equal(b, one) })
}

func containsAll(all, some [][]byte) bool {
	have := make(map[string]struct{}, len(all))
	for _, one := range all {
		have[string(one)] = struct{}{}
	}
	for _, one := range some {
		if _, ok := have[string(one)]; !ok {
			return false
		}
	}
	return true
}

// firstOf returns the first key of a place that has an accepted value, or one
// without a name.
func (b *bootJudge) firstOf(place BootPlace) wire.ReferenceKey {
	first := wire.ReferenceKey{PCR: place.PCR, Kind: place.Kind}
	for key, values := range b.set.Values {
		if (BootPlace{key.PCR, key.Kind}) != place || first.Name != "" && first.Name <= key.Name {
			continue
		}
		if slices.ContainsFunc(values, func(v wire.ReferenceValue) bool { return accepts(v.State) }) {
			first = key
		}
	}
	return first
}

// maxExpected bounds how many accepted values a finding names.
const maxExpected = 3

// expected names the values that would have been fine at a key, in short.
func (b *bootJudge) expected(key wire.ReferenceKey) string {
	var known []*wire.ReferenceValue
	collect := func(v *wire.ReferenceValue) bool {
		if accepts(v.State) {
			known = append(known, v)
		}
		return true
	}
	own := b.set.Values[key]
	for i := range own {
		collect(&own[i])
	}
	if len(known) == 0 {
		b.values(key, collect)
	}
	slices.SortFunc(known, func(x, y *wire.ReferenceValue) int {
		return cmp.Or(cmp.Compare(x.State, y.State), bytes.Compare(x.Digest[:], y.Digest[:]))
	})
	known = slices.CompactFunc(known, func(x, y *wire.ReferenceValue) bool { return x.Digest == y.Digest })
	texts := make([]string, 0, maxExpected+1)
	for i, v := range known {
		if i == maxExpected {
			texts = append(texts, fmt.Sprintf("… +%d", len(known)-i))
			break
		}
		texts = append(texts, valueText(v.Digest[:], v.Note))
	}
	return strings.Join(texts, ", ")
}

func seenText(m wire.Measurement) string { return valueText(m.Digest, m.Detail) }

// shortDigest is how many bytes of a digest are shown.
const shortDigest = 8

func valueText(digest []byte, note string) string {
	text := hex.EncodeToString(digest[:min(len(digest), shortDigest)])
	if note != "" {
		text += " (" + plain(note) + ")"
	}
	return text
}
