package backtest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
)

// Bounds of what is read.
const (
	maxEvents    = 5_000_000
	maxLineBytes = 1 << 20
)

// ErrRead is wrapped by every error about a file's content; the text names the line.
var ErrRead = errors.New("backtest: the file cannot be read")

var errTrailing = errors.New("more than one value")

// ErrTooMany is returned for more events than fit.
var ErrTooMany = fmt.Errorf("backtest: more than %d events: take a share of the people", maxEvents)

// Sample takes a share of all people, always the same ones.
type Sample float64

// takes reports whether a person is in the sample.
func (s Sample) takes(person string) bool {
	if s <= 0 || s >= 1 {
		return true
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(person)) // never fails
	return float64(h.Sum32()) < float64(s)*math.MaxUint32
}

func wrong(line int, problem string) error {
	return fmt.Errorf("%w: line %d: %s", ErrRead, line, problem)
}
