package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
)

// twoBanks is the genuine log with SHA-1 digests too, and an algorithm that is
// not known here.
func twoBanks() *Log {
	l := logOf(genuine())
	l.Header.Algorithms = []Algorithm{{SHA1, 20}, {SHA256, 32}, {0x4242, 7}}
	l.Header.VendorInfo = []byte("vendor")
	for i := range l.Events {
		own := l.Events[i].Digests[0]
		l.Events[i].Digests = []Digest{{SHA1, make([]byte, 20)}, own, {0x4242, make([]byte, 7)}}
	}
	return l
}

func TestParse(t *testing.T) {
	legacy := &Log{Events: logOf(genuine()).Events}
	for i := range legacy.Events {
		legacy.Events[i].Digests = []Digest{{SHA1, make([]byte, 20)}}
	}
	windows := logOf(genuine())
	windows.Events = append(windows.Events, Event{PCR: 0xffffffff, Type: NoAction, Digests: []Digest{{SHA256, make([]byte, 32)}}})
	reordered := twoBanks()
	slices.Reverse(reordered.Events[3].Digests)
	for name, l := range map[string]*Log{
		"SHA-256": logOf(genuine()), "three banks": twoBanks(), "legacy": legacy, "no events": logOf(nil),
		"Windows's key": windows, "another order of digests": reordered,
	} {
		raw := l.Marshal()
		parsed, err := Parse(raw)
		if err != nil || !bytes.Equal(parsed.Marshal(), raw) || len(parsed.Events) != len(l.Events) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, problems := Read(twoBanks().Marshal(), quoted(twoBanks(), sha256Bank(), 0)); len(problems) > 0 {
		t.Errorf("other banks beside: %+v", problems)
	}
	if boot, problems := Read(legacy.Marshal(), quoted(logOf(genuine()), sha256Bank(), 0)); true {
		refused(t, "a legacy log", boot, problems, reason.EventLogNoBank)
	}
	other := twoBanks()
	other.Header.Algorithms[1] = Algorithm{sm3, 32}
	for i := range other.Events {
		other.Events[i].Digests[1].Algorithm = sm3
	}
	boot, problems := Read(other.Marshal(), quoted(logOf(genuine()), sha256Bank(), 0))
	refused(t, "no SHA-256 bank", boot, problems, reason.EventLogNoBank)
}

func TestParseRefuses(t *testing.T) {
	change := func(f func(l *Log)) []byte {
		l := twoBanks()
		f(l)
		return l.Marshal()
	}
	raw := twoBanks().Marshal()
	at := func(offset int, value byte) []byte {
		b := bytes.Clone(raw)
		b[offset] = value
		return b
	}
	// Where the parts of raw lie: the header event's own header, its data, and
	// the first event behind it.
	const headerPCR, headerDigest, headerSize, minor, major, count = 0, 8, 28, 32 + 20, 32 + 21, 32 + 24
	first := 32 + int(binary.LittleEndian.Uint32(raw[headerSize:]))
	size := func(offset int, value uint32) []byte {
		b := bytes.Clone(raw)
		binary.LittleEndian.PutUint32(b[offset:], value)
		return b
	}
	for name, c := range map[string]struct {
		raw []byte
		err error
	}{
		"one byte behind":           {append(bytes.Clone(raw), 0), ErrTruncated},
		"zeros behind":              {append(bytes.Clone(raw), make([]byte, 64)...), ErrDigests},
		"one byte missing":          {raw[:len(raw)-1], ErrTruncated},
		"header alone, cut":         {raw[:40], ErrTruncated},
		"header of PCR 1":           {at(headerPCR, 1), ErrHeader},
		"header with a digest":      {at(headerDigest, 1), ErrHeader},
		"header of minor version 1": {at(minor, 1), ErrHeader},
		"header of major version 1": {at(major, 1), ErrHeader},
		"header of no algorithms":   {at(count, 0), ErrHeader},
		"header of a fourth":        {at(count, 4), ErrHeader},
		"header of 2^24 algorithms": {at(count+3, 1), ErrHeader},
		"header too short":          {size(headerSize, uint32(first-33)), ErrHeader},
		"event size absurd":         {size(first+12+2+20+2+32+2+7, 0xffffffff), ErrTruncated},
		"two digests":               {size(first+8, 2), ErrDigests},
		"no digests":                {size(first+8, 0), ErrDigests},
		"digest count absurd":       {size(first+8, 0xffffffff), ErrDigests},
		"algorithm twice":           {change(func(l *Log) { l.Header.Algorithms[2] = Algorithm{SHA1, 20} }), ErrHeader},
		"SHA-256 of 20 bytes":       {change(func(l *Log) { l.Header.Algorithms[1].Size = 20 }), ErrHeader},
		"SHA-1 of 32 bytes":         {change(func(l *Log) { l.Header.Algorithms[0].Size = 32 }), ErrHeader},
		"algorithm of no size":      {change(func(l *Log) { l.Header.Algorithms[2].Size = 0 }), ErrHeader},
		"algorithm of 65 bytes":     {change(func(l *Log) { l.Header.Algorithms[2].Size = 65 }), ErrHeader},
		"17 algorithms": {change(func(l *Log) {
			for id := range uint16(14) {
				l.Header.Algorithms = append(l.Header.Algorithms, Algorithm{0x5000 + id, 1})
			}
			for i := range l.Events {
				for id := range uint16(14) {
					l.Events[i].Digests = append(l.Events[i].Digests, Digest{0x5000 + id, []byte{0}})
				}
			}
		}), ErrHeader},
		"digest twice":            {change(func(l *Log) { l.Events[5].Digests[1] = l.Events[5].Digests[0] }), ErrDigests},
		"digest the header lacks": {change(func(l *Log) { l.Events[5].Digests[2].Algorithm = 0x4243 }), ErrDigests},
		"digest of no size":       {change(func(l *Log) { l.Events[5].Digests[2] = Digest{0x4243, nil} }), ErrDigests},
		"no algorithms": {change(func(l *Log) {
			l.Header.Algorithms = nil
			for i := range l.Events {
				l.Events[i].Digests = nil
			}
		}), ErrHeader},
		"bytes behind the header":     {slices.Insert(size(headerSize, uint32(first-31)), first, 0), ErrHeader},
		"digest of SHA-256 left out":  {change(func(l *Log) { l.Events[5].Digests = l.Events[5].Digests[:1] }), ErrDigests},
		"PCR 24":                      {change(func(l *Log) { l.Events[5].PCR = 24 }), ErrPCR},
		"4,097 events":                {many(MaxEvents + 1).Marshal(), ErrTooLarge},
		"10,000 events":               {many(10_000).Marshal(), ErrTooLarge},
		"4,097 events, legacy format": {legacyOf(MaxEvents + 1), ErrTooLarge},
		"a megabyte":                  {garbage(1 << 20), ErrTooLarge},
		"garbage within the bounds":   {garbage(MaxBytes), ErrTruncated},
		"nothing":                     {nil, ErrTruncated},
	} {
		l, err := Parse(c.raw)
		if !errors.Is(err, c.err) || l != nil {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
		code := reason.EventLogMalformed
		switch {
		case len(c.raw) == 0:
			code = reason.EventLogAbsent
		case errors.Is(c.err, ErrTooLarge):
			code = reason.EventLogTooLarge
		}
		boot, problems := Read(c.raw, quoted(twoBanks(), sha256Bank(), 0))
		refused(t, name, boot, problems, code)
	}
	for length := range raw {
		if _, err := Parse(raw[:length]); err == nil && !atEvent(raw, length) {
			t.Fatalf("cut after %d bytes it is a log", length)
		}
	}
	if _, err := Parse(many(MaxEvents).Marshal()); err != nil {
		t.Errorf("as many events as may be: %v", err)
	}
}

// atEvent reports whether a log ends between two events after length bytes.
func atEvent(raw []byte, length int) bool {
	l, err := Parse(raw)
	if err != nil {
		return false
	}
	for n := range l.Events {
		if len((&Log{Header: l.Header, Events: l.Events[:n]}).Marshal()) == length {
			return true
		}
	}
	return false
}

// many is a log of n events, none larger than it must be.
func many(n int) *Log {
	steps := make([]step, n)
	for i := range steps {
		steps[i] = step{1, PostCode, nil, nil}
	}
	return logOf(steps)
}

func legacyOf(n int) []byte {
	l := &Log{}
	for range n {
		l.Events = append(l.Events, Event{PCR: 1, Type: PostCode, Digests: []Digest{{SHA1, make([]byte, 20)}}})
	}
	return l.Marshal()
}

func garbage(n int) []byte {
	source := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	if _, err := source.Read(b); err != nil {
		panic(err)
	}
	return b
}
