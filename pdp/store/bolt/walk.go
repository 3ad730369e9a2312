package bolt

import (
	"bytes"
	"errors"
	"io"
	"math"

	"github.com/menshen-zt/menshen/pdp/store"
)

// walker visits every page that the newest valid meta page leads to.
type walker struct {
	r      io.ReaderAt
	meta   meta
	seen   []bool // by page
	report Report
}

// checkPages finds in r, size bytes long, everything that bbolt's own opening
// would fault or panic on, and every record that is not what was written.
func checkPages(r io.ReaderAt, size int64) (Report, error) {
	m, err := newestMeta(r)
	if err != nil {
		return Report{}, err
	}
	if m.highWater < 3 || m.highWater > uint64(size)/pageSize { // #nosec G115 -- a size
		return Report{}, damaged(0, "%d pages in a file of %d bytes", m.highWater, size)
	}
	w := &walker{r: r, meta: m, seen: make([]bool, m.highWater)}
	w.seen[0], w.seen[1] = true, true
	if err := w.freelist(); err != nil {
		return Report{}, err
	}
	if err := w.root(); err != nil {
		return Report{}, err
	}
	return w.report, nil
}

// newestMeta chooses as bbolt does: the higher transaction if it is valid, else
// the other. One that is not valid is what a crash while writing it leaves.
func newestMeta(r io.ReaderAt) (meta, error) {
	m0, err0 := readMeta(r, 0)
	m1, err1 := readMeta(r, 1)
	torn0, torn1 := errors.Is(err0, errMeta), errors.Is(err1, errMeta)
	switch {
	case torn0 && torn1:
		return meta{}, damaged(0, "no meta page is whole: not a store, or cut")
	case err0 != nil && !torn0:
		return meta{}, err0
	case err1 != nil && !torn1:
		return meta{}, err1
	case torn0 || !torn1 && m1.txid > m0.txid:
		return m1, nil
	default:
		return m0, nil
	}
}

// freelist checks the list of free pages where one is stored: bbolt writes one
// into a new file only, as this store builds the list anew at each opening.
func (w *walker) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	p, err := w.page(w.meta.freelist)
	if err != nil {
		return err
	}
	if p.flags != flagFreelist || p.count != 0 {
		return damaged(p.id, "not an empty list of free pages")
	}
	return nil
}

// root checks the root bucket, which holds the bucket of records alone.
func (w *walker) root() error {
	p, err := w.page(w.meta.root)
	if err != nil {
		return err
	}
	if p.flags != flagLeaf || p.count != 1 {
		return damaged(p.id, "not the root of a store")
	}
	it, err := p.item(0)
	if err != nil {
		return err
	}
	if string(it.key) != bucket || it.flags != leafBucket || len(it.value) < inBucket {
		return damaged(p.id, "holds %.40q instead of %q", it.key, bucket)
	}
	root, sequence := native.Uint64(it.value), native.Uint64(it.value[8:])
	if sequence > math.MaxInt64 {
		return damaged(p.id, "revision %d", sequence)
	}
	w.report.Revision = int64(sequence)
	if root != 0 {
		_, err := w.tree(root, nil, 0)
		return err
	}
	if len(it.value) < inBucket+pageHeader {
		return damaged(p.id, "an inline bucket of %d bytes", len(it.value))
	}
	inline, err := parsePage(0, it.value[inBucket:])
	if err == nil && inline.flags != flagLeaf {
		err = damaged(p.id, "an inline bucket that is not a leaf")
	}
	if err == nil {
		_, err = w.leaf(inline, nil)
	}
	return err
}

// page reads a page with its overflow and marks it as used.
func (w *walker) page(id uint64) (page, error) {
	if id < 2 || id >= w.meta.highWater {
		return page{}, damaged(id, "there are %d pages", w.meta.highWater)
	}
	var header [pageHeader]byte
	at := int64(id) * pageSize // #nosec G115 -- below the file's size
	if _, err := w.r.ReadAt(header[:], at); err != nil {
		return page{}, damaged(id, "unreadable: %v", err)
	}
	overflow := uint64(native.Uint32(header[12:]))
	if overflow > maxOverflow || id+overflow >= w.meta.highWater {
		return page{}, damaged(id, "%d further pages", overflow)
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i] {
			return page{}, damaged(i, "used twice")
		}
		w.seen[i] = true
	}
	raw := make([]byte, (overflow+1)*pageSize)
	if _, err := w.r.ReadAt(raw, at); err != nil {
		return page{}, damaged(id, "unreadable: %v", err)
	}
	return parsePage(id, raw)
}

// tree checks the tree under id, whose keys must not lie below floor (nil: any),
// and returns its greatest key: whatever comes after it must be greater still.
func (w *walker) tree(id uint64, floor []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, damaged(id, "deeper than %d pages", maxDepth)
	}
	p, err := w.page(id)
	if err != nil {
		return nil, err
	}
	switch {
	case p.flags == flagLeaf:
		return w.leaf(p, floor)
	case p.flags == flagBranch && p.count > 0:
		return w.branch(p, floor, depth)
	default:
		return nil, damaged(id, "neither branch nor leaf")
	}
}

func (w *walker) branch(p page, floor []byte, depth int) ([]byte, error) {
	greatest := floor
	for i := range p.count {
		it, err := p.item(i)
		if err != nil {
			return nil, err
		}
		if !inOrder(i, greatest, it.key) {
			return nil, damaged(p.id, "keys out of order at element %d", i)
		}
		if greatest, err = w.tree(it.child, it.key, depth+1); err != nil {
			return nil, err
		}
	}
	return greatest, nil
}

func (w *walker) leaf(p page, floor []byte) ([]byte, error) {
	greatest := floor
	for i := range p.count {
		it, err := p.item(i)
		if err != nil {
			return nil, err
		}
		if it.flags != 0 || store.CheckKey(string(it.key)) != nil {
			return nil, damaged(p.id, "element %d is not a record", i)
		}
		if !inOrder(i, greatest, it.key) {
			return nil, damaged(p.id, "keys out of order at element %d", i)
		}
		found, err := record(string(it.key), it.value)
		if err != nil || found.Revision > w.report.Revision {
			return nil, damaged(p.id, "the record at %q does not match its checksum or is newer than the store", it.key)
		}
		w.report.Records++
		greatest = it.key
	}
	return greatest, nil
}

// inOrder reports whether key may be element i after the key before it: the
// first may equal what its parent calls it, every other must be greater.
func inOrder(i int, before, key []byte) bool {
	order := bytes.Compare(before, key)
	return before == nil || order < 0 || i == 0 && order == 0
}
