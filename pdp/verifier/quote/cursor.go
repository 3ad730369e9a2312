package quote

import "encoding/binary"

// cursor reads big-endian TPM structures. Reading past the end, or a buffer
// longer than its bound, spoils it for good; the caller looks at bad once.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return nil
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// sized reads a TPM2B of at most limit bytes.
func (c *cursor) sized(limit int) []byte {
	n := int(c.u16())
	if n > limit {
		c.bad = true
		return nil
	}
	return c.take(n)
}

// yesNo reads a TPMI_YES_NO: 0 or 1 and nothing else (part 2, 9.2).
func (c *cursor) yesNo() bool {
	v := c.u8()
	if v > 1 {
		c.bad = true
	}
	return v == 1
}

// end reports whether everything was read and nothing went wrong.
func (c *cursor) end() bool { return !c.bad && len(c.rest) == 0 }

func appendSized(to, b []byte) []byte {
	// Every buffer was bounded by sized, far below 64 KiB.
	to = binary.BigEndian.AppendUint16(to, uint16(len(b))) // #nosec G115 -- see above
	return append(to, b...)
}
