package posture

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// keep bounds how often a costly collector runs: what it said holds until a
// file that it rests on changes, and no longer than a while.
type keep struct {
	while time.Duration
	files []string
}

// kept is what a collector said, and the stamp of its files at that time.
type kept struct {
	outcome outcome
	at      time.Time
	stamp   string
}

// memory is what the collectors of one machine said last.
type memory struct {
	mu   sync.Mutex
	kept map[wire.ClaimID]kept
}

// recent returns what a collector says, and when it was measured.
func (s *Set) recent(ctx context.Context, c collector) (outcome, time.Time) {
	now := s.machine.Clock()
	if c.keep.while == 0 {
		return s.one(ctx, c), now
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	stamp := stampOf(s.machine.Files, c.keep.files) // before measuring: a change meanwhile is seen next time
	last, ok := s.memory.kept[c.id]
	if age := now.Sub(last.at); ok && last.stamp == stamp && age >= 0 && age < c.keep.while {
		return last.outcome, last.at
	}
	o := s.one(ctx, c)
	if ctx.Err() == nil { // an interrupted measurement says nothing for later
		s.memory.kept[c.id] = kept{o, now, stamp}
	}
	return o, now
}

// Forget has everything measured anew.
func (s *Set) Forget() {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	clear(s.memory.kept)
}

// stampOf changes when one of the files does.
func stampOf(files fs.FS, names []string) string {
	var b strings.Builder
	for _, name := range names {
		info, err := fs.Stat(files, name)
		if err != nil {
			b.WriteString("-;")
			continue
		}
		fmt.Fprintf(&b, "%d,%d;", info.ModTime().UnixNano(), info.Size())
	}
	return b.String()
}
