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

// placeValues are the values of one place, under whatever name.
type placeValues struct {
	digests, general map[[sha256.Size]byte]wire.ReferenceState
	accepted         []*wire.ReferenceValue
	expected         string // what accepted are in short, once it was asked for
}

// bootIndex finds values without their names, so that a log with many events
// that nobody knows costs no more than one.
type bootIndex struct {
	places map[BootPlace]*placeValues
	// superseded has the demanded values of each PCR that were accepted once.
	superseded map[int]map[[sha256.Size]byte]struct{}
}

func (b *bootJudge) index() *bootIndex {
	if b.indexed != nil {
		return b.indexed
	}
	b.indexed = &bootIndex{places: map[BootPlace]*placeValues{}, superseded: map[int]map[[sha256.Size]byte]struct{}{}}
	for key, values := range b.set.Values {
		place := BootPlace{key.PCR, key.Kind}
		demanded := slices.Contains(b.policy.Demanded, place)
		for i := range values {
			if v := &values[i]; demanded && v.State == wire.ReferenceSuperseded {
				b.indexed.supersede(key.PCR, v.Digest)
			}
			if anyName(key.Kind) {
				b.indexed.add(place, &values[i])
			}
		}
	}
	return b.indexed
}

func (x *bootIndex) supersede(pcr int, digest [sha256.Size]byte) {
	if x.superseded[pcr] == nil {
		x.superseded[pcr] = map[[sha256.Size]byte]struct{}{}
	}
	x.superseded[pcr][digest] = struct{}{}
}

func (x *bootIndex) add(place BootPlace, v *wire.ReferenceValue) {
	at := x.places[place]
	if at == nil {
		at = &placeValues{digests: map[[sha256.Size]byte]wire.ReferenceState{}, general: map[[sha256.Size]byte]wire.ReferenceState{}}
		x.places[place] = at
	}
	at.digests[v.Digest] = better(at.digests[v.Digest], v.State)
	if accepts(v.State) {
		at.accepted = append(at.accepted, v)
	}
	if place.Kind != wire.MeasuredCommandLine {
		return
	}
	for _, member := range v.Members {
		if len(member) == sha256.Size {
			general := [sha256.Size]byte(member)
			at.general[general] = better(at.general[general], v.State)
		}
	}
}

// match returns the best state of the values that m has, empty if it has none.
func (b *bootJudge) match(m wire.Measurement) (best wire.ReferenceState) {
	for _, v := range b.set.Values[wire.KeyOf(m)] {
		if bytes.Equal(v.Digest[:], m.Digest) {
			best = better(best, v.State)
		}
	}
	if best == wire.ReferenceCurrent || len(m.Digest) != sha256.Size {
		return best
	}
	digest := [sha256.Size]byte(m.Digest)
	if at := b.index().places[placeOf(m)]; at != nil {
		best = better(best, at.digests[digest])
		if m.Kind == wire.MeasuredCommandLine && m.Verified && m.Detail != "" {
			best = better(best, at.general[wire.GeneralCommandLineDigest(m.Detail)])
		}
	}
	// An event's type is the log's word: under no other kind is a value good
	// that is known to be old.
	if _, old := b.index().superseded[m.PCR][digest]; old {
		best = better(best, wire.ReferenceSuperseded)
	}
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
	have := make(map[string]struct{}, len(m.Members))
	for _, one := range m.Members {
		have[string(one)] = struct{}{}
	}
	compared := false
	for _, v := range b.set.Values[wire.KeyOf(m)] {
		if !accepts(v.State) || len(v.Members) == 0 && v.Digest != emptyDBX() {
			continue
		}
		compared = true
		if containsAll(have, v.Members) {
			return true, false
		}
	}
	return false, compared
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

func containsAll(have map[string]struct{}, some [][]byte) bool {
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
	var own []*wire.ReferenceValue
	values := b.set.Values[key]
	for i := range values {
		if accepts(values[i].State) {
			own = append(own, &values[i])
		}
	}
	if len(own) > 0 {
		return expectedText(own)
	}
	at := b.index().places[BootPlace{key.PCR, key.Kind}]
	if at == nil || len(at.accepted) == 0 {
		return ""
	}
	if at.expected == "" {
		at.expected = expectedText(at.accepted)
	}
	return at.expected
}

func expectedText(known []*wire.ReferenceValue) string {
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
