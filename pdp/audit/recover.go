package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// found is what a folder holds when it is opened.
type found struct {
	head    vouched
	segment uint64 // the first sequence of the last segment, 0 if there is none
	scanned
}

type opened struct {
	Event string `json:"event"`
	Log   string `json:"log"`
	// Torn is how many bytes of unacknowledged entries a crash had left.
	Torn int64 `json:"torn_bytes"`
	// Clean says that the log had been closed, or is new.
	Clean bool `json:"clean"`
}

// recoverWriter reads the end of a log, or begins one, and makes it ready for
// more. It changes nothing before every check has passed.
func recoverWriter(dir string, options Options) (*writer, error) {
	now := options.Clock().UTC()
	at, err := inspect(dir, options.Key)
	if err != nil {
		return nil, err
	}
	if at == nil {
		if at, err = begin(dir, now, options.Key); err != nil {
			return nil, err
		}
	}
	w := &writer{
		dir: dir, options: options, logger: options.Logger,
		last: at.end, size: at.whole, dirty: at.torn > 0,
		writeAt: writeAt, sync: syncData, publish: func() {},
	}
	if w.last.at.Before(at.head.At) {
		w.last.at = at.head.At
	}
	if err := w.checkClock(now); err != nil {
		return nil, err
	}
	if err := w.open(at); err != nil {
		return nil, err
	}
	if at.torn > 0 {
		w.logger.Warn("audit: a crash had left torn entries, which nobody was told are recorded", "torn_bytes", at.torn)
	}
	record := opened{Event: "audit-opened", Log: at.head.Log, Torn: at.torn, Clean: at.head.Clean}
	if err := w.start(now, record); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// begin makes the head of a new log; its absence with segments present is
// therefore never a crash.
func begin(dir string, now time.Time, key ed25519.PrivateKey) (*found, error) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // documented never to fail
	var zero position
	h := head{Log: hex.EncodeToString(id[:]), Hash: hex.EncodeToString(zero.hash[:]), At: now, Clean: true}
	if err := createHead(dir, h, key); err != nil {
		return nil, err
	}
	return &found{head: vouched{head: h}}, nil
}

// inspect reads the head and the last segment, nil where there is no log.
func inspect(dir string, key ed25519.PrivateKey) (*found, error) {
	firsts, err := segments(dir)
	if err != nil {
		return nil, err
	}
	h, ok, err := readHead(dir)
	switch {
	case err != nil:
		return nil, err
	case !ok && len(firsts) == 0:
		return nil, nil
	case !ok:
		return nil, &BreakError{File: headFile, Why: "missing"}
	case key != nil && !h.signedBy(key.Public().(ed25519.PublicKey)):
		return nil, &BreakError{File: headFile, Why: "not signed with this log's key"}
	}
	at := &found{head: h}
	if len(firsts) > 0 {
		if err := at.scanLast(dir, firsts); err != nil {
			return nil, err
		}
	}
	if err := h.vouchesFor(at.scanned); err != nil {
		return nil, err
	}
	return at, nil
}

// scanLast scans the last segment, from the end of the one before it.
func (at *found) scanLast(dir string, firsts []uint64) error {
	at.segment = firsts[len(firsts)-1]
	var start position
	if len(firsts) > 1 {
		var err error
		if start, err = lastEntry(dir, firsts[len(firsts)-2]); err != nil {
			return err
		}
	}
	if at.head.differs(start) {
		return notVouched(start.seq, firsts[max(0, len(firsts)-2)])
	}
	var wrong *BreakError
	var err error
	at.scanned, err = scan(dir, at.segment, start, func(e Entry) {
		if e.Sequence == at.head.Sequence && e.Hash != at.head.Hash {
			wrong = notVouched(e.Sequence, at.segment)
		}
	})
	if err == nil && wrong != nil {
		return wrong
	}
	return err
}

// differs reports whether p is the head's sequence with another hash.
func (h head) differs(p position) bool {
	return h.Sequence == p.seq && h.Hash != hex.EncodeToString(p.hash[:])
}

// vouchesFor compares the end of the last segment with the head. A torn end is
// let pass only where nothing says that it had been acknowledged.
func (h head) vouchesFor(s scanned) error {
	switch {
	case s.broken != nil && (s.acknowledged || h.Clean || h.Sequence > s.end.seq):
		return s.broken
	case h.Sequence > s.end.seq:
		return &BreakError{File: headFile, Why: fmt.Sprintf("vouches for %d entries, of which those after %d are missing", h.Sequence, s.end.seq)}
	case h.Sequence < s.before: // each finished segment was vouched for
		return &BreakError{File: headFile, Why: fmt.Sprintf("vouches for %d only, yet a finished segment ends at %d", h.Sequence, s.before)}
	case h.Clean && s.end.seq > h.Sequence:
		return &BreakError{File: headFile, Why: fmt.Sprintf("the log was closed at %d, yet goes on to %d", h.Sequence, s.end.seq)}
	}
	return nil
}

// open opens the files that the writer works on.
func (w *writer) open(at *found) (err error) {
	if w.head, err = openHead(w.dir, at.head.head, w.options.Key); err != nil {
		return err
	}
	if w.reserve, err = openReserve(w.dir, w.options.ReserveBytes); err != nil {
		return errors.Join(err, w.head.f.Close())
	}
	if at.segment == 0 {
		w.file, err = newSegment(w.dir, 1)
	} else {
		w.file, err = os.OpenFile(filepath.Join(w.dir, segmentName(at.segment)), os.O_RDWR, 0) // #nosec G304 -- a name made here
	}
	if err != nil {
		return errors.Join(fmt.Errorf("audit: %w", err), w.head.f.Close(), w.reserve.f.Close())
	}
	return nil
}

// start says that the log is in use again and records it. A full disk closes
// the log, but does not keep it from being opened.
func (w *writer) start(now time.Time, record opened) error {
	if err := w.repair(); err != nil {
		return err
	}
	if err := w.head.write(w.last, false); err != nil {
		return err
	}
	err := w.reserve.fill()
	if err != nil {
		w.shutDown(now, err)
	}
	err = w.putSystem(now, record)
	for noRoom(err) && w.reserve.release() {
		err = w.putSystem(now, record)
	}
	if err != nil && w.shut == nil {
		w.shutDown(now, err)
	}
	return nil
}
