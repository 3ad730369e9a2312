package bolt

import (
	"bytes"
	"hash/fnv"
	"os"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/pdp/store"
)

// image is a sound file in memory, to be damaged at a known place.
type image struct {
	raw    []byte
	meta   meta
	branch uint64 // the root of the records, a branch
	leaves []uint64
	full   uint64 // a leaf of several records
}

func imageOf(t *testing.T, raw []byte) *image {
	t.Helper()
	raw = bytes.Clone(raw)
	m, err := newestMeta(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	im := &image{raw: raw, meta: m}
	root, err := im.page(m.root).item(0)
	if err != nil {
		t.Fatal(err)
	}
	im.branch = native.Uint64(root.value)
	branch := im.page(im.branch)
	if branch.flags != flagBranch || branch.count < 3 {
		t.Fatalf("%d elements, flags %x", branch.count, branch.flags)
	}
	for i := range branch.count {
		child, err := branch.item(i)
		if err != nil {
			t.Fatal(err)
		}
		im.leaves = append(im.leaves, child.child)
		if leaf := im.page(child.child); leaf.flags == flagLeaf && leaf.count > 3 {
			im.full = child.child
		}
	}
	if im.full == 0 {
		t.Fatal("no leaf of several records")
	}
	return im
}

func sampleBytes(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(sample(t, 300))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (im *image) at(id uint64) []byte { return im.raw[id*pageSize:] }

func (im *image) page(id uint64) page {
	p, err := parsePage(id, im.at(id)[:(1+uint64(native.Uint32(im.at(id)[12:])))*pageSize])
	if err != nil {
		panic(err)
	}
	return p
}

// element is the i-th element of a page, at its place in the image.
func (im *image) element(id uint64, i int) []byte { return im.at(id)[pageHeader+i*element:] }

// newest is the newest meta page's contents.
func (im *image) newest() []byte { return im.at(im.meta.txid % 2)[pageHeader:] }

// seal makes the meta pages' checksums right again.
func (im *image) seal() {
	for id := range uint64(2) {
		m := im.at(id)[pageHeader:]
		sum := fnv.New64a()
		sum.Write(m[:56])
		native.PutUint64(m[56:], sum.Sum64())
	}
}

// TestEachDamageIsFound damages one place each, as a failing disk could or a
// person who knows the format, and expects the check that is for it.
func TestEachDamageIsFound(t *testing.T) {
	sound := sampleBytes(t)
	for name, c := range map[string]struct {
		damage func(im *image)
		why    string
	}{
		"page of another number": {func(im *image) { native.PutUint64(im.at(im.leaves[1]), 7) }, "calls itself"},
		"page of another kind":   {func(im *image) { native.PutUint16(im.at(im.leaves[1])[8:], flagFreelist) }, "neither"},
		"page of two kinds":      {func(im *image) { native.PutUint16(im.at(im.leaves[1])[8:], flagLeaf|flagBranch) }, "neither"},
		"empty branch":           {func(im *image) { native.PutUint16(im.at(im.branch)[10:], 0) }, "neither"},
		"too many elements":      {func(im *image) { native.PutUint16(im.at(im.leaves[1])[10:], 0xffff) }, "do not fit"},
		"overflow past the end":  {func(im *image) { native.PutUint32(im.at(im.leaves[1])[12:], uint32(im.meta.highWater)) }, "further pages"},
		"immense overflow":       {func(im *image) { native.PutUint32(im.at(im.leaves[1])[12:], 1<<31) }, "further pages"},
		"overflow over another":  {func(im *image) { native.PutUint32(im.at(min(im.leaves[1], im.leaves[2]))[12:], 60) }, ""},
		"child twice":            {func(im *image) { native.PutUint64(im.element(im.branch, 1)[8:], im.leaves[0]) }, "used twice"},
		"child is its parent":    {func(im *image) { native.PutUint64(im.element(im.branch, 1)[8:], im.branch) }, "used twice"},
		"child is a meta page":   {func(im *image) { native.PutUint64(im.element(im.branch, 1)[8:], 1) }, "there are"},
		"child past the end":     {func(im *image) { native.PutUint64(im.element(im.branch, 1)[8:], im.meta.highWater) }, "there are"},
		"child far past the end": {func(im *image) { native.PutUint64(im.element(im.branch, 1)[8:], 1<<63) }, "there are"},
		"children exchanged": {func(im *image) {
			native.PutUint64(im.element(im.branch, 1)[8:], im.leaves[2])
			native.PutUint64(im.element(im.branch, 2)[8:], im.leaves[1])
		}, "out of order"},
		"key outside its page":   {func(im *image) { native.PutUint32(im.element(im.leaves[1], 0)[8:], 1<<30) }, "outside its page"},
		"value outside its page": {func(im *image) { native.PutUint32(im.element(im.leaves[1], 0)[12:], 1<<31) }, "outside its page"},
		"key over the elements":  {func(im *image) { native.PutUint32(im.element(im.leaves[1], 0)[4:], 4) }, "outside its page"},
		"a bucket among records": {func(im *image) { native.PutUint32(im.element(im.leaves[1], 0), leafBucket) }, "not a record"},
		"empty key":              {func(im *image) { native.PutUint32(im.element(im.leaves[0], 0)[8:], 0) }, "not a record"},
		"elements exchanged": {func(im *image) {
			// the same two records, each found at the other's place
			a, b := im.element(im.full, 1), im.element(im.full, 2)
			one, two := bytes.Clone(a[:element]), bytes.Clone(b[:element])
			copy(a, two)
			copy(b, one)
			native.PutUint32(a[4:], native.Uint32(two[4:])+element)
			native.PutUint32(b[4:], native.Uint32(one[4:])-element)
		}, "out of order"},
		"element doubled": {func(im *image) {
			a, b := im.element(im.full, 1), im.element(im.full, 2)
			copy(b[:element], a)
			native.PutUint32(b[4:], native.Uint32(a[4:])-element)
		}, "out of order"},
		"root past the end":     {func(im *image) { native.PutUint64(im.newest()[16:], im.meta.highWater+1) }, "there are"},
		"more pages than bytes": {func(im *image) { native.PutUint64(im.newest()[40:], uint64(len(im.raw)/pageSize)+1) }, "pages in a file"},
		"no pages":              {func(im *image) { native.PutUint64(im.newest()[40:], 2) }, "pages in a file"},
		"a list of free pages":  {func(im *image) { native.PutUint64(im.newest()[32:], im.leaves[0]) }, "free pages"},
		"another page size":     {func(im *image) { native.PutUint32(im.newest()[8:], 8192) }, "pages of 8192"},
		"headed as a leaf":      {func(im *image) { native.PutUint16(im.at(0)[8:], flagLeaf) }, "not headed"},
	} {
		t.Run(name, func(t *testing.T) {
			im := imageOf(t, sound)
			im.seal()
			if _, err := checkPages(bytes.NewReader(im.raw), int64(len(im.raw))); err != nil {
				t.Fatalf("before: %v", err)
			}
			c.damage(im)
			im.seal()
			_, err := checkPages(bytes.NewReader(im.raw), int64(len(im.raw)))
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Fatalf("%v, want %s", err, c.why)
			}
		})
	}
}

// TestATreeHasABottom walks into a branch of a branch of a branch.
func TestATreeHasABottom(t *testing.T) {
	for depth, sound := range map[int]bool{1: true, maxDepth: true, maxDepth + 1: false, 5000: false} {
		im := &image{raw: make([]byte, (depth+4)*pageSize)}
		put := func(id int, flags uint16, child uint64, key string, value []byte) {
			at := im.at(uint64(id))
			native.PutUint64(at, uint64(id))
			native.PutUint16(at[8:], flags)
			native.PutUint16(at[10:], 1)
			e := at[pageHeader:]
			if flags == flagBranch {
				native.PutUint32(e, element)
				native.PutUint32(e[4:], uint32(len(key)))
				native.PutUint64(e[8:], child)
			} else {
				native.PutUint32(e, uint32(child)) // of a leaf: the flags
				native.PutUint32(e[4:], element)
				native.PutUint32(e[8:], uint32(len(key)))
				native.PutUint32(e[12:], uint32(len(value)))
			}
			copy(e[element:], key+string(value))
		}
		in := make([]byte, inBucket)
		native.PutUint64(in, 3)
		native.PutUint64(in[8:], 1)
		put(2, flagLeaf, leafBucket, bucket, in)
		for i := range depth {
			put(3+i, flagBranch, uint64(4+i), "k", nil)
		}
		value := blank([]byte("v"))
		stamp(value, "k", 1)
		put(3+depth, flagLeaf, 0, "k", value)
		for id := range uint64(2) {
			native.PutUint16(im.at(id)[8:], flagMeta)
			native.PutUint64(im.at(id), id)
			m := im.at(id)[pageHeader:]
			native.PutUint32(m, magic)
			native.PutUint32(m[4:], formatVersion)
			native.PutUint32(m[8:], pageSize)
			native.PutUint64(m[16:], 2)
			native.PutUint64(m[32:], noFreelist)
			native.PutUint64(m[40:], uint64(depth+4))
			native.PutUint64(m[48:], id)
		}
		im.seal()
		_, err := checkPages(bytes.NewReader(im.raw), int64(len(im.raw)))
		if sound != (err == nil) || err != nil && !strings.Contains(err.Error(), "deeper") {
			t.Errorf("%d branches deep: %v", depth, err)
		}
	}
}

// TestATornMetaPageIsPassedOver takes the other one, as bbolt does.
func TestATornMetaPageIsPassedOver(t *testing.T) {
	im := imageOf(t, sampleBytes(t))
	for id := range uint64(2) {
		whole := bytes.Clone(im.at(id)[:pageSize])
		im.at(id)[pageHeader+60] ^= 1 // its checksum
		m, err := newestMeta(bytes.NewReader(im.raw))
		if err != nil || m.txid%2 == id {
			t.Fatalf("meta page %d is torn and was taken: %+v, %v", id, m, err)
		}
		copy(im.at(id), whole)
	}
}

func TestTheNewestStateIsTaken(t *testing.T) {
	for n := range 4 { // of two meta pages each is the newer one in turn
		if report, err := Check(sample(t, n)); err != nil || report.Revision != int64(n) {
			t.Errorf("after %d writes: %+v, %v", n, report, err)
		}
	}
}

// TestAnImmensePageIsNotRead claims a page of almost 2 GB in a file that is
// large enough for it.
func TestAnImmensePageIsNotRead(t *testing.T) {
	im := imageOf(t, sampleBytes(t))
	const size = 2 << 30
	native.PutUint64(im.newest()[40:], size/pageSize)
	native.PutUint32(im.at(im.leaves[0])[12:], size/pageSize-1000)
	im.seal()
	_, err := checkPages(sparse(im.raw), size)
	if err == nil || !strings.Contains(err.Error(), "further pages") {
		t.Error(err)
	}
}

// sparse is a file that has zeros behind its bytes, without end.
type sparse []byte

func (s sparse) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	if at < int64(len(s)) {
		copy(p, s[at:])
	}
	return len(p), nil
}

func TestARecordIsBoundToKeyAndRevision(t *testing.T) {
	raw := blank([]byte("value"))
	stamp(raw, "key", 42)
	if r, err := record("key", raw); err != nil || r.Revision != 42 || string(r.Value) != "value" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := record("kez", raw); err == nil {
		t.Error("under another key")
	}
	for i := range raw {
		raw[i] ^= 0x10
		if _, err := record("key", raw); err == nil {
			t.Errorf("byte %d", i)
		}
		raw[i] ^= 0x10
	}
	if _, err := record("key", raw[:recordHeader-1]); err == nil {
		t.Error("too short")
	}
	stamp(raw, "key", 0)
	if _, err := record("key", raw); err == nil {
		t.Error("revision 0")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	h := newHistory(0, 64<<10)
	for revision := int64(1); revision <= 10_000; revision++ {
		h.add([]store.Batch{{Revision: revision, Events: []store.Event{{Record: store.Record{Key: "k", Value: make([]byte, 1000)}}}}})
	}
	if h.bytes > h.limit || len(h.batches) > 64 {
		t.Errorf("%d bytes, %d batches", h.bytes, len(h.batches))
	}
	if oldest, head := h.span(); head != 10_000 || oldest != head-int64(len(h.batches)) {
		t.Errorf("from %d to %d with %d batches", oldest, head, len(h.batches))
	}
	if _, ok := h.after(1, 10); ok {
		t.Error("forgotten changes were given out")
	}
}
