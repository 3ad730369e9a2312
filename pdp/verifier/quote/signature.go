package quote

import "encoding/binary"

// Algorithm identifiers (part 2, 6.3) and the curve (6.4).
const (
	algSHA256 uint16 = 0x000b
	algNull   uint16 = 0x0010
	algECDSA  uint16 = 0x0018
	algECC    uint16 = 0x0023
	curveP256 uint16 = 0x0003
)

// scalarSize is the length of a P-256 scalar or coordinate.
const scalarSize = 32

// Signature is a TPMT_SIGNATURE of ECDSA with SHA-256.
type Signature struct{ R, S []byte }

// ParseSignature reads one TPMT_SIGNATURE that fills b, and refuses every
// algorithm but the pinned one before it looks at anything else.
func ParseSignature(b []byte) (Signature, error) {
	c := cursor{rest: b}
	if alg, hash := c.u16(), c.u16(); alg != algECDSA || hash != algSHA256 {
		return Signature{}, ErrAlgorithm
	}
	s := Signature{R: c.sized(scalarSize), S: c.sized(scalarSize)}
	if !c.end() || len(s.R) == 0 || len(s.S) == 0 {
		return Signature{}, ErrMalformed
	}
	return s, nil
}

// Marshal gives back the bytes that were parsed.
func (s Signature) Marshal() []byte {
	b := binary.BigEndian.AppendUint16(nil, algECDSA)
	b = binary.BigEndian.AppendUint16(b, algSHA256)
	return appendSized(appendSized(b, s.R), s.S)
}

// der writes the signature as X9.62 does, into buffer if it is large enough.
func (s Signature) der(buffer []byte) []byte {
	const sequence, integer = 0x30, 0x02
	r, t := positive(s.R), positive(s.S)
	content := 2 + r.size() + 2 + t.size()
	b := append(buffer[:0], sequence, byte(content), integer, byte(r.size())) // #nosec G115 -- at most 70
	b = r.append(b)
	b = append(b, integer, byte(t.size())) // #nosec G115 -- at most 33
	return t.append(b)
}

// magnitude is an unsigned number without leading zeros.
type magnitude []byte

func positive(b []byte) magnitude {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// padded says that DER needs a zero in front, or the number would be negative.
func (m magnitude) padded() bool { return m[0] >= 0x80 }

func (m magnitude) size() int {
	if m.padded() {
		return len(m) + 1
	}
	return len(m)
}

func (m magnitude) append(to []byte) []byte {
	if m.padded() {
		to = append(to, 0)
	}
	return append(to, m...)
}
