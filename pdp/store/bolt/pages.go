package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt's file format, version 2, as far as a reader must know it: pages of
// 4,096 bytes in the host's byte order, two meta pages, then B+ trees of branch
// and leaf pages. A page of more than 4,096 bytes has an overflow count.
const (
	magic         = 0xED0CDAED
	formatVersion = 2

	pageHeader = 16 // id, flags, count, overflow
	element    = 16 // of a branch: pos, ksize, pgid; of a leaf: flags, pos, ksize, vsize
	metaSize   = 64
	inBucket   = 16 // root, sequence

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	leafBucket = 0x01

	noFreelist = ^uint64(0)

	// maxOverflow bounds one page's memory: two keys of the largest size each
	// need far less.
	maxOverflow = 8 << 20 / pageSize
	maxDepth    = 32
)

var native = binary.NativeEndian

// meta is what a meta page says.
type meta struct {
	root, sequence uint64 // of the root bucket
	freelist       uint64
	highWater      uint64 // the first page that was never used
	txid           uint64
}

// errMeta says that bbolt itself would pass over a meta page, as it does over
// one that a crash has torn.
var errMeta = errors.New("no meta page")

// readMeta reads the meta page id. It is errMeta exactly where bbolt takes the
// other one instead, so that both look at the same state.
func readMeta(r io.ReaderAt, id uint64) (meta, error) {
	var raw [pageHeader + metaSize]byte
	if _, err := r.ReadAt(raw[:], int64(id)*pageSize); err != nil { // #nosec G115 -- 0 or 1
		return meta{}, damaged(id, "unreadable: %v", err)
	}
	m := raw[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(m[:56]) // a hash never fails
	switch {
	case native.Uint32(m) != magic, native.Uint32(m[4:]) != formatVersion, native.Uint64(m[56:]) != sum.Sum64():
		return meta{}, errMeta
	case native.Uint64(raw[:]) != id, native.Uint16(raw[8:]) != flagMeta:
		return meta{}, damaged(id, "not headed as a meta page")
	case native.Uint32(m[8:]) != pageSize:
		return meta{}, damaged(id, "pages of %d bytes", native.Uint32(m[8:]))
	}
	return meta{
		root:      native.Uint64(m[16:]),
		sequence:  native.Uint64(m[24:]),
		freelist:  native.Uint64(m[32:]),
		highWater: native.Uint64(m[40:]),
		txid:      native.Uint64(m[48:]),
	}, nil
}

// page is one branch, leaf or freelist page with its overflow.
type page struct {
	id    uint64
	flags uint16
	count int
	raw   []byte
}

// item is one element of a branch (child) or a leaf (flags, value).
type item struct {
	key   []byte
	child uint64
	flags uint32
	value []byte
}

func parsePage(id uint64, raw []byte) (page, error) {
	p := page{id: id, flags: native.Uint16(raw[8:]), count: int(native.Uint16(raw[10:])), raw: raw}
	if native.Uint64(raw) != id {
		return page{}, damaged(id, "calls itself page %d", native.Uint64(raw))
	}
	if p.flags != flagFreelist && pageHeader+p.count*element > len(raw) {
		return page{}, damaged(id, "%d elements do not fit", p.count)
	}
	return p, nil
}

func (p page) item(i int) (item, error) {
	at := pageHeader + i*element
	e := p.raw[at : at+element]
	var it item
	var pos, ksize, vsize uint32
	if p.flags == flagBranch {
		pos, ksize = native.Uint32(e), native.Uint32(e[4:])
		it.child = native.Uint64(e[8:])
	} else {
		it.flags, pos = native.Uint32(e), native.Uint32(e[4:])
		ksize, vsize = native.Uint32(e[8:]), native.Uint32(e[12:])
	}
	from := uint64(at) + uint64(pos) // #nosec G115 -- within the page
	keyEnd := from + uint64(ksize)
	end := keyEnd + uint64(vsize)
	if from < uint64(pageHeader+p.count*element) || end > uint64(len(p.raw)) { // #nosec G115 -- positive
		return item{}, damaged(p.id, "element %d lies outside its page", i)
	}
	it.key, it.value = p.raw[from:keyEnd], p.raw[keyEnd:end]
	return it, nil
}

func damaged(page uint64, format string, args ...any) error {
	return &DamagedError{Page: page, Why: fmt.Sprintf(format, args...)}
}
