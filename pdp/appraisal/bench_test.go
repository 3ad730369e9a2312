package appraisal

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
	"unique"

	"github.com/menshen-zt/menshen/internal/reason"
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

// laptopOf is the n-th laptop of a fleet: four systems, a few states of repair,
// and words of its own about its disk, its people and its antivirus.
func laptopOf(n int, in Input) wire.AttestationResult {
	r := healthy(in).AttestationResult
	r.Vector.Executables, r.Vector.Configuration = wire.Affirming, wire.Warning
	pick := func(of ...string) string { return of[n%len(of)] }
	for _, c := range []wire.Claim{
		{ID: wire.ClaimOSRelease, Source: "/etc/os-release", Value: map[string]string{
			"id": pick("debian", "ubuntu"), "version_id": pick("12", "24.04", "13", "22.04"), "id_like": "debian", "name": pick("Debian GNU/Linux 12", "Ubuntu 24.04.3 LTS", "Debian GNU/Linux 13", "Ubuntu 22.04.5 LTS"),
		}},
		{ID: wire.ClaimOSUpdates, Source: "package database", Value: map[string]string{"security": fmt.Sprint(n % 7), "kernel": fmt.Sprint("6.12.", n%20, "-amd64")}},
		{ID: wire.ClaimAutoUpdates, Source: "apt-config", Value: map[string]string{"lists": "1", "unattended_upgrade": "1"}},
		{ID: wire.ClaimDiskEncryption, Source: "sysfs", Value: map[string]string{"/": fmt.Sprintf("LT-%05d--vg-root > luks-%08x-1f0a-4c11-9d7e-%012x > nvme0n1p3 > nvme0n1", n, n*2654435761, n)}},
		{ID: wire.ClaimFirewall, Source: "nftables", Value: map[string]string{"backend": "nftables", "input_chains": fmt.Sprint(1 + n%4)}},
		{ID: wire.ClaimSecureBoot, Source: "EFI variables", Value: map[string]string{"secure_boot": "1", "setup_mode": "0"}},
		{ID: wire.ClaimKernelLockdown, Source: "securityfs", Value: map[string]string{"mode": "integrity"}},
		{ID: wire.ClaimScreenLock, Source: "desktop sessions", Value: map[string]string{"within": "10m0s", fmt.Sprint("user ", 1000+n%3): "GNOME locks after 5m0s"}},
		{ID: wire.ClaimAntivirus, Source: "clamav", Value: map[string]string{"product": "clamav-daemon.service", "signatures": in.Now.Add(-time.Duration(n) * time.Second).UTC().Format(time.RFC3339)}},
		{ID: wire.ClaimTimeSync, Source: "timedated"},
		{ID: wire.ClaimAdministrators, Source: "groups of administrators", Value: map[string]string{"count": "2", "names": fmt.Sprint("root person", n)}},
		{ID: wire.ClaimUSBStorage, Source: "modprobe", Value: map[string]string{"usb_storage": "loadable", "uas": "loadable"}},
		{ID: wire.ClaimBaseline, Source: "configuration baselines", TWGCB: "TWGCB-01-014", Baseline: "1.2", Value: map[string]string{"pass": fmt.Sprint(50 + n%12), "fail": fmt.Sprint(12 - n%12)}},
		{ID: wire.ClaimVulnerabilities, Source: "vulnerability feed", Value: map[string]string{"known": fmt.Sprint(n % 5)}},
	} {
		c.State, c.MeasuredAt = wire.ClaimPass, in.Now
		r.Claims = append(r.Claims, c)
	}
	r.Findings = []wire.Finding{
		{Type: wire.FindingFailing, Claim: wire.ClaimUSBStorage, Expected: "pass", Seen: "usb_storage is loaded when a device is plugged in", Note: true,
			Reason: wire.Reason{Code: reason.USBStorageOpen, Args: map[string]string{"supported": "pass", "seen": "usb_storage is loaded when a device is plugged in"}}},
		{Type: wire.FindingFailing, Claim: wire.ClaimBaseline, Expected: "90 %", Seen: fmt.Sprint(50+n%12, "/62"), Note: true,
			Reason: wire.Reason{Code: reason.BaselineFailing, Args: map[string]string{"baseline": "TWGCB-01-014", "count": fmt.Sprint(12 - n%12)}}},
		{Type: wire.FindingFailing, Claim: wire.ClaimOSUpdates, Expected: "pass", Seen: fmt.Sprint(n%7, " pending"),
			Reason: wire.Reason{Code: reason.UpdatesPending, Args: map[string]string{"seen": fmt.Sprint(n%7, " pending")}}},
		{Type: wire.FindingUnsupported, Note: true, Seen: fmt.Sprint(n % 40), Reason: wire.Reason{Code: reason.IMAUnmeasured, Args: map[string]string{"seen": fmt.Sprint(n % 40)}}},
	}
	return r
}

func typical(in Input) wire.Appraised { return wire.Appraised{AttestationResult: laptopOf(0, in)} }

// BenchmarkStanding is what each new decision costs here.
func BenchmarkStanding(b *testing.B) {
	a := benchmarked(b)
	a.change(laptop.ID, func(d *device, now time.Time) bool {
		r := laptopOf(0, Input{Now: now})
		r.IssuedAt = now
		d.result, d.seen = pack(r), now
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
		a.change(fmt.Sprint("dev-", i), func(d *device, now time.Time) bool { d.result.issuedAt = now; return false })
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

// BenchmarkState reports what one device's state takes of memory (design: 2 KB)
// as a restart loads it, and which share of claims and findings is another
// device's too.
func BenchmarkState(b *testing.B) {
	const devices = 10_000
	for b.Loop() {
		a := benchmarked(b)
		now := a.Clock()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range devices {
			r := laptopOf(i, Input{Now: now})
			r.IssuedAt, r.ValidUntil = now, now.Add(a.validFor())
			raw, err := json.Marshal(judged{Result: r, Clock: new(r.Clock), Rests: [32]byte{1}})
			if err != nil {
				b.Fatal(err)
			}
			var j judged
			if err := json.Unmarshal(raw, &j); err != nil {
				b.Fatal(err)
			}
			id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			a.change(id, func(d *device, now time.Time) bool {
				a.restore(d, j, now, now)
				d.agency = unique.Make("moda")
				return false
			})
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/devices, "B/device")
		b.ReportMetric(100*shared(a), "%shared")
		runtime.KeepAlive(a)
	}
}

// shared is the share of claims and findings that more than one device has.
func shared(a *Appraiser) float64 {
	times, all, several := map[unique.Handle[string]]int{}, 0, 0
	for _, d := range a.devices {
		for _, h := range slices.Concat(d.result.claims, d.result.findings) {
			times[h]++
			all++
		}
	}
	for _, n := range times {
		if n > 1 {
			several += n
		}
	}
	return float64(several) / float64(all)
}
