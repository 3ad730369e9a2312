package quote

import (
	"encoding/binary"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Values of TPMS_ATTEST's fixed fields (part 2, 6.2 and 6.9).
const (
	generated   uint32 = 0xff544347 // TPM_GENERATED_VALUE
	typeQuote   uint16 = 0x8018     // TPM_ST_ATTEST_QUOTE
	typeCertify uint16 = 0x8017     // TPM_ST_ATTEST_CERTIFY
)

// Bounds of TPMS_ATTEST's parts (part 2, 10.5.3, 10.4.3, 10.6.1, 10.9.7): SHA-512
// is the largest hash.
const (
	maxName      = 2 + 64
	maxData      = 2 + 64
	maxDigest    = 64
	maxBanks     = 16
	maxPCRSelect = 4
)

// Attest is a TPMS_ATTEST of one of the two types that this product asks for.
// Its slices lie in the bytes that were parsed.
type Attest struct {
	Type            uint16
	QualifiedSigner []byte
	ExtraData       []byte
	Clock           wire.TPMClock

	// Selections and PCRDigest are a quote's.
	Selections []Selection
	PCRDigest  []byte

	// Name and QualifiedName are a certification's: those of the certified key.
	Name          []byte
	QualifiedName []byte
}

// Selection is a TPMS_PCR_SELECTION: bit i%8 of byte i/8 selects PCR i.
type Selection struct {
	Hash uint16
	PCRs []byte
}

// ParseAttest reads one TPMS_ATTEST that fills b.
func ParseAttest(b []byte) (Attest, error) {
	c := cursor{rest: b}
	if c.u32() != generated {
		return Attest{}, ErrMagic
	}
	a := Attest{Type: c.u16(), QualifiedSigner: c.sized(maxName), ExtraData: c.sized(maxData)}
	a.Clock = wire.TPMClock{
		Clock: c.u64(), ResetCount: c.u32(), RestartCount: c.u32(), Safe: c.yesNo(),
		FirmwareVersion: c.u64(),
	}
	switch a.Type {
	case typeQuote:
		a.Selections = selections(&c)
		a.PCRDigest = c.sized(maxDigest)
	case typeCertify:
		a.Name = c.sized(maxName)
		a.QualifiedName = c.sized(maxName)
	default:
		return Attest{}, ErrType
	}
	if !c.end() {
		return Attest{}, ErrMalformed
	}
	return a, nil
}

func selections(c *cursor) []Selection {
	count := c.u32()
	if count > maxBanks {
		c.bad = true
		return nil
	}
	all := make([]Selection, count)
	for i := range all {
		all[i].Hash = c.u16()
		size := int(c.u8())
		if size > maxPCRSelect {
			c.bad = true
		}
		all[i].PCRs = c.take(size)
	}
	return all
}

// Marshal gives back the bytes that were parsed.
func (a *Attest) Marshal() []byte {
	b := binary.BigEndian.AppendUint32(nil, generated)
	b = binary.BigEndian.AppendUint16(b, a.Type)
	b = appendSized(b, a.QualifiedSigner)
	b = appendSized(b, a.ExtraData)
	b = binary.BigEndian.AppendUint64(b, a.Clock.Clock)
	b = binary.BigEndian.AppendUint32(b, a.Clock.ResetCount)
	b = binary.BigEndian.AppendUint32(b, a.Clock.RestartCount)
	safe := byte(0)
	if a.Clock.Safe {
		safe = 1
	}
	b = append(b, safe)
	b = binary.BigEndian.AppendUint64(b, a.Clock.FirmwareVersion)
	if a.Type == typeCertify {
		return appendSized(appendSized(b, a.Name), a.QualifiedName)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(a.Selections))) // #nosec G115 -- at most maxBanks
	for _, s := range a.Selections {
		b = binary.BigEndian.AppendUint16(b, s.Hash)
		b = append(b, byte(len(s.PCRs))) // #nosec G115 -- at most maxPCRSelect
		b = append(b, s.PCRs...)
	}
	return appendSized(b, a.PCRDigest)
}
