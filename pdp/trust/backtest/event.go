package backtest

import (
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Label says what an event truly was. The empty label of a sign-in that ended
// well means that nobody ever doubted it: it counts as Genuine.
type Label string

// Labels. Any other text names a kind of attacker.
const (
	Genuine       Label = "genuine"
	Naive         Label = "naive"
	VPN           Label = "vpn"
	Targeted      Label = "targeted"
	VeryTargeted  Label = "very-targeted"
	maxLabelBytes       = 64
)

// Event is one observation of the past with what is known of it.
type Event struct {
	wire.Observation
	Label Label `json:"label,omitempty"`
	// Variant divides a kind of attacker further in the report, such as by what
	// the attacker holds.
	Variant string `json:"variant,omitempty"`
	// Session joins the events of one session, the sign-in first; 0 is a
	// session of its own.
	Session int `json:"session,omitempty"`
	// Poison marks an attack that the product takes for the person: it is
	// judged and then taught. Familiar is how many were taught before it.
	Poison   bool `json:"poison,omitempty"`
	Familiar int  `json:"familiar,omitempty"`
}

// attack reports whether somebody else than the person did this.
func (e *Event) attack() bool { return e.Label != "" && e.Label != Genuine }

// begins reports whether the event is a sign-in: what a session's score starts from.
func (e *Event) begins() bool {
	return e.Kind == wire.ObservedSignIn || e.Kind == wire.ObservedSituation
}

// observation is what plugins are given: an attack teaches nothing unless the
// product is to be fooled by it.
func (e *Event) observation() wire.Observation {
	o := e.Observation
	if e.attack() && !e.Poison && o.Kind != wire.ObservedFailure {
		o.Kind = wire.ObservedSituation
	}
	return o
}

// InOrder sorts events by time; those of one moment keep their order.
func InOrder(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
}
