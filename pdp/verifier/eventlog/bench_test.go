package eventlog

import (
	"bytes"
	"testing"
)

// BenchmarkRead stands beside its floor: the digests that a replay and the
// checks of data cannot do without, over a public log of 34 KB.
func BenchmarkRead(b *testing.B) {
	var s sample
	for _, public := range publicLogs(b) {
		if public.name == "rhel8-uefi.bin" {
			s = public
		}
	}
	l, err := Parse(s.raw)
	if err != nil {
		b.Fatal(err)
	}
	bank := s.bank
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bank.sum(s.raw)
			value := make([]byte, bank.size)
			for i := range l.Events {
				bank.extend(value, l.Events[i].Digest(SHA256))
				bank.is(value, l.Events[i].Data)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(s.raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(s.raw)))
		for b.Loop() {
			if boot, problems := Read(s.raw, s.pcrs); len(problems) > 0 || len(boot.PCRDigest) == 0 {
				b.Fatalf("%+v", problems)
			}
		}
	})
	// The worst that the bounds let in: as many events and bytes as may be.
	worst := many(MaxEvents)
	worst.Events[0].Data = bytes.Repeat([]byte("a"), MaxBytes-len(worst.Marshal()))
	raw := worst.Marshal()
	pcrs := quoted(worst, bank, 0)
	b.Run("largest", func(b *testing.B) {
		for b.Loop() {
			Read(raw, pcrs)
		}
	})
}
