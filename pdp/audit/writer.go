package audit

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Waits between two attempts to open a closed log.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// writer has the files of the log. Only its owner goroutine uses it.
type writer struct {
	dir     string
	options Options
	logger  *slog.Logger

	last   position // the newest entry on the disk
	file   *os.File // the segment being written
	size   int64    // its bytes on the disk; more may lie behind when dirty
	dirty  bool
	buffer []byte

	head    *headWriter
	reserve *reserve
	shut    *closure // nil while the log is open

	// publish tells the log's readers how far it is, before anybody is answered.
	publish func()

	// What the disk does; tests put a failing one here.
	writeAt func(f *os.File, b []byte, at int64) error
	sync    func(f *os.File) error
}

// closure is why and since when nothing but privileged records is taken.
type closure struct {
	since, tried time.Time
	wait         time.Duration
	cause        error
	refused      uint64
}

func writeAt(f *os.File, b []byte, at int64) error {
	_, err := f.WriteAt(b, at)
	return err
}

// settle brings a group to the disk and answers each of its members.
func (w *writer) settle(group []*pending) {
	began := make([]*pending, 0, len(group))
	for _, p := range group {
		if p.stage.CompareAndSwap(waiting, begun) {
			began = append(began, p)
		}
	}
	now := w.options.Clock().UTC()
	if err := w.checkClock(now); err != nil {
		answer(began, 0, fmt.Errorf("%w: %w", ErrClosed, err))
		return
	}
	if w.shut != nil && !w.reopen(now) {
		w.settlePrivileged(now, w.refuseOrdinary(began))
		return
	}
	if len(began) == 0 {
		return
	}
	if err := w.put(now, began); err != nil {
		w.shutDown(now, err)
		w.settlePrivileged(now, w.refuseOrdinary(began))
	}
}

func answer(group []*pending, first uint64, err error) {
	for i, p := range group {
		if p.err = err; err == nil {
			p.sequence = first + uint64(i) // #nosec G115 -- a small index
		}
		close(p.done)
	}
}

// checkClock refuses to record, and so to decide, while the clock shows a time
// before the newest entry (design: invariant 13).
func (w *writer) checkClock(now time.Time) error {
	if now.Before(w.last.at.Add(-w.options.ClockTolerance)) {
		return &ClockBehindError{Now: now, Last: w.last.at}
	}
	return nil
}

// refuseOrdinary answers those that may not use the reserve, and returns the others.
func (w *writer) refuseOrdinary(group []*pending) []*pending {
	w.publish()
	privileged := group[:0]
	for _, p := range group {
		if p.privileged {
			privileged = append(privileged, p)
			continue
		}
		w.shut.refused++
		answer([]*pending{p}, 0, fmt.Errorf("%w: %w", ErrClosed, w.shut.cause))
	}
	return privileged
}

// settlePrivileged writes while the log is closed, giving the reserve's room
// back stage by stage as long as the disk is full.
func (w *writer) settlePrivileged(now time.Time, group []*pending) {
	if len(group) == 0 {
		return
	}
	err := w.put(now, group)
	for noRoom(err) && w.reserve.release() {
		w.logger.Warn("audit: a part of the reserve was given back", "left_bytes", w.reserve.left)
		err = w.put(now, group)
	}
	if err != nil {
		answer(group, 0, fmt.Errorf("%w: %w", ErrClosed, err))
	}
}

func (w *writer) shutDown(now time.Time, cause error) {
	w.shut = &closure{since: now, tried: now, wait: firstRetry, cause: cause}
	w.logger.Error("audit: the log cannot be written, so nothing is allowed", "error", cause)
}

type reopened struct {
	Event   string    `json:"event"`
	Since   time.Time `json:"since"`
	Refused uint64    `json:"refused"`
	Cause   string    `json:"cause"`
}

// reopen tries to open the log again, at growing intervals: the reserve must be
// whole, and the record of the reopening on the disk.
func (w *writer) reopen(now time.Time) bool {
	if passed := now.Sub(w.shut.tried); passed >= 0 && passed < w.shut.wait {
		return false
	}
	err := w.reserve.fill()
	if err == nil {
		err = w.putSystem(now, reopened{"audit-reopened", w.shut.since, w.shut.refused, w.shut.cause.Error()})
	}
	if err != nil {
		w.shut.tried, w.shut.wait = now, min(2*w.shut.wait, lastRetry)
		return false
	}
	w.logger.Info("audit: the log can be written again", "closed_since", w.shut.since, "refused", w.shut.refused)
	w.shut = nil
	return true
}

// putSystem writes a record of the log itself.
func (w *writer) putSystem(now time.Time, detail any) error {
	raw, err := system(now, detail)
	if err != nil {
		return err
	}
	return w.put(now, []*pending{{record: raw, done: make(chan struct{})}})
}

// put writes a group and answers it, or fails as a whole and answers nobody.
func (w *writer) put(now time.Time, group []*pending) error {
	if err := w.repair(); err != nil {
		return err
	}
	if w.size >= w.options.SegmentBytes {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	at := now
	if at.Before(w.last.at) {
		at = w.last.at // within the tolerance: times of the log never go back
	}
	p := w.last
	w.buffer = w.buffer[:0]
	for _, one := range group {
		w.buffer, p = appendLine(w.buffer, p, at, w.last.seq, one.record)
	}
	w.dirty = true
	err := w.writeAt(w.file, w.buffer, w.size)
	if err == nil {
		err = w.sync(w.file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("audit: writing: %w", err), w.repair())
	}
	w.dirty = false
	w.size += int64(len(w.buffer))
	first := w.last.seq + 1
	w.last = p
	w.publish()
	answer(group, first, nil)
	return nil
}

// repair cuts off what an unsuccessful write may have left: none of it was
// acknowledged.
func (w *writer) repair() error {
	if !w.dirty {
		return nil
	}
	if err := w.file.Truncate(w.size); err != nil {
		return fmt.Errorf("audit: repairing: %w", err)
	}
	if err := w.sync(w.file); err != nil {
		return fmt.Errorf("audit: repairing: %w", err)
	}
	w.dirty = false
	return nil
}

// rotate begins the next segment. The head vouches for the finished one first,
// so that a missing segment is always told from a crash.
func (w *writer) rotate() error {
	if err := w.head.write(w.last, false); err != nil {
		return err
	}
	f, err := newSegment(w.dir, w.last.seq+1)
	if err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		w.logger.Warn("audit: closing a finished segment", "error", err)
	}
	w.file, w.size = f, 0
	return nil
}

// newSegment creates a segment, or opens the empty one that an earlier attempt
// has left.
func newSegment(dir string, first uint64) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, segmentName(first)), os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- a name made here
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() != 0 {
		err = &BreakError{File: segmentName(first), Why: "there before its time"}
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// vouch brings the head up to the newest entry.
func (w *writer) vouch() {
	if w.head.last.Sequence == w.last.seq {
		return
	}
	if err := w.head.write(w.last, false); err != nil {
		w.logger.Warn("audit: the head cannot be written", "error", err)
	}
}

// close ends the log cleanly if the disk allows it.
func (w *writer) close() error {
	err := w.repair()
	if err == nil {
		err = w.head.write(w.last, true)
	}
	return errors.Join(err, w.file.Close(), w.head.f.Close(), w.reserve.f.Close())
}
