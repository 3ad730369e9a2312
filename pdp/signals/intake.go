package signals

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Session is a portal session, as far as an event tells of it.
type Session struct {
	ID     string
	Agency string // the portal's
	Person string
	Device string
}

// EndCause is the reason code of why a session was ended, and by whom.
type EndCause struct {
	Code string
	By   Initiator
}

// intake holds changes until they have become events. It is bounded, and adding
// to it never waits.
type intake struct {
	mu       sync.Mutex
	most     int
	list     []func(ctx context.Context, t *Transmitter) (note, error)
	devices  map[string]bool
	sessions map[string]bool
	lost     uint64
	wake     chan struct{}
}

func (i *intake) init(most int) {
	i.most, i.wake = most, make(chan struct{}, 1)
	i.devices, i.sessions = map[string]bool{}, map[string]bool{}
}

func (i *intake) add(put func() bool) {
	i.mu.Lock()
	if len(i.list)+len(i.devices)+len(i.sessions) >= i.most || !put() {
		i.lost++
	}
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default: // awake already
	}
}

// take empties the intake.
func (i *intake) take() (list []func(context.Context, *Transmitter) (note, error), lost uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	list, lost = i.list, i.lost
	for id := range i.devices {
		list = append(list, func(ctx context.Context, t *Transmitter) (note, error) { return t.judgeDevice(ctx, id) })
	}
	for id := range i.sessions {
		list = append(list, func(ctx context.Context, t *Transmitter) (note, error) { return t.judgeSession(ctx, id) })
	}
	i.list, i.lost = nil, 0
	clear(i.devices)
	clear(i.sessions)
	return list, lost
}

// SessionEnded says that a session was ended before its time.
func (t *Transmitter) SessionEnded(s Session, at time.Time, why EndCause) {
	t.later(func(ctx context.Context, t *Transmitter) (note, error) {
		n, err := t.noteSession(ctx, s, kindSessionRevoked)
		n.body = sessionRevoked{common{At: at.Unix(), Initiator: why.By, Reason: textsOf(why.Code)}}
		n.ops = append(n.ops, t.told.forgetRisk(s)...)
		n.done = func() { t.told.setRisk(s.ID, riskTold{}) }
		return n, err
	})
}

// SessionRenewed says that a session rests on another sign-in from now on.
func (t *Transmitter) SessionRenewed(s Session, at time.Time, before, after wire.SignIn) {
	if before.AAL == after.AAL || before.AAL == 0 || after.AAL == 0 {
		return
	}
	t.later(func(ctx context.Context, t *Transmitter) (note, error) {
		n, err := t.noteSession(ctx, s, kindAssuranceChange)
		n.body = newAssuranceChange(at, before.AAL, after.AAL)
		return n, err
	})
}

func (t *Transmitter) later(f func(context.Context, *Transmitter) (note, error)) {
	if t.silent() {
		return
	}
	t.intake.add(func() bool { t.intake.list = append(t.intake.list, f); return true })
}

// DeviceChanged says that a device's standing or record may have changed.
func (t *Transmitter) DeviceChanged(id string) {
	if t.silent() {
		return
	}
	t.intake.add(func() bool { t.intake.devices[id] = true; return true })
}

// TrustChanged says that a session's score may have changed.
func (t *Transmitter) TrustChanged(sessionID string) {
	if t.silent() {
		return
	}
	t.intake.add(func() bool { t.intake.sessions[sessionID] = true; return true })
}

// note is a change on its way to the streams. Without a kind there is nothing
// to tell; ops are stored with its events, and done is called after that.
type note struct {
	kind    string
	parties parties
	body    any
	ops     []store.Op
	done    func()
}

// noteSession begins a note about a session.
func (t *Transmitter) noteSession(ctx context.Context, s Session, kind string) (note, error) {
	n := note{kind: kind, parties: parties{session: s.ID, sessionAgency: s.Agency, person: s.Person, device: s.Device}}
	person, err := t.Directory.Person(ctx, s.Person)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return note{}, err
	}
	dev, err := t.Directory.Device(ctx, s.Device)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return note{}, err
	}
	n.parties.personAgency, n.parties.deviceAgency = person.Agency, dev.Agency
	return n, nil
}

// work makes events of changes until ctx ends.
func (t *Transmitter) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.intake.wake:
		}
		list, lost := t.intake.take()
		if lost > 0 {
			why := strconv.FormatUint(lost, 10) + " changes could not be taken in; read the state anew"
			t.insist(ctx, func() error { return t.pauseAll(ctx, why) })
		}
		for _, change := range list {
			t.insist(ctx, func() error { return t.tell(ctx, change) })
		}
	}
}

// insist calls f until it succeeds or ctx ends: what the store does not take now
// it takes later, and the intake is bounded meanwhile.
func (t *Transmitter) insist(ctx context.Context, f func() error) {
	for pause := t.Limits.Retry; ctx.Err() == nil; pause = min(2*pause, t.Limits.RetryMost) {
		err := f()
		if err == nil {
			return
		}
		t.Logger.Error("a change cannot be stored as an event yet", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// tell stores the events of one change in every stream that may carry them.
func (t *Transmitter) tell(ctx context.Context, change func(context.Context, *Transmitter) (note, error)) error {
	n, err := change(ctx, t)
	if err != nil {
		return err
	}
	batch := map[*stream][]event{}
	if n.kind != "" {
		cause, err := wire.NewID("txn", t.Random)
		if err != nil {
			return err
		}
		for _, agency := range n.parties.agencies() {
			if err := t.address(batch, n, agency, cause); err != nil {
				return err
			}
		}
	}
	if err := t.append(ctx, batch, n.ops); err != nil {
		return err
	}
	if n.done != nil {
		n.done()
	}
	return nil
}

// address adds a note's events for one agency's streams to the batch.
func (t *Transmitter) address(batch map[*stream][]event, n note, agency, cause string) error {
	subject, main := n.parties.subject(agency, t.issuer(agency))
	if !main {
		return nil
	}
	for _, s := range t.streamsOf(agency, "") {
		s.mu.Lock()
		wanted := carries(s, n.kind) && !s.omits(&subject)
		s.mu.Unlock()
		if !wanted {
			continue
		}
		e, err := t.newEvent(s, n.kind, cause, subject, n.body)
		if err != nil {
			return err
		}
		batch[s] = append(batch[s], e)
	}
	return nil
}

// carries reports whether a stream is to carry events of a kind; its lock is held.
func carries(s *stream, kind string) bool {
	for _, k := range s.record.delivered() {
		if k == kind {
			return s.record.Status != disabled
		}
	}
	return false
}

// riskWhy is what an event says of a score.
func riskWhy(score int) string {
	return reason.Of(reason.English, reason.New(reason.SignalScore, "score", strconv.Itoa(score))).What
}
