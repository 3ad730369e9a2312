//go:build linux

package host

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// shipped are the plugins of this repository with their clusters.
var shipped = map[string]wire.Cluster{
	"networknovelty": wire.ClusterNetwork, "traveltime": wire.ClusterNetwork, "threatlist": wire.ClusterNetwork,
	"devicepair": wire.ClusterDevice, "unusualhours": wire.ClusterTime, "requestrate": wire.ClusterBehaviour,
	"resourcenovelty": wire.ClusterBehaviour, "failedsignins": wire.ClusterBehaviour, "posturedrift": wire.ClusterPosture,
}

// BenchmarkAssess asks the nine shipped plugins, each in its own sandboxed
// process, about one situation (a fan-out of nine calls) with 1 and with 64
// callers. It reports the median and the 99th percentile of one fan-out.
func BenchmarkAssess(b *testing.B) {
	var all []Config
	for name, cluster := range shipped {
		c := program(b, name)
		c.Cluster = cluster
		all = append(all, c)
	}
	o, _ := options(b)
	o.RuntimeDir = filepath.Join(os.TempDir(), "menshen-bench-plugins")
	b.Cleanup(func() { _ = os.RemoveAll(o.RuntimeDir) })
	h := start(b, o, all...)
	for n := range 20 {
		h.Observe(context.Background(), signedIn("p", n))
	}
	for _, callers := range []int{1, 64} {
		b.Run(map[int]string{1: "callers=1", 64: "callers=64"}[callers], func(b *testing.B) { fanOut(b, h, callers) })
	}
}

func fanOut(b *testing.B, h *Host, callers int) {
	times := make([]time.Duration, b.N)
	missed := make([]int, callers)
	var next sync.Mutex
	n := 0
	take := func() (int, bool) {
		next.Lock()
		defer next.Unlock()
		n++
		return n - 1, n <= b.N
	}
	b.ResetTimer()
	var done sync.WaitGroup
	for caller := range callers {
		done.Go(func() {
			for i, more := take(); more; i, more = take() {
				began := time.Now()
				for _, v := range h.Assess(context.Background(), signedIn("p", 100)) {
					if v.Missing {
						missed[caller]++
					}
				}
				times[i] = time.Since(began)
			}
		})
	}
	done.Wait()
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(times[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[b.N*99/100].Microseconds())/1000, "p99-ms")
	total := 0
	for _, m := range missed {
		total += m
	}
	b.ReportMetric(float64(total), "missing")
}
