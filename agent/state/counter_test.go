package state

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestACounterIsWhatWasSaved(t *testing.T) {
	c := CounterAt(filepath.Join(t.TempDir(), "state.json.counter"))
	if _, err := c.Load(); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a counter that is not there: %v", err)
	}
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{0, 1, 41, math.MaxUint64} {
		if err := c.Save(n); err != nil {
			t.Fatal(err)
		}
		if got, err := CounterAt(c.Path()).Load(); err != nil || got != n {
			t.Errorf("%d: %d %v", n, got, err)
		}
	}
	// One that stands goes on.
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Load(); err != nil || got != math.MaxUint64 {
		t.Errorf("%d %v", got, err)
	}
}

func TestADamagedCounterIsNoCounter(t *testing.T) {
	for _, text := range []string{"", "7", "7\n\n", "07\n", "-1\n", "x\n", " 7\n", "18446744073709551616\n", "18446744073709551615\n7"} {
		c := CounterAt(filepath.Join(t.TempDir(), "counter"))
		if err := os.WriteFile(c.Path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Load(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %d %v", text, n, err)
		}
		if err := c.Begin(); err != nil { // a new enrolment begins anew
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestACounterOfOthersIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // a mode says nothing there
	}
	c := CounterAt(filepath.Join(t.TempDir(), "counter"))
	if err := c.Save(7); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.Path(), 0o622); err != nil { // #nosec G302 -- what is tested
		t.Fatal(err)
	}
	if _, err := c.Load(); !errors.Is(err, ErrExposed) {
		t.Error(err)
	}
	if err := c.Begin(); !errors.Is(err, ErrExposed) {
		t.Error(err)
	}
}
