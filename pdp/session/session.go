package session

import (
	"cmp"
	"crypto/sha256"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// session is one session in memory. What a renewal changes makes a new one, so
// that the request path reads it without locks.
type session struct {
	id      string
	cookie  [sha256.Size]byte
	portal  string
	agency  string // the portal's
	signIn  wire.SignIn
	device  string
	created time.Time
	ends    int64 // absolute end; this and the times below in Unix nanoseconds
	places  []*place

	// generation grows with every change of an input; decisions of an older
	// one no longer hold.
	generation atomic.Uint64
	ended      atomic.Bool
	lastSeen   atomic.Int64
	stranger   atomic.Int64 // when an unproven network was last recorded

	mu       sync.Mutex
	revision int64 // of the stored record
	stored   int64 // the last use that the store knows
}

// place is a network on which the session's device was confirmed, with the
// decisions taken there. Its binding is what was proven there, and counts
// nowhere else.
type place struct {
	network  netip.Prefix
	binding  wire.DeviceBinding
	provenAt int64
	slots    [grades]slot // of no class
	classes  classes
}

func newPlace(network netip.Prefix, binding wire.DeviceBinding) *place {
	return &place{network: network, binding: binding, provenAt: binding.At.UnixNano()}
}

// slot holds the decision for one graded action on one class of resources.
type slot struct {
	current atomic.Pointer[grant]
	mu      sync.Mutex
	flight  *flight
}

// grant is a decision in effect. It does not change, except for its counter.
type grant struct {
	access     wire.Access
	of         *session
	generation uint64
	epoch      uint64
	until      int64
	uses       atomic.Uint64 // since they were last recorded
}

const grades = 3

// grade returns an action's place in the slots; what no rule lists is a write.
func grade(a wire.Action) int {
	switch a {
	case wire.ActionRead:
		return 0
	case wire.ActionAdmin:
		return 2
	default:
		return 1
	}
}

// place returns where addr is, or nil on a network that is not proven.
func (s *session) place(addr netip.Addr) *place {
	addr = addr.Unmap().WithZone("")
	for _, p := range s.places {
		if p.network.Contains(addr) {
			return p
		}
	}
	return nil
}

// placeOf returns where q is from, or nil.
func (s *session) placeOf(q *wire.AccessRequest) *place {
	if q.Session == "" || q.Address.IsValid() {
		return s.place(q.Address)
	}
	return slices.MaxFunc(s.places, func(a, b *place) int { return cmp.Compare(a.provenAt, b.provenAt) })
}

// touch notes a use. It writes at most once a second, so that cores do not
// pass the line around for every request.
func (s *session) touch(now int64) {
	if now-s.lastSeen.Load() >= int64(time.Second) {
		s.lastSeen.Store(now)
	}
}

// Info is what an administrator or the person may see of a session.
type Info struct {
	ID       string    `json:"id"`
	Portal   string    `json:"portal"`
	Person   string    `json:"person"`
	Device   string    `json:"device"`
	Networks []string  `json:"networks"`
	Created  time.Time `json:"created"`
	SignIn   time.Time `json:"sign_in"`
	LastSeen time.Time `json:"last_seen"`
	Ends     time.Time `json:"ends"`
}

func (s *session) info() Info {
	i := Info{
		ID: s.id, Portal: s.portal, Person: s.signIn.PersonID, Device: s.device,
		Created: s.created, SignIn: s.signIn.At,
		LastSeen: time.Unix(0, s.lastSeen.Load()).UTC(), Ends: time.Unix(0, s.ends).UTC(),
	}
	for _, p := range s.places {
		i.Networks = append(i.Networks, p.network.String())
	}
	return i
}
