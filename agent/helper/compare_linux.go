package helper

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// widePorts is the number of ports from which on a range is no exception that
// narrows a rule any more.
const widePorts = 1 << 14

// compare takes "register operator value" into account.
func (t *translation) compare(data attributes) error {
	want, err := value(data, unix.NFTA_CMP_DATA)
	if err != nil {
		return err
	}
	number := data.optional(unix.NFTA_CMP_SREG)
	reg := t.registers[number]
	op := data.optional(unix.NFTA_CMP_OP)
	switch {
	case reg.mask != nil && !slices.ContainsFunc(reg.mask, func(b byte) bool { return b != 0 }):
		t.masked(op, want) // such as ip saddr 0.0.0.0/0
	case reg.source == sourceConnection:
		t.connection(reg, op, want)
	case reg.mask != nil && reg.source != sourceNarrow:
		t.unclear = true
	case reg.source == sourceFamily:
		t.family(op, want)
	case reg.source == sourceProtocol:
		t.protocol(op, want)
	case reg.source == sourceInterfaceName:
		t.interfaceName(op, want)
	case reg.source == sourceInterfaceIndex:
		t.interfaceIndex(op, want)
	case reg.source == sourceNarrow:
		t.registers[number] = t.order(reg, op, want)
	default:
		t.unclear = true
	}
	return nil
}

// masked compares nothing but zeros: it always holds, or never.
func (t *translation) masked(op uint32, want []byte) {
	zero := !slices.ContainsFunc(want, func(b byte) bool { return b != 0 })
	switch {
	case op == unix.NFT_CMP_EQ && zero, op == unix.NFT_CMP_NEQ && !zero:
	case op == unix.NFT_CMP_EQ, op == unix.NFT_CMP_NEQ:
		t.narrow = true // never met
	default:
		t.unclear = true
	}
}

// connection knows the two shapes of `ct state`: a masked value that is not
// zero, and one value that is equal.
func (t *translation) connection(reg register, op uint32, want []byte) {
	state := want
	if reg.mask != nil {
		if op != unix.NFT_CMP_NEQ || slices.ContainsFunc(want, func(b byte) bool { return b != 0 }) {
			t.unclear = true
			return
		}
		state, op = reg.mask, unix.NFT_CMP_EQ
	}
	if op != unix.NFT_CMP_EQ || len(state) != 4 {
		t.unclear = true
		return
	}
	if binary.NativeEndian.Uint32(state)&stateNew == 0 {
		t.narrow = true // replies only
	}
}

func (t *translation) family(op uint32, want []byte) {
	if len(want) != 1 || (op != unix.NFT_CMP_EQ && op != unix.NFT_CMP_NEQ) {
		t.unclear = true
		return
	}
	family := familyName(want[0])
	if op == unix.NFT_CMP_NEQ {
		family = map[string]string{"ip": "ip6", "ip6": "ip"}[family]
	}
	switch {
	case family != "ip" && family != "ip6":
		t.unclear = true
	case t.only != "" && t.only != family:
		t.narrow = true // never met
	default:
		t.only = family
	}
}

// protocol: a rule for all of TCP or all of UDP is for nearly everything.
func (t *translation) protocol(op uint32, want []byte) {
	if op == unix.NFT_CMP_EQ && len(want) == 1 && !carriesPorts(want[0]) {
		t.narrow = true
		return
	}
	t.unclear = true
}

func (t *translation) interfaceName(op uint32, want []byte) {
	t.oneInterface(op, pattern(want))
}

func (t *translation) interfaceIndex(op uint32, want []byte) {
	if len(want) != 4 {
		t.unclear = true
		return
	}
	index := binary.NativeEndian.Uint32(want)
	name := t.reading.interfaces[index]
	if index == loopbackIndex {
		name = "lo"
	}
	t.oneInterface(op, name)
}

// oneInterface narrows the rule to one interface. Packets from outside never come by
// the loopback interface, and always by another.
func (t *translation) oneInterface(op uint32, name string) {
	switch {
	case op == unix.NFT_CMP_NEQ && name == "lo":
	case op == unix.NFT_CMP_EQ && name == "lo", op == unix.NFT_CMP_EQ && t.iface != "" && t.iface != name:
		t.narrow = true
	case op == unix.NFT_CMP_EQ && name != "":
		t.iface = name
	default:
		t.unclear = true
	}
}

// pattern reads an interface name; without its final zero it is a prefix, as
// `iifname "wl*"` is stored.
func pattern(raw []byte) string {
	name, _, whole := bytes.Cut(raw, []byte{0})
	if whole || len(raw) >= unix.IFNAMSIZ {
		return string(name)
	}
	return string(name) + "*"
}

// order handles comparisons of addresses, ports and the like. Equality narrows;
// inequality hardly does; two bounds narrow when they lie close.
func (t *translation) order(reg register, op uint32, want []byte) register {
	switch op {
	case unix.NFT_CMP_EQ:
		t.narrow = true
	case unix.NFT_CMP_GT, unix.NFT_CMP_GTE:
		if len(want) == 2 && reg.mask == nil {
			reg.low, reg.bound = binary.BigEndian.Uint16(want), true
			return reg
		}
		t.unclear = true
	case unix.NFT_CMP_LT, unix.NFT_CMP_LTE:
		if len(want) == 2 && reg.mask == nil && int(binary.BigEndian.Uint16(want)) < int(reg.low)+widePorts {
			t.narrow = true
			reg.bound = false
			return reg
		}
		t.unclear = true
	default:
		t.unclear = true
	}
	return reg
}
