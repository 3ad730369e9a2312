package reference

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// build puts bundles together. A value that one bundle accepts is accepted,
// whatever another says of it.
func build(all []staged) *wire.ReferenceSet {
	set := &wire.ReferenceSet{Values: map[wire.ReferenceKey][]wire.ReferenceValue{}}
	slices.SortStableFunc(all, func(a, b staged) int { return cmp.Compare(stateRank(a.state), stateRank(b.state)) })
	for _, s := range all {
		for _, e := range s.bundle.Entries {
			values := set.Values[e.Key()]
			if slices.ContainsFunc(values, func(v wire.ReferenceValue) bool { return v.Digest == e.Digest }) {
				continue // known in a state that is as good or better
			}
			set.Values[e.Key()] = append(values, wire.ReferenceValue{
				Digest: e.Digest, State: wire.ReferenceState(s.state), Bundle: bundleName(s.bundle.ID, s.bundle.Version),
				Note: e.Note, Members: membersOf(e),
			})
		}
		if s.state == wire.BundleSuperseded {
			continue // what once might run may not any more
		}
		for _, f := range s.bundle.Files {
			if set.Files == nil {
				set.Files = make(map[[sha256.Size]byte]string, len(s.bundle.Files))
			}
			set.Files[f.Digest] = f.Path
		}
	}
	if len(set.Values) > 0 || set.Files != nil {
		set.Version = versionOf(set)
	}
	return set
}

func stateRank(s wire.BundleState) int {
	return slices.Index([]wire.BundleState{wire.BundleCurrent, wire.BundleNext, wire.BundleSuperseded}, s)
}

func membersOf(e wire.BundleEntry) [][]byte {
	var members [][]byte
	for _, m := range e.Members {
		members = append(members, m[:])
	}
	return members
}

// versionOf is a digest over everything in a set that appraisal looks at.
func versionOf(set *wire.ReferenceSet) string {
	h := sha256.New()
	keys := slices.SortedFunc(maps.Keys(set.Values), compareKeys)
	for _, key := range keys {
		sized(h, []byte{byte(key.PCR)}, []byte(key.Kind), []byte(key.Name)) // #nosec G115 -- a PCR's number
		values := slices.SortedFunc(slices.Values(set.Values[key]), func(a, b wire.ReferenceValue) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
		for _, v := range values {
			sized(h, v.Digest[:], []byte(v.State), []byte(v.Note))
			sized(h, v.Members...)
		}
	}
	sized(h, []byte("files"))
	for _, digest := range slices.SortedFunc(maps.Keys(set.Files), func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) }) {
		sized(h, digest[:], []byte(set.Files[digest]))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// sized writes fields with their number and lengths, so that no two lists give
// the same bytes.
func sized(h hash.Hash, fields ...[]byte) {
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(fields))) // #nosec G115 -- bounded by the bundle's bounds
	h.Write(size[:])
	for _, f := range fields {
		binary.BigEndian.PutUint32(size[:], uint32(len(f))) // #nosec G115 -- as above
		h.Write(size[:])
		h.Write(f)
	}
}

func compareKeys(a, b wire.ReferenceKey) int {
	return cmp.Or(cmp.Compare(a.PCR, b.PCR), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}
