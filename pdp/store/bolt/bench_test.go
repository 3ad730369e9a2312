package bolt

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/menshen-zt/menshen/pdp/store"
)

// valueBytes is about the size of a device with its pinned keys.
const valueBytes = 1200

func BenchmarkPut(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "state.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			value := bytes.Repeat([]byte("v"), valueBytes)
			var n atomic.Int64
			b.SetParallelism(max(1, callers/parallelism()))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					key := fmt.Sprintf("/v1/observation/_/%016x", uint64(n.Add(1))*0x9E3779B97F4A7C15)
					if _, err := s.Txn(b.Context(), nil, []store.Op{{Key: key, Value: value}}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "state.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n = 10_000
	keys := make([]string, n)
	ops := make([]store.Op, 0, 100)
	for i := range n {
		keys[i] = fmt.Sprintf("/v1/device/_/%08d", i)
		ops = append(ops, store.Op{Key: keys[i], Value: bytes.Repeat([]byte("v"), valueBytes)})
		if len(ops) == cap(ops) {
			if _, err := s.Txn(b.Context(), nil, ops); err != nil {
				b.Fatal(err)
			}
			ops = ops[:0]
		}
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.Get(b.Context(), keys[i*7919%n], store.Local); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func parallelism() int { return runtime.GOMAXPROCS(0) }
