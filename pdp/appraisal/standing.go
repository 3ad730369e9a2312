package appraisal

import (
	"crypto/sha256"
	"strings"
	"sync"
	"time"
	"unique"
	"weak"

	"github.com/menshen-zt/menshen/internal/wire"
)

// device is what is known of one device. The Appraiser's lock guards it, but
// for appraising, which keeps one device's attestations in a row.
type device struct {
	id         string
	appraising sync.Mutex

	result  *compact
	clock   *wire.TPMClock // of the last Evidence without a fall
	refused bool
	rests   [sha256.Size]byte // what result rests on
	agency  unique.Handle[string]
	// cloned says that two copies of it were seen.
	cloned bool
	// doubted says that Evidence came which could not be kept: what is
	// known is not to be relied on any more.
	doubted bool

	connections int
	seen        time.Time // when it was last heard of

	told     wire.Standing // what subscribers know
	revision uint64
	command  *command
	bell     chan struct{} // closed to wake waiting polls; nil if none waits

	place int // in the queue, -1 if not there
	due   time.Time
}

func (a *Appraiser) standing(d *device, now time.Time) wire.Standing {
	switch {
	case d.result.issuedAt.IsZero():
		return wire.StandingUnknown
	case d.refused:
		return wire.StandingRefused
	case d.doubted, !now.Before(a.staleAt(d)), now.Before(d.result.issuedAt):
		return wire.StandingStale // a clock that went back proves no freshness
	case d.connections == 0 && !now.Before(a.silentAt(d)):
		return wire.StandingSilent
	default:
		return wire.StandingFresh
	}
}

func (a *Appraiser) staleAt(d *device) time.Time { return d.result.issuedAt.Add(a.validFor()) }

func (a *Appraiser) silentAt(d *device) time.Time { return d.seen.Add(a.SilentAfter) }

// changesAt is when the standing changes by time alone, zero if it does not.
func (a *Appraiser) changesAt(d *device, now time.Time) time.Time {
	switch a.standing(d, now) {
	case wire.StandingFresh:
		stale := a.staleAt(d)
		if silent := a.silentAt(d); d.connections == 0 && silent.Before(stale) {
			return silent
		}
		return stale
	case wire.StandingSilent:
		return a.staleAt(d)
	default:
		return time.Time{}
	}
}

// Standing returns the present view of a device. One that was never heard of
// has the zero standing. Claims and findings are shared between callers, who must
// not change them.
func (a *Appraiser) Standing(deviceID string) wire.DeviceStanding {
	now := a.Clock()
	a.mu.Lock()
	d := a.devices[deviceID]
	if d == nil {
		a.mu.Unlock()
		return wire.DeviceStanding{DeviceID: deviceID}
	}
	s := wire.DeviceStanding{DeviceID: deviceID, Standing: a.standing(d, now), ChangesAt: a.changesAt(d, now), Revision: d.revision}
	known := d.result
	view := known.view.Value()
	a.mu.Unlock()
	if view == nil {
		view = new(known.result(deviceID))
		a.mu.Lock()
		known.view = weak.Make(view)
		a.mu.Unlock()
	}
	s.Result = *view
	return s
}

// Counts returns how many devices have each standing.
func (a *Appraiser) Counts() map[wire.Standing]int {
	now := a.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := map[wire.Standing]int{}
	for _, d := range a.devices {
		counts[a.standing(d, now)]++
	}
	return counts
}

// known returns the device's state, new if there was none. The lock is held.
func (a *Appraiser) known(deviceID string) *device {
	d := a.devices[deviceID]
	if d == nil {
		d = &device{id: strings.Clone(deviceID), place: -1, result: &compact{}} // not a part of something longer
		a.devices[d.id] = d
	}
	return d
}

// settle is called with the lock held after any change of d: it plans the next
// change by time and reports whether subscribers must be told.
func (a *Appraiser) settle(d *device, now time.Time) bool {
	a.plan(d, a.changesAt(d, now))
	standing := a.standing(d, now)
	if standing == d.told {
		return false
	}
	d.told = standing
	d.revision++
	return true
}

// change applies f to the device's state and tells subscribers if its standing
// changed, or always if f says so.
func (a *Appraiser) change(deviceID string, f func(d *device, now time.Time) (always bool)) {
	now := a.Clock()
	a.mu.Lock()
	d := a.known(deviceID)
	always := f(d, now)
	changed := a.settle(d, now)
	if always && !changed {
		d.revision++
	}
	a.mu.Unlock()
	if changed || always {
		a.tell(deviceID)
	}
}

// Connected says that the device's connection stands, until release is called.
func (a *Appraiser) Connected(deviceID string) (release func()) {
	a.change(deviceID, func(d *device, now time.Time) bool {
		d.connections++
		d.seen = now
		return false
	})
	var once sync.Once
	return func() {
		once.Do(func() { a.disconnected(deviceID) })
	}
}

func (a *Appraiser) disconnected(deviceID string) {
	a.mu.Lock()
	d := a.devices[deviceID]
	a.mu.Unlock()
	if d == nil { // forgotten meanwhile
		return
	}
	a.change(deviceID, func(d *device, now time.Time) bool {
		d.connections = max(0, d.connections-1)
		d.seen = now
		return false
	})
}

// Forget drops what is known of a device that was retired.
func (a *Appraiser) Forget(deviceID string) {
	a.mu.Lock()
	d := a.devices[deviceID]
	if r := a.repairs[deviceID]; r != nil {
		r.gone = true
	}
	if d != nil {
		a.plan(d, time.Time{})
		delete(a.devices, deviceID)
		if d.command != nil {
			close(d.command.done)
			d.command = nil
		}
		d.ring()
	}
	a.mu.Unlock()
	if d != nil {
		a.tell(deviceID)
	}
}
