package eventlog

import (
	"bytes"
	"encoding/binary"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of a log. The largest of the public logs has 158 events and 72 KB.
const (
	MaxBytes  = wire.MaxEventLogBytes
	MaxEvents = 4096
)

// maxPCR is the last PCR of a PC's TPM (PC Client Platform TPM Profile 1.05,
// 4.6.1).
const maxPCR = 23

// Log is one event log. Its slices lie in the bytes that were parsed.
type Log struct {
	// Header is nil where the log has the legacy SHA-1 format.
	Header *SpecID
	// Events are all but the header, in their order.
	Events []Event
}

// Event is one event: a TCG_PCR_EVENT2, or a TCG_PCR_EVENT of a legacy log,
// whose one digest is SHA-1. Nothing of it is authenticated but the digest, and
// that by a quote alone.
type Event struct {
	PCR     uint32
	Type    uint32
	Digests []Digest
	Data    []byte
}

// Digest is what an event extended in the bank of one algorithm.
type Digest struct {
	Algorithm uint16
	Value     []byte
}

// Digest returns the event's digest of an algorithm, nil if it has none.
func (e *Event) Digest(algorithm uint16) []byte {
	for i := range e.Digests {
		if e.Digests[i].Algorithm == algorithm {
			return e.Digests[i].Value
		}
	}
	return nil
}

// Parse reads one log that fills raw, in the crypto-agile or the legacy format
// (PC Client Platform Firmware Profile 1.06, 10.2). It wraps one of this
// package's errors.
func Parse(raw []byte) (*Log, error) {
	if len(raw) > MaxBytes {
		return nil, ErrTooLarge
	}
	c := cursor{rest: raw}
	first, err := legacyEvent(&c)
	if err != nil {
		return nil, err
	}
	if !isSpecID(first) {
		return parseLegacy(&c, first)
	}
	zero := [20]byte{}
	header, ok := parseSpecID(first.Data)
	if !ok || first.PCR != 0 || !bytes.Equal(first.Digests[0].Value, zero[:]) {
		return nil, ErrHeader
	}
	return parseAgile(&c, header)
}

func parseLegacy(c *cursor, first Event) (*Log, error) {
	l := &Log{Events: []Event{first}}
	for len(c.rest) > 0 {
		e, err := legacyEvent(c)
		if err != nil {
			return nil, err
		}
		if len(l.Events) == MaxEvents {
			return nil, ErrTooLarge
		}
		l.Events = append(l.Events, e)
	}
	return l, nil
}

func legacyEvent(c *cursor) (Event, error) {
	e := Event{PCR: c.u32(), Type: c.u32(), Digests: []Digest{{SHA1, c.take(20)}}}
	e.Data = c.take(uint64(c.u32()))
	return e, e.check(c)
}

func parseAgile(c *cursor, header *SpecID) (*Log, error) {
	l := &Log{Header: header}
	for len(c.rest) > 0 {
		if len(l.Events) == MaxEvents {
			return nil, ErrTooLarge
		}
		e, err := agileEvent(c, header)
		if err != nil {
			return nil, err
		}
		l.Events = append(l.Events, e)
	}
	return l, nil
}

// agileEvent reads one event that has each of the header's algorithms once
// (10.2.2). The algorithms' order is the event's own.
func agileEvent(c *cursor, header *SpecID) (Event, error) {
	e := Event{PCR: c.u32(), Type: c.u32()}
	count := c.u32()
	if c.bad {
		return e, ErrTruncated
	}
	if uint64(count) != uint64(len(header.Algorithms)) {
		return e, ErrDigests
	}
	e.Digests = make([]Digest, 0, count)
	for range count {
		id := c.u16()
		size := header.size(id)
		if !c.bad && (size == 0 || e.Digest(id) != nil) {
			return e, ErrDigests
		}
		e.Digests = append(e.Digests, Digest{id, c.take(uint64(size))})
	}
	e.Data = c.take(uint64(c.u32()))
	return e, e.check(c)
}

func (e *Event) check(c *cursor) error {
	switch {
	case c.bad:
		return ErrTruncated
	case e.PCR > maxPCR && e.Type != NoAction: // Windows logs its keys under PCR 0xffffffff
		return ErrPCR
	}
	return nil
}

// Marshal gives back the bytes that were parsed.
func (l *Log) Marshal() []byte {
	var b []byte
	if l.Header != nil {
		data := l.Header.marshal()
		b = appendU32(b, 0, NoAction)
		b = append(b, make([]byte, 20)...)
		b = append(appendU32(b, uint32(len(data))), data...) // #nosec G115 -- at most some hundred bytes
	}
	for i := range l.Events {
		b = l.Events[i].marshal(b, l.Header != nil)
	}
	return b
}

func (e *Event) marshal(b []byte, agile bool) []byte {
	b = appendU32(b, e.PCR, e.Type)
	if agile {
		b = appendU32(b, uint32(len(e.Digests))) // #nosec G115 -- at most maxAlgorithms
	}
	for _, d := range e.Digests {
		if agile {
			b = binary.LittleEndian.AppendUint16(b, d.Algorithm)
		}
		b = append(b, d.Value...)
	}
	return append(appendU32(b, uint32(len(e.Data))), e.Data...) // #nosec G115 -- at most MaxBytes
}

func appendU32(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}
