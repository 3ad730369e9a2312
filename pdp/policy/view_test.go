package policy

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

// What is kept from one decision never shows in another, however many are taken
// at once.
func TestDecisionsAtOnceAreThoseOfOneAfterTheOther(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 1))
	var all []wire.Facts
	var want []wire.Decision
	alone := baseline(t)
	for range 200 {
		f := troubled(random)
		all = append(all, f)
		want = append(want, alone.Decide(f, wire.ActionRead, at))
	}
	shared := baseline(t)
	var running sync.WaitGroup
	for worker := range 8 {
		running.Go(func() {
			for i := range all {
				i = (i + worker*25) % len(all)
				if diff := cmp.Diff(want[i], shared.Decide(all[i], wire.ActionRead, at)); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	running.Wait()
}

func TestAMemoIsBounded(t *testing.T) {
	var m memo[int]
	for i := range 3*maxMemo + 5 {
		got := *m.get(i, func(n int) types.Record { return types.NewRecord(types.RecordMap{"n": types.Long(n)}) })
		if n, _ := got.(types.Record).Get("n"); n != types.Long(i) {
			t.Fatalf("%d gives %v", i, got)
		}
		if len(m.built) > maxMemo {
			t.Fatalf("it keeps %d", len(m.built))
		}
	}
}
