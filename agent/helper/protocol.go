package helper

import (
	"errors"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// version of the questions; agent and helper are one binary, so it only tells
// that an upgrade forgot to restart one of them.
const version = 1

// Questions.
const (
	askFirewall = "firewall"
	askWatch    = "watch"
	askBaseline = "baseline"
	askEventLog = "event-log"
	askIMA      = "ima"
)

// Events on a watch.
const (
	eventReady    = "ready"    // the watch stands: what changes now is told
	eventFirewall = "firewall" // the packet filter changed, or may have
	eventAlive    = "alive"    // nothing changed; the helper is there
)

// Bounds.
const (
	maxQuestion    = 1 << 10
	maxAnswer      = 4 << 20
	maxConnections = 16
	questionTime   = 5 * time.Second
	heartbeat      = 10 * time.Second
)

// question is the one line that a connection carries to the helper.
type question struct {
	V   int    `json:"v"`
	Ask string `json:"ask"`
	// From is an entry's number in the run-time measurement list.
	From int `json:"from,omitempty"`
}

// answer is a line back: a ruleset, root's facts, what was measured, an event, or
// a problem.
type answer struct {
	Firewall *wire.FirewallRuleset `json:"firewall,omitempty"`
	Root     *wire.RootFacts       `json:"root,omitempty"`
	EventLog []byte                `json:"event_log,omitempty"`
	IMA      *wire.IMAPiece        `json:"ima,omitempty"`
	Event    string                `json:"event,omitempty"`
	Problem  string                `json:"problem,omitempty"`
}

// Errors that a caller may match.
var (
	// ErrUnreachable: no helper answers at the socket.
	ErrUnreachable = errors.New("helper: not reachable")
	// ErrRefused: the helper answered with a problem.
	ErrRefused = errors.New("helper: refused")
	// ErrUnsupported: this operating system has no helper yet.
	ErrUnsupported = errors.New("helper: not supported on this system yet")
)
