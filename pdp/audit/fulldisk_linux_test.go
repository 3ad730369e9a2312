package audit

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/disktest"
	"github.com/menshen-zt/menshen/internal/wire"
)

// stepClock is a clock that a test moves on.
type stepClock struct{ ahead atomic.Int64 }

func (c *stepClock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *stepClock) step(d time.Duration) { c.ahead.Add(int64(d)) }

func TestAFullDiskClosesTheLogUntilThereIsRoom(t *testing.T) {
	disktest.Run(t, 1<<20, func(t *testing.T, disk string) {
		dir := filepath.Join(disk, "audit")
		var clock stepClock
		options := Options{ReserveBytes: 256 << 10, Clock: clock.now}
		l := openLog(t, dir, options)
		recorded := map[uint64]wire.AuditKind{}
		try := func(kind wire.AuditKind) error {
			n, err := l.Append(t.Context(), wire.AuditRecord{Kind: kind, Detail: make([]byte, 1500)})
			if err == nil {
				recorded[n] = kind
			} else if !errors.Is(err, ErrClosed) {
				t.Fatalf("%s: %v", kind, err)
			}
			return err
		}
		free := disktest.Fill(t, disk)
		for try(wire.AuditDecision) == nil { // what is left of the last page
			if len(recorded) > 10 {
				t.Fatal("the disk is not full")
			}
		}
		if l.Writable() {
			t.Error("a full log calls itself writable")
		}

		// Administration goes on, and what it needs does not let decisions in.
		for range 20 {
			if err := try(wire.AuditAdmin); err != nil {
				t.Fatalf("the reserve does not help: %v", err)
			}
			clock.step(lastRetry)
			if err := try(wire.AuditDecision); err == nil {
				t.Fatal("a decision took the room kept back")
			}
		}
		if size := sizeOf(t, filepath.Join(dir, reserveFile)); size == 0 || size >= 256<<10 {
			t.Errorf("the reserve was not given back in stages: %d bytes left", size)
		}
		for try(wire.AuditSystem) == nil { // until the reserve is used up
			if len(recorded) > 1000 {
				t.Fatal("the reserve is endless")
			}
		}

		free()
		clock.step(lastRetry)
		if err := try(wire.AuditDecision); err != nil || !l.Writable() {
			t.Fatalf("there is room again: %v", err)
		}
		if size := sizeOf(t, filepath.Join(dir, reserveFile)); size != 256<<10 {
			t.Errorf("the reserve was not filled again: %d bytes", size)
		}
		closeLog(t, l)
		checkRecorded(t, dir, recorded)
	})
}

// checkRecorded expects everything that was acknowledged, and word of the refusals.
func checkRecorded(t *testing.T, dir string, recorded map[uint64]wire.AuditKind) {
	t.Helper()
	if s, err := Verify(dir); err != nil || !s.Clean {
		t.Fatalf("%+v, %v", s, err)
	}
	told := false
	for _, e := range entries(t, dir, 0) {
		if kind, ok := recorded[e.Sequence]; ok && kind == e.Record.Kind {
			delete(recorded, e.Sequence)
		}
		var r reopened
		if json.Unmarshal(e.Record.Detail, &r) == nil && r.Event == "audit-reopened" {
			told = r.Refused >= 20 && r.Cause != ""
		}
	}
	if len(recorded) > 0 {
		t.Errorf("acknowledged and lost: %v", recorded)
	}
	if !told {
		t.Error("the log does not tell that it was closed")
	}
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestALogOpensOnAFullDisk(t *testing.T) {
	disktest.Run(t, 1<<20, func(t *testing.T, disk string) {
		dir := filepath.Join(disk, "audit")
		var clock stepClock
		options := Options{ReserveBytes: 128 << 10, Clock: clock.now}
		l := openLog(t, dir, options)
		closeLog(t, l)
		if err := os.Remove(filepath.Join(dir, reserveFile)); err != nil {
			t.Fatal(err)
		}
		free := disktest.Fill(t, disk)
		l = openLog(t, dir, options)
		if _, err := l.Append(t.Context(), wire.AuditRecord{Kind: wire.AuditDecision, Detail: make([]byte, 8<<10)}); !errors.Is(err, ErrClosed) {
			t.Fatalf("on a full disk: %v", err)
		}
		free()
		clock.step(lastRetry)
		appendOne(t, l, decision(""))
		closeLog(t, l)
		if _, err := Verify(dir); err != nil {
			t.Fatal(err)
		}

		// No room even for the head of a new log: an error, and no half log.
		free = disktest.Fill(t, disk)
		other := filepath.Join(dir, "other")
		if l, err := Open(other, options); err == nil {
			closeLog(t, l)
			t.Fatal("a new log on a full disk")
		}
		free()
		openLog(t, other, options)
	})
}
