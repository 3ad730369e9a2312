package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/pdp/store"
)

// Options sets what may differ between PDPs. The zero value is sound.
type Options struct {
	// LockWait is how long Open waits for another process to let go of the
	// file; 0 means 500 ms.
	LockWait time.Duration
	// HistoryBytes bounds the changes kept in memory for watchers; 0 means 8 MiB.
	HistoryBytes int
	// Progress is how often an idle watcher hears the present revision; 0
	// means 250 ms.
	Progress time.Duration
}

func (o Options) withDefaults() Options {
	if o.LockWait == 0 {
		o.LockWait = 500 * time.Millisecond
	}
	if o.HistoryBytes == 0 {
		o.HistoryBytes = 8 << 20
	}
	if o.Progress == 0 {
		o.Progress = 250 * time.Millisecond
	}
	return o
}

// Store is a store.Store in one file. It is safe for concurrent use.
type Store struct {
	db      *bbolt.DB
	options Options
	history *history

	queue    chan *write
	closing  chan struct{} // closed by Close
	finished chan struct{} // closed when the committer has ended

	mu       sync.Mutex // guards closed, and watchers.Add against Close
	closed   bool
	watchers sync.WaitGroup

	failure  atomic.Pointer[error] // why nothing is served any more
	broken   chan struct{}
	breaking sync.Once

	// commit is (*bbolt.Tx).Commit; tests put a failing disk here.
	commit func(*bbolt.Tx) error
}

var _ store.Store = (*Store)(nil)

// Open opens the store at path, which it makes if there is none. It refuses a
// file that another process has open (ErrLocked) and one that is damaged
// (*DamagedError), an empty one too: a store that has become empty is a fault
// of the disk.
func Open(path string, options Options) (*Store, error) {
	options = options.withDefaults()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createFile(path); err != nil {
			return nil, fmt.Errorf("bolt: creating %s: %w", path, err)
		}
	}
	var report Report
	db, err := bbolt.Open(path, 0o600, bboltOptions(func(path string, _ int, _ os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(path, os.O_RDWR, 0) // #nosec G304 -- the operator names the file
		if err != nil {
			return nil, err
		}
		if report, err = lockAndCheck(f, unix.LOCK_EX, options.LockWait); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil // bbolt locks this same description again, which is no change
	}))
	if err != nil {
		return nil, fmt.Errorf("bolt: opening: %w", err)
	}
	s := &Store{
		db:       db,
		options:  options,
		history:  newHistory(report.Revision, options.HistoryBytes),
		queue:    make(chan *write, maxGroup),
		closing:  make(chan struct{}),
		finished: make(chan struct{}),
		broken:   make(chan struct{}),
		commit:   (*bbolt.Tx).Commit,
	}
	go s.run()
	return s, nil
}

// Close lets the write in progress end, refuses the waiting ones, ends every
// watch and releases the file.
func (s *Store) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		return nil
	}
	close(s.closing)
	<-s.finished
	s.watchers.Wait()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("bolt: closing: %w", err)
	}
	return nil
}

// Broken is closed when the store serves nothing more because its file can no
// longer be trusted: the process should end and start anew, which checks it.
func (s *Store) Broken() <-chan struct{} { return s.broken }

// fail stops the store for good and returns why.
func (s *Store) fail(why error) error {
	s.breaking.Do(func() {
		s.failure.Store(&why)
		close(s.broken)
	})
	return *s.failure.Load()
}

// usable returns ErrUnavailable when the store is closed or broken.
func (s *Store) usable() error {
	if why := s.failure.Load(); why != nil {
		return fmt.Errorf("%w: stopped after: %w", store.ErrUnavailable, *why)
	}
	select {
	case <-s.closing:
		return fmt.Errorf("%w: closed", store.ErrUnavailable)
	default:
		return nil
	}
}
