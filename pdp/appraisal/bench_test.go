package appraisal

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

func benchmarked(b *testing.B) *Appraiser {
	b.Helper()
	s, err := bolt.Open(filepath.Join(b.TempDir(), "store"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	a, err := New(b.Context(), Config{
		Store: s, Sealer: seal.New([32]byte{7}), Recorder: &log{}, Clock: time.Now, Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler), Verify: typical, Boots: &boots{}, Review: func(Reviewed) wire.Appraised { panic("nothing changed") },
	})
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// typical is the result of a healthy laptop with the claims of today's agent.
func typical(in Input) wire.Appraised {
	r := healthy(in)
	for _, id := range []wire.ClaimID{wire.ClaimOSRelease, wire.ClaimDiskEncryption, wire.ClaimFirewall, wire.ClaimSecureBoot} {
		r.Claims = append(r.Claims, wire.Claim{ID: id, State: wire.ClaimPass, Value: map[string]string{"id": "debian", "version_id": "12"}, MeasuredAt: in.Now, Source: "/etc/os-release"})
	}
	return r
}

// BenchmarkStanding is what each new decision costs here.
func BenchmarkStanding(b *testing.B) {
	a := benchmarked(b)
	a.change(laptop.ID, func(d *device, now time.Time) bool {
		d.result, d.seen = typical(Input{Now: now}).AttestationResult, now
		d.result.IssuedAt = now
		return false
	})
	b.ReportAllocs()
	for b.Loop() {
		if a.Standing(laptop.ID).Standing != wire.StandingFresh {
			b.Fatal("not fresh")
		}
	}
}

// BenchmarkPoll is what one long poll costs here, with its two timers.
func BenchmarkPoll(b *testing.B) {
	a := benchmarked(b)
	for i := range 100_000 {
		a.change(fmt.Sprint("dev-", i), func(d *device, now time.Time) bool { d.result.IssuedAt = now; return false })
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Connected(fmt.Sprint("dev-", i%100_000))()
	}
}

// BenchmarkAttest is an attestation without its verification: nonce, ticket,
// burning, keeping.
func BenchmarkAttest(b *testing.B) {
	a := benchmarked(b)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		dev := laptop
		dev.ID, _ = wire.NewID(wire.PrefixDevice, rand.Reader)
		for p.Next() {
			n, err := a.Nonce(b.Context(), dev, channelA)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := a.Attest(b.Context(), dev, channelA, wire.AttestRequest{Ticket: n.Ticket}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkState reports what one device's state takes of memory.
func BenchmarkState(b *testing.B) {
	const devices = 10_000
	for b.Loop() {
		a := benchmarked(b)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range devices {
			a.change(fmt.Sprint("dev-", i), func(d *device, now time.Time) bool {
				d.result = typical(Input{Now: now}).AttestationResult
				d.result.IssuedAt, d.clock = now, &d.result.Clock
				return false
			})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/devices, "B/device")
		runtime.KeepAlive(a)
	}
}
