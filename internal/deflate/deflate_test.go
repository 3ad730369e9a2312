package deflate

import (
	"bytes"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
)

func TestWhatIsPackedComesBack(t *testing.T) {
	noise := make([]byte, 10_000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, raw := range [][]byte{{}, []byte("門神"), bytes.Repeat([]byte("rule "), 10_000), noise} {
		all.Go(func() { // writers are shared
			for range 20 {
				for _, pack := range []func([]byte) ([]byte, error){Pack, PackQuickly} {
					packed, err := pack(raw)
					if err != nil {
						t.Error(err)
					}
					if back, err := Unpack(packed, len(raw)); err != nil || !bytes.Equal(back, raw) {
						t.Errorf("%d bytes came back as %d: %v", len(raw), len(back), err)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestUnpackingIsBounded(t *testing.T) {
	packed, err := Pack(make([]byte, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(packed, 1<<20-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a byte too much: %v", err)
	}
	if _, err := Unpack(packed[:len(packed)/2], 1<<20); err == nil {
		t.Error("half of it was read")
	}
}

func BenchmarkPack(b *testing.B) {
	raw := bytes.Repeat([]byte(`{"rule":"TWGCB-01-014-0001","state":"pass"},`), 300)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Pack(raw); err != nil {
			b.Fatal(err)
		}
	}
}
