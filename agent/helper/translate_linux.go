package helper

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/wire"
)

// What is known of a rule's conditions, seen by an unsolicited packet that comes
// from outside. A condition that is not understood makes the rule unclear: it
// then never counts as a drop, and counts as an accept if it accepts.
type translation struct {
	reading *reading
	chain   chainName

	registers map[uint32]register
	narrow    bool // some condition narrows the rule
	unclear   bool // some condition is not understood, or nearly always holds
	only      string
	iface     string
	// choices are the alternatives of one set or verdict map, if any.
	choices []choice
	verdict verdict
}

// verdict is where a rule sends a packet.
type verdict struct {
	kind   wire.FirewallVerdict
	target string
}

// source is what a register was loaded with.
type source int

const (
	sourceUnknown  source = iota
	sourceNarrow          // addresses, ports and the like: comparing narrows
	sourceProtocol        // TCP and UDP alone narrow nothing, other protocols do
	sourceFamily          // meta nfproto
	sourceInterfaceName
	sourceInterfaceIndex
	sourceConnection // ct state
)

type register struct {
	source source
	mask   []byte // of a bitwise and, nil if none
	low    uint16 // the lower bound of a port that was compared with "at least"
	bound  bool
}

// stateNew is the bit of a new connection (NF_CT_STATE_BIT of IP_CT_NEW).
const stateNew = 8

// loopbackIndex is the loopback interface's number in every namespace.
const loopbackIndex = 1

// translate reduces one rule's expressions to wire rules: one, or one for each
// element of the set or verdict map that it looks into.
func (r *reading) translate(chain chainName, expressions []attributes) ([]wire.FirewallRule, error) {
	t := translation{reading: r, chain: chain, registers: map[uint32]register{}, verdict: verdict{kind: wire.VerdictContinue}}
	for _, e := range expressions {
		data, err := e.nested(unix.NFTA_EXPR_DATA)
		if err != nil {
			return nil, err
		}
		if err := t.expression(e.text(unix.NFTA_EXPR_NAME), data); err != nil {
			return nil, err
		}
	}
	for _, reg := range t.registers {
		t.unclear = t.unclear || reg.bound // "at least", with no upper bound
	}
	return t.rules(), nil
}

func (t *translation) rules() []wire.FirewallRule {
	whole := wire.FirewallRule{Match: wire.MatchEvery, Verdict: t.verdict.kind, Target: t.verdict.target, Only: t.only, Interface: t.iface}
	switch {
	case t.narrow:
		whole.Match = wire.MatchSome
	case t.unclear:
		whole.Match = wire.MatchUnclear
	}
	if t.choices == nil {
		return []wire.FirewallRule{whole}
	}
	var rules []wire.FirewallRule
	for _, c := range t.choices {
		one := whole
		if c.unclear && one.Match == wire.MatchEvery {
			one.Match = wire.MatchUnclear
		}
		if c.narrow || (c.only != "" && one.Only != "" && c.only != one.Only) || (c.iface != "" && one.Interface != "") {
			one.Match = wire.MatchSome
		}
		if c.only != "" {
			one.Only = c.only
		}
		if c.iface != "" {
			one.Interface = c.iface
		}
		if c.verdict.kind != "" {
			one.Verdict, one.Target = c.verdict.kind, c.verdict.target
		}
		rules = append(rules, one)
	}
	return rules
}

// expression takes one expression of a rule into account
// (linux/netfilter/nf_tables.h names them).
func (t *translation) expression(name string, data attributes) error {
	switch name {
	case "counter", "log", "last", "notrack", "dup":
	case "meta":
		t.load(data, unix.NFTA_META_DREG, unix.NFTA_META_SREG, metaSource(data.optional(unix.NFTA_META_KEY)))
	case "ct":
		from := sourceNarrow
		if data.optional(unix.NFTA_CT_KEY) == unix.NFT_CT_STATE && !data.has(unix.NFTA_CT_DIRECTION) {
			from = sourceConnection
		}
		t.load(data, unix.NFTA_CT_DREG, unix.NFTA_CT_SREG, from)
	case "payload":
		t.load(data, unix.NFTA_PAYLOAD_DREG, unix.NFTA_PAYLOAD_SREG, payloadSource(data))
	case "bitwise":
		return t.bitwise(data)
	case "cmp":
		return t.compare(data)
	case "lookup":
		return t.lookup(data)
	case "immediate":
		return t.immediate(data)
	case "reject":
		t.verdict = verdict{kind: wire.VerdictDrop}
	case "match":
		t.xtMatch(data)
	case "target":
		t.xtTarget(data)
	case "queue", "synproxy", "tproxy":
		t.verdict = verdict{kind: wire.VerdictOther}
	case "objref":
		t.unclear = t.unclear || data.optional(unix.NFTA_OBJREF_IMM_TYPE) != unix.NFT_OBJECT_COUNTER
	default: // limit, quota, numgen, fib, what later kernels bring
		t.unclear = true
	}
	return nil
}

// load notes what a register holds from here on; a write to the packet or its
// metadata is no condition.
func (t *translation) load(data attributes, destination, from uint16, s source) {
	if !data.has(destination) {
		if !data.has(from) {
			t.unclear = true
		}
		return
	}
	t.set(data.optional(destination), register{source: s})
}

// set replaces a register; an "at least" that nothing bounded stays unclear.
func (t *translation) set(number uint32, r register) {
	t.unclear = t.unclear || t.registers[number].bound
	t.registers[number] = r
}

func metaSource(key uint32) source {
	switch key {
	case unix.NFT_META_NFPROTO:
		return sourceFamily
	case unix.NFT_META_IIFNAME:
		return sourceInterfaceName
	case unix.NFT_META_IIF:
		return sourceInterfaceIndex
	case unix.NFT_META_L4PROTO:
		return sourceProtocol
	case unix.NFT_META_PRANDOM:
		return sourceUnknown
	}
	return sourceNarrow
}

// payloadSource tells the protocol fields of IPv4 (at 9) and IPv6 (at 6).
func payloadSource(data attributes) source {
	offset := data.optional(unix.NFTA_PAYLOAD_OFFSET)
	if data.optional(unix.NFTA_PAYLOAD_BASE) == unix.NFT_PAYLOAD_NETWORK_HEADER &&
		data.optional(unix.NFTA_PAYLOAD_LEN) == 1 && (offset == 9 || offset == 6) {
		return sourceProtocol
	}
	return sourceNarrow
}

// carriesPorts tells TCP and UDP, by which nearly everything comes.
func carriesPorts(protocol byte) bool {
	return protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_UDP
}

func (t *translation) bitwise(data attributes) error {
	mask, err := value(data, unix.NFTA_BITWISE_MASK)
	if err != nil {
		return err
	}
	xor, err := value(data, unix.NFTA_BITWISE_XOR)
	if err != nil {
		return err
	}
	from := t.registers[data.optional(unix.NFTA_BITWISE_SREG)]
	if mask == nil || from.mask != nil || slices.ContainsFunc(xor, func(b byte) bool { return b != 0 }) {
		from.source = sourceUnknown
	}
	from.mask = mask
	t.set(data.optional(unix.NFTA_BITWISE_DREG), from)
	return nil
}

func (t *translation) immediate(data attributes) error {
	if data.optional(unix.NFTA_IMMEDIATE_DREG) != unix.NFT_REG_VERDICT {
		t.set(data.optional(unix.NFTA_IMMEDIATE_DREG), register{source: sourceUnknown})
		return nil
	}
	inner, err := data.nested(unix.NFTA_IMMEDIATE_DATA)
	if err != nil {
		return err
	}
	t.verdict, err = parseVerdict(inner)
	return err
}

// value reads a nested NFTA_DATA_VALUE.
func value(data attributes, kind uint16) ([]byte, error) {
	inner, err := data.nested(kind)
	if err != nil {
		return nil, err
	}
	return inner[unix.NFTA_DATA_VALUE], nil
}

// parseVerdict reads a nested NFTA_DATA_VERDICT.
func parseVerdict(data attributes) (verdict, error) {
	inner, err := data.nested(unix.NFTA_DATA_VERDICT)
	if err != nil {
		return verdict{}, err
	}
	code, err := inner.number(unix.NFTA_VERDICT_CODE)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{target: inner.text(unix.NFTA_VERDICT_CHAIN)}
	switch int32(code) { // #nosec G115 -- the kernel's verdicts are signed (enum nft_verdicts)
	case dropCode:
		v.kind = wire.VerdictDrop
	case acceptCode:
		v.kind = wire.VerdictAccept
	case unix.NFT_JUMP:
		v.kind = wire.VerdictJump
	case unix.NFT_GOTO:
		v.kind = wire.VerdictGoto
	case unix.NFT_RETURN:
		v.kind = wire.VerdictReturn
	case unix.NFT_CONTINUE, unix.NFT_BREAK:
		v.kind = wire.VerdictContinue
	default:
		v.kind = wire.VerdictOther
	}
	return v, nil
}
