package helper

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Rules that iptables-nft made carry xtables' matches and targets
// (iptables-extensions(8)).

// xtMatch takes a match into account. Those that only ever narrow are listed;
// addrtype, limit and the rest may meet everything.
func (t *translation) xtMatch(data attributes) {
	info := data[unix.NFTA_MATCH_INFO]
	switch data.text(unix.NFTA_MATCH_NAME) {
	case "comment":
	case "conntrack":
		t.xtState(conntrackStates(info))
	case "state":
		if len(info) < 4 {
			t.unclear = true
			return
		}
		t.xtState(binary.NativeEndian.Uint32(info), true)
	case "tcp":
		t.xtPorts(info, tcpInversions)
	case "udp":
		t.xtPorts(info, udpInversions)
	case "multiport":
		t.either(len(info) > multiportInvert && info[multiportInvert] == 0)
	case "icmp", "icmp6", "set", "mac", "iprange", "mark", "connmark", "owner", "rt", "frag", "ah", "esp",
		"hbh", "dst", "ipv6header", "helper", "ttl", "hl", "dscp", "string", "pkttype":
		t.narrow = true
	default:
		t.unclear = true
	}
}

// either notes a match that narrows, or else may meet everything.
func (t *translation) either(narrows bool) {
	if narrows {
		t.narrow = true
		return
	}
	t.unclear = true
}

// Offsets in struct xt_tcp and xt_udp (linux/netfilter/xt_tcpudp.h): two source
// ports, two destination ports, then options and the inversions; and in struct
// xt_multiport_v1 (linux/netfilter/xt_multiport.h).
const (
	tcpInversions   = 11
	udpInversions   = 8
	multiportInvert = 47
)

// xtPorts narrows when source or destination ports lie close together.
func (t *translation) xtPorts(info []byte, inversions int) {
	if len(info) <= inversions || info[inversions] != 0 {
		t.unclear = true
		return
	}
	width := func(at int) int {
		return int(binary.NativeEndian.Uint16(info[at+2:])) - int(binary.NativeEndian.Uint16(info[at:]))
	}
	t.either(width(0) < widePorts || width(4) < widePorts)
}

func (t *translation) xtState(states uint32, understood bool) {
	switch {
	case !understood:
		t.unclear = true
	case states&stateNew == 0:
		t.narrow = true
	}
}

// Offsets in struct xt_conntrack_mtinfo2 and mtinfo3 (linux/netfilter/
// xt_conntrack.h): eight addresses, two times, a protocol and four ports, then
// match_flags, invert_flags and state_mask of 16 bits each.
const (
	conntrackFlags  = 146
	conntrackInvert = 148
	conntrackState  = 150
	conntrackEnd    = 152
	// conntrackByState is XT_CONNTRACK_STATE: the match looks at the state.
	conntrackByState = 1
)

// conntrackStates returns the states of a match that asks for nothing else.
func conntrackStates(info []byte) (states uint32, understood bool) {
	if len(info) < conntrackEnd {
		return 0, false
	}
	flags := binary.NativeEndian.Uint16(info[conntrackFlags:])
	inverted := binary.NativeEndian.Uint16(info[conntrackInvert:])
	if flags != conntrackByState || inverted != 0 {
		return 0, false
	}
	return uint32(binary.NativeEndian.Uint16(info[conntrackState:])), true
}

// xtTarget takes a target into account.
func (t *translation) xtTarget(data attributes) {
	switch data.text(unix.NFTA_TARGET_NAME) {
	case "REJECT":
		t.verdict = verdict{kind: wire.VerdictDrop}
	case "LOG", "NFLOG", "MARK", "CONNMARK", "TCPMSS", "DSCP", "CT", "AUDIT", "CLASSIFY":
	default:
		t.verdict = verdict{kind: wire.VerdictOther}
	}
}
