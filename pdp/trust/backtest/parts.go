package backtest

import (
	"runtime"
	"sync"
)

// parts shares n pieces of work out among the processors; what each does must
// not depend on the others.
func parts(n int, do func(from, to int)) {
	workers := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() { do(n*i/workers, n*(i+1)/workers) })
	}
	all.Wait()
}
