package pdp

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"
)

// BenchmarkOverload tells how long known sessions wait for their answers, calm
// and while strangers flood the web's port. An op is the wait that one in a
// hundred exceeds. The PDP has the machine's first processor, what makes load
// its second: there the flood gives way to those who measure, so that what they
// see is the PDP's delay. The ratio is what counts.
func BenchmarkOverload(b *testing.B) {
	for _, flood := range []string{"sign-ins", "resets"} {
		b.Run(flood, func(b *testing.B) {
			if runtime.NumCPU() < 2 {
				b.Fatal("load and PDP need a processor each")
			}
			must(b, exec.CommandContext(b.Context(), "taskset", "-acp", "0", strconv.Itoa(os.Getpid())).Run()) // #nosec G204 -- this process
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			f := startFlooded(b, func(*Config) {})
			f.apart = map[string][]string{"known": {"taskset", "-c", "1"}, flood: {"taskset", "-c", "1", "chrt", "--idle", "0"}}
			f.signsIn()
			b.Run("calm", func(b *testing.B) {
				for b.Loop() {
					waits(b, f.work(2*time.Second))
				}
			})
			b.Run("flooded", func(b *testing.B) {
				for b.Loop() {
					end := f.runs(flood, 5*time.Second, f.handle())
					time.Sleep(time.Second) // until all have come
					before := runnable()
					waits(b, f.work(3*time.Second))
					b.ReportMetric(longest(before, runnable()), "runnable-p99-ns")
					told := end()
					b.ReportMetric(float64(told.Granted), "went-on")
					b.ReportMetric(float64(told.Shed), "shed")
				}
			})
		})
	}
}

func waits(b *testing.B, what seen) {
	b.ReportMetric(float64(what.P99), "ns/op")
	b.ReportMetric(float64(what.P50), "p50-ns")
}

// runnable tells how long goroutines have waited for a processor.
func runnable() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64Histogram()
}

// longest is the wait that one in a hundred has exceeded since, in nanoseconds.
func longest(before, after *metrics.Float64Histogram) float64 {
	all := uint64(0)
	for i, n := range after.Counts {
		all += n - before.Counts[i]
	}
	longer := uint64(0)
	for i := len(after.Counts) - 1; i > 0; i-- {
		if longer += after.Counts[i] - before.Counts[i]; longer > all/100 {
			return after.Buckets[i] * float64(time.Second)
		}
	}
	return 0
}
