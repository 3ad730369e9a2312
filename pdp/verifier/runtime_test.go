package verifier

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/ima"
)

func imaEntry(algorithm string, digest []byte, path string) ima.Entry {
	var data []byte
	for _, field := range [...]string{algorithm + ":\x00" + string(digest), path + "\x00"} {
		data = append(binary.LittleEndian.AppendUint32(data, uint32(len(field))), field...)
	}
	return ima.Entry{Digest: []byte{1}, Template: "ima-ng", Data: data}
}

// A file can be named as the kernel names its digest of the boot, and its
// extended attribute chooses the hash: the name gives it no leave.
func TestAFileNamedAsTheBootsDigest(t *testing.T) {
	set := &wire.ReferenceSet{Files: map[[sha256.Size]byte]string{{1}: "/usr/bin/true"}}
	pcrs := []wire.PCRValue{{Index: 7, Digest: make([]byte, sha256.Size)}}
	true256, evil := sha256.Sum256(make([]byte, sha256.Size)), sha512.Sum512([]byte("evil"))
	for name, c := range map[string]struct {
		first, second ima.Entry
		aggregate     wire.AggregateState
		weak          int
	}{
		"a file behind it":          {imaEntry("sha256", true256[:], aggregatePath), imaEntry("sha512", evil[:], aggregatePath), wire.AggregateMatches, 1},
		"a file behind another's":   {imaEntry("sha1", evil[:20], aggregatePath), imaEntry("sha512", evil[:], aggregatePath), wire.AggregateUnsupported, 1},
		"again, after kexec":        {imaEntry("sha256", true256[:], aggregatePath), imaEntry("sha256", true256[:], aggregatePath), wire.AggregateMatches, 0},
		"another's, of this bank":   {imaEntry("sha256", true256[:], aggregatePath), imaEntry("sha256", evil[:32], aggregatePath), wire.AggregateDiffers, 0},
		"another's stays another's": {imaEntry("sha256", evil[:32], aggregatePath), imaEntry("sha256", true256[:], aggregatePath), wire.AggregateDiffers, 0},
	} {
		var s wire.IMAState
		weigh(&s, c.first, set, pcrs)
		weigh(&s, c.second, set, pcrs)
		if s.Aggregate != c.aggregate || s.Weak != c.weak {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// Each entry of a listed path counts, under however many contents it is listed.
func TestChangedPaths(t *testing.T) {
	set := &wire.ReferenceSet{Files: map[[sha256.Size]byte]string{{1}: "/a", {2}: "/a", {3}: "/b"}}
	for want, paths := range [][]string{nil, {"/b", "/x"}, {"/a", "/a", "/c"}, {"/a", "/b", "/a"}} {
		if got := changedFiles(set, paths); got != want {
			t.Errorf("%v: %d", paths, got)
		}
	}
	if changedFiles(nil, nil) != 0 {
		t.Error("of no list")
	}
}

// What runs under no allow list is told by its digest, whatever it is called.
func TestFilesThatNoAllowListHas(t *testing.T) {
	set := &wire.ReferenceSet{Files: map[[sha256.Size]byte]string{{1}: "/usr/bin/true"}}
	listed, evil, long := [sha256.Size]byte{1}, sha256.Sum256([]byte("evil")), sha512.Sum512([]byte("evil"))
	violation := imaEntry("sha256", evil[:], "/tmp/x")
	violation.Digest = make([]byte, 20)
	for name, c := range map[string]struct {
		e    ima.Entry
		set  *wire.ReferenceSet
		want string
	}{
		"listed":                     {imaEntry("sha256", listed[:], "/usr/bin/true"), set, ""},
		"not listed":                 {imaEntry("sha256", evil[:], "/tmp/x"), set, hex.EncodeToString(evil[:])},
		"no list":                    {imaEntry("sha256", evil[:], "/tmp/x"), nil, hex.EncodeToString(evil[:])},
		"called like a listed one":   {imaEntry("sha256", evil[:], "/usr/bin/true"), set, hex.EncodeToString(evil[:])},
		"called the boot's digest":   {imaEntry("sha256", evil[:], aggregatePath), set, hex.EncodeToString(evil[:])},
		"another hash":               {imaEntry("sha512", long[:], "/tmp/x"), set, ""},
		"a hash of another length":   {imaEntry("sha256", long[:], "/tmp/x"), set, ""},
		"what could not be measured": {violation, set, ""},
		"no file":                    {ima.Entry{Digest: []byte{1}, Template: "ima-ng", Data: []byte{9}}, set, ""},
	} {
		if got := foreign(c.e, c.set); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
