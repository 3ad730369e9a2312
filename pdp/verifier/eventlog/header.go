package eventlog

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Algorithm identifiers (TCG Algorithm Registry 1.34, table 3).
const (
	SHA1   uint16 = 0x0004
	SHA256 uint16 = 0x000b
	sha384 uint16 = 0x000c
	sha512 uint16 = 0x000d
	sm3    uint16 = 0x0012
)

// specIDSignature begins the data of the event that says that a log is
// crypto-agile (PC Client Platform Firmware Profile 1.06, 10.4.5.1).
const specIDSignature = "Spec ID Event03\x00"

// Bounds of the header: TPMs have far fewer banks, and no hash is larger than
// 64 bytes.
const (
	maxAlgorithms = 16
	maxDigest     = 64
)

// SpecID is the header of a crypto-agile log, a TCG_EfiSpecIDEvent.
type SpecID struct {
	PlatformClass uint32
	Minor, Major  uint8
	Errata        uint8
	UintnSize     uint8
	Algorithms    []Algorithm
	VendorInfo    []byte
}

// Algorithm is one of the hash algorithms that each event has a digest of.
type Algorithm struct {
	ID   uint16
	Size uint16 // bytes
}

// knownSize returns an algorithm's digest size in bytes, 0 if it is not known
// here.
func knownSize(id uint16) uint16 {
	switch id {
	case SHA1:
		return 20
	case SHA256, sm3:
		return 32
	case sha384:
		return 48
	case sha512:
		return 64
	}
	return 0
}

// parseSpecID reads the Spec ID event's data. An algorithm that is not known
// here is kept, for its digests can be passed over; one named twice, or of
// another size than its own, is refused.
func parseSpecID(data []byte) (*SpecID, bool) {
	c := cursor{rest: data}
	c.take(uint64(len(specIDSignature)))
	h := &SpecID{PlatformClass: c.u32(), Minor: c.u8(), Major: c.u8(), Errata: c.u8(), UintnSize: c.u8()}
	count := c.u32()
	if h.Major != 2 || h.Minor != 0 || count == 0 || count > maxAlgorithms {
		return nil, false
	}
	for range count {
		a := Algorithm{ID: c.u16(), Size: c.u16()}
		known := knownSize(a.ID)
		if a.Size == 0 || a.Size > maxDigest || known != 0 && known != a.Size || h.size(a.ID) != 0 {
			return nil, false
		}
		h.Algorithms = append(h.Algorithms, a)
	}
	h.VendorInfo = c.take(uint64(c.u8()))
	return h, c.end()
}

// size returns the size of an algorithm's digests, 0 if the header does not
// name it.
func (h *SpecID) size(id uint16) uint16 {
	i := slices.IndexFunc(h.Algorithms, func(a Algorithm) bool { return a.ID == id })
	if i < 0 {
		return 0
	}
	return h.Algorithms[i].Size
}

func (h *SpecID) marshal() []byte {
	b := append([]byte(specIDSignature), 0, 0, 0, 0, h.Minor, h.Major, h.Errata, h.UintnSize)
	binary.LittleEndian.PutUint32(b[len(specIDSignature):], h.PlatformClass)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h.Algorithms))) // #nosec G115 -- at most maxAlgorithms
	for _, a := range h.Algorithms {
		b = binary.LittleEndian.AppendUint16(b, a.ID)
		b = binary.LittleEndian.AppendUint16(b, a.Size)
	}
	b = append(b, byte(len(h.VendorInfo))) // #nosec G115 -- its length was read from one byte
	return append(b, h.VendorInfo...)
}

// isSpecID reports whether a log's first event makes it a crypto-agile one.
func isSpecID(e Event) bool {
	return e.Type == NoAction && bytes.HasPrefix(e.Data, []byte(specIDSignature))
}
