package audit

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l, err := Open(b.TempDir(), small())
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			record := wire.AuditRecord{Kind: wire.AuditDecision, Agency: "moda", Detail: make([]byte, 200)} // about 600 B a line
			b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := l.Append(b.Context(), record); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(dir, small())
	if err != nil {
		b.Fatal(err)
	}
	const n = 2000
	for range n {
		l.queue <- &pending{record: []byte(`{"kind":"decision","at":"2025-11-22T00:00:00Z"}`), done: make(chan struct{})}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		if s, err := Verify(dir); err != nil || s.Entries != n+1 {
			b.Fatal(s, err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "entries/s")
}
