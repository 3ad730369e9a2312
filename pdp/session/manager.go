package session

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Manager keeps the sessions. It is safe for concurrent use.
type Manager struct {
	store    store.Store
	engine   Engine
	observe  func(*wire.Facts, *wire.Decision)
	told     func(sessionID string, action wire.Action, uses uint64)
	tokens   Tokens
	recorder Recorder
	inputs   Inputs
	clock    func() time.Time
	random   io.Reader
	log      *slog.Logger
	limits   Limits

	// The limits that the request path compares, in nanoseconds.
	idle, reconfirmFrom, reconfirmAt int64
	why                              reasons

	live  table
	known registry
	// subscribers are guarded by known's lock.
	subscribers []func(Event)
	epoch       atomic.Uint64

	// recordedUntil is how long uses may still be allowed before the log must
	// have taken their counts; 0 while the log is closed.
	recordedUntil atomic.Int64
	// closings counts how often the log was found closed.
	closings atomic.Uint64
	pending  pending

	base      context.Context // ends with Run
	stop      context.CancelFunc
	computing chan struct{}
	// turns let one session be renewed or ended by one caller at a time.
	turns struct {
		seed maphash.Seed
		of   [shards]sync.Mutex
	}
	flights struct {
		sync.Mutex
		sync.WaitGroup
		closed bool
	}
}

// reasons are those of the request path, made once.
type reasons struct{ none, idle, tooOld, network, reconfirm, auditClosed wire.Reason }

// New returns a Manager with the sessions that the store holds. Run must be
// running for anything to be allowed for longer than a moment.
func New(ctx context.Context, c Config) (*Manager, error) {
	if c.Store == nil || c.Engine == nil || c.Tokens == nil || c.Recorder == nil || c.Inputs == nil || c.Clock == nil || c.Random == nil || c.Logger == nil {
		return nil, errors.New("session: a member of the configuration is missing")
	}
	if err := c.Limits.check(); err != nil {
		return nil, err
	}
	m := &Manager{
		store: c.Store, engine: c.Engine, observe: c.Observe, told: c.Used, tokens: c.Tokens, recorder: c.Recorder, inputs: c.Inputs,
		clock: c.Clock, random: c.Random, log: c.Logger, limits: c.Limits,
		idle: int64(c.Limits.Idle), reconfirmFrom: int64(c.Limits.ReconfirmFrom), reconfirmAt: int64(c.Limits.ReconfirmAt),
		known: newRegistry(), computing: make(chan struct{}, c.Limits.Computing),
	}
	minutes := func(d time.Duration) string { return strconv.Itoa(int(d / time.Minute)) }
	m.why = reasons{
		none:        reason.New(reason.SessionNone),
		idle:        reason.New(reason.SessionIdle, "minutes", minutes(c.Limits.Idle)),
		tooOld:      reason.New(reason.SessionTooOld, "hours", strconv.Itoa(int(c.Limits.Absolute/time.Hour))),
		network:     reason.New(reason.NetworkUnproven),
		reconfirm:   reason.New(reason.DeviceReconfirm, "minutes", minutes(c.Limits.ReconfirmFrom)),
		auditClosed: reason.New(reason.AuditClosed),
	}
	m.turns.seed = maphash.MakeSeed()
	m.base, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.recordedUntil.Store(m.clock().Add(2 * m.limits.UsesEvery).UnixNano())
	if err := m.load(ctx); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// Run records uses, stores last uses and sweeps ended sessions until ctx ends;
// then it waits for decisions under way and records what is left.
func (m *Manager) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	now := m.clock()
	flush, persist := now.Add(m.limits.UsesEvery), now.Add(m.limits.SeenEvery)
	for {
		select {
		case <-ctx.Done():
			m.shut()
			return nil
		case <-tick.C:
		}
		now = m.clock()
		if closed := m.recordedUntil.Load() == 0; closed || !now.Before(flush) {
			m.flush(m.base, now)
			flush = now.Add(m.limits.UsesEvery)
		}
		if !now.Before(persist) {
			m.sweep(m.base, now)
			m.persist(m.base)
			persist = now.Add(m.limits.SeenEvery)
		}
	}
}

// shut refuses new decisions, waits for those under way, and writes what is
// still in memory only.
func (m *Manager) shut() {
	m.flights.Lock()
	m.flights.closed = true
	m.flights.Unlock()
	m.flights.Wait()
	m.flush(m.base, m.clock())
	m.persist(m.base)
	m.recordedUntil.Store(0)
	m.stop()
}

func (m *Manager) turn(sessionID string) *sync.Mutex {
	return &m.turns.of[maphash.String(m.turns.seed, sessionID)%shards]
}

// start runs f in a goroutine that shut waits for, unless it is too late.
func (m *Manager) start(f func()) bool {
	m.flights.Lock()
	defer m.flights.Unlock()
	if m.flights.closed {
		return false
	}
	m.flights.Go(f)
	return true
}
