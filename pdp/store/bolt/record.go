package bolt

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/menshen-zt/menshen/pdp/store"
)

// A stored value is the revision, a CRC-32C over key, revision and value, and
// the value: bbolt checks the structure of its pages, not what is in them.
const recordHeader = 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("a record does not match its checksum")

// blank returns a stored value that still lacks revision and checksum.
func blank(value []byte) []byte {
	raw := make([]byte, recordHeader+len(value))
	copy(raw[recordHeader:], value)
	return raw
}

// stamp completes a blank.
func stamp(raw []byte, key string, revision int64) {
	binary.BigEndian.PutUint64(raw, uint64(revision)) // #nosec G115 -- revisions are positive
	binary.BigEndian.PutUint32(raw[8:], checksum(raw, key))
}

func checksum(raw []byte, key string) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(key))
	sum = crc32.Update(sum, castagnoli, raw[:8])
	return crc32.Update(sum, castagnoli, raw[recordHeader:])
}

// record reads a stored value; its Value lies in raw.
func record(key string, raw []byte) (store.Record, error) {
	if len(raw) < recordHeader || binary.BigEndian.Uint32(raw[8:]) != checksum(raw, key) {
		return store.Record{}, errRecord
	}
	revision := int64(binary.BigEndian.Uint64(raw)) // #nosec G115 -- checked below
	if revision < 1 {
		return store.Record{}, errRecord
	}
	return store.Record{Key: key, Value: raw[recordHeader:], Revision: revision}, nil
}
