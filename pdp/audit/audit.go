package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Options sets what may differ between PDPs. The zero value is sound.
type Options struct {
	Clock  func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means silence
	// SegmentBytes is how large a segment grows before the next one is
	// begun; 0 means 64 MiB.
	SegmentBytes int64
	// ReserveBytes is the room kept back for administration and the system's
	// own records; 0 means 16 MiB.
	ReserveBytes int64
	// ClockTolerance is how far the clock may lie behind the newest entry; 0
	// means 2 s.
	ClockTolerance time.Duration
	// SummaryInterval is how often anonymous denials are summed up; 0 means
	// a minute.
	SummaryInterval time.Duration
	// Key signs the head, nil leaves it unsigned. A log that was begun with a
	// key needs the same one ever after.
	Key ed25519.PrivateKey
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = 16 << 20
	}
	if o.ClockTolerance == 0 {
		o.ClockTolerance = 2 * time.Second
	}
	if o.SummaryInterval == 0 {
		o.SummaryInterval = time.Minute
	}
	return o
}

const (
	queueLength   = 1024
	maxGroup      = 512     // records that share an fsync
	maxGroupBytes = 4 << 20 // and their size
	headInterval  = time.Second
)

// Stages of a record. Whoever moves it away from waiting owns it: the owner
// goroutine that begins it, or the caller that gives it up.
const (
	waiting uint32 = iota
	begun
	abandoned
)

// pending is a record on its way to the disk.
type pending struct {
	record     []byte
	privileged bool // may use the reserve
	stage      atomic.Uint32
	sequence   uint64
	err        error
	done       chan struct{}
}

// Log is an open log. It is safe for concurrent use; one goroutine writes.
type Log struct {
	options Options
	lock    *os.File
	queue   chan *pending

	closing   chan struct{} // closed by Close
	finished  chan struct{} // closed when the owner has ended
	closeOnce sync.Once
	closeErr  error // of the owner's end

	anonymous atomic.Uint64
	durable   atomic.Uint64
	writable  atomic.Bool
}

// Open opens the log in dir, which it makes if there is none, repairs what a
// crash left at its end, and records that it was opened. It refuses a log that
// another process writes (ErrLocked), one that is broken (*BreakError), and a
// clock behind its newest entry (*ClockBehindError). A broken log stays as it
// is: moved aside it is evidence, and a new one begins.
//
// Open checks the last segment and the head; Verify checks everything. On a
// full disk the log opens closed, and reopens itself when there is room.
func Open(dir string, options Options) (*Log, error) {
	options = options.withDefaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	w, err := recoverWriter(dir, options)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	l := &Log{
		options:  options,
		lock:     lock,
		queue:    make(chan *pending, queueLength),
		closing:  make(chan struct{}),
		finished: make(chan struct{}),
	}
	w.publish = func() { l.publish(w) }
	w.publish()
	go l.run(w)
	return l, nil
}

// Append records r and returns its sequence when it is on the disk. A zero At
// becomes the present. When ctx ends before the writing began, nothing is
// recorded; afterwards the record may turn up in the log although ctx's error
// is returned.
func (l *Log) Append(ctx context.Context, r wire.AuditRecord) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if r.At.IsZero() {
		r.At = l.options.Clock()
	}
	raw, err := encode(r)
	if err != nil {
		return 0, err
	}
	p := &pending{
		record:     raw,
		privileged: r.Kind == wire.AuditAdmin || r.Kind == wire.AuditSystem,
		done:       make(chan struct{}),
	}
	select {
	case l.queue <- p:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-l.closing:
		return 0, fmt.Errorf("%w: closed", ErrClosed)
	}
	return l.wait(ctx, p)
}

func (l *Log) wait(ctx context.Context, p *pending) (uint64, error) {
	select {
	case <-p.done:
		return p.sequence, p.err
	case <-ctx.Done():
		if p.stage.CompareAndSwap(waiting, abandoned) {
			return 0, ctx.Err()
		}
		return 0, fmt.Errorf("audit: perhaps recorded: %w", ctx.Err())
	case <-l.finished:
	}
	select { // the owner ended: it answered just before, or never began
	case <-p.done:
		return p.sequence, p.err
	default:
		return 0, fmt.Errorf("%w: closed", ErrClosed)
	}
}

// CountAnonymousDenial counts a denial of somebody who proved nothing. Such
// ones are not recorded one by one, or a flood could fill the disk: the sum is
// recorded from time to time and at Close.
func (l *Log) CountAnonymousDenial() { l.anonymous.Add(1) }

// Durable returns the sequence of the newest entry on the disk.
func (l *Log) Durable() uint64 { return l.durable.Load() }

// Writable reports whether the last attempt to record something worked.
func (l *Log) Writable() bool { return l.writable.Load() }

// Close records what waits already, and that the log ends here.
func (l *Log) Close() error {
	l.closeOnce.Do(func() { close(l.closing) })
	<-l.finished
	return l.closeErr
}

// run is the owner of the writer: the only goroutine that touches the files.
func (l *Log) run(w *writer) {
	defer close(l.finished)
	heads := time.NewTicker(headInterval)
	defer heads.Stop()
	summaries := time.NewTicker(l.options.SummaryInterval)
	defer summaries.Stop()
	group := make([]*pending, 0, maxGroup)
	for {
		select {
		case first := <-l.queue:
			group = l.gather(append(group[:0], first))
			w.settle(group)
			clear(group)
		case <-heads.C:
			w.vouch()
		case <-summaries.C:
			l.sumUp(w)
		case <-l.closing:
			l.end(w)
			return
		}
		l.publish(w)
	}
}

func (l *Log) publish(w *writer) {
	l.durable.Store(w.last.seq)
	l.writable.Store(w.shut == nil)
}

// gather adds what waits already. Callers that were answered a moment ago and
// are about to come back get one chance to join, which costs nobody a wait.
func (l *Log) gather(group []*pending) []*pending {
	size, yielded := len(group[0].record), false
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case p := <-l.queue:
			group = append(group, p)
			size += len(p.record)
			continue
		default:
		}
		if yielded {
			break
		}
		yielded = true
		runtime.Gosched()
	}
	return group
}

type anonymousSummary struct {
	Event string `json:"event"`
	Count uint64 `json:"count"`
}

// sumUp records the anonymous denials counted so far. It never uses the
// reserve; what cannot be recorded goes on being counted.
func (l *Log) sumUp(w *writer) {
	n := l.anonymous.Swap(0)
	if n == 0 {
		return
	}
	raw, err := system(l.options.Clock(), anonymousSummary{Event: "anonymous-denials", Count: n})
	if err == nil {
		p := &pending{record: raw, done: make(chan struct{})}
		w.settle([]*pending{p})
		err = p.err
	}
	if err != nil {
		l.anonymous.Add(n)
	}
}

// end writes what waits, and closes the files.
func (l *Log) end(w *writer) {
	for more := true; more; {
		select {
		case first := <-l.queue:
			w.settle(l.gather([]*pending{first}))
		default:
			more = false
		}
	}
	l.sumUp(w)
	l.publish(w)
	l.writable.Store(false)
	l.closeErr = errors.Join(w.close(), l.lock.Close())
}
