package remedy

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Bits of a connection's state (nf_conntrack_common.h).
const (
	stateEstablished = 1 << 1
	stateRelated     = 1 << 2
)

const (
	loopbackType  = 772 // ARPHRD_LOOPBACK
	dhcpv6Client  = 546
	linkLocalBits = 10
)

// rules are what passes: answers to what this machine asked, the machine
// itself, the errors and neighbours of ICMP, and a router's answer to DHCPv6,
// which comes from another address than the question went to.
func rules() [][]netlink.Attribute {
	return [][]netlink.Attribute{
		{
			load("ct", number(unix.NFTA_CT_KEY, unix.NFT_CT_STATE), number(unix.NFTA_CT_DREG, unix.NFT_REG_1)),
			mask(native(stateEstablished|stateRelated), native(0)),
			compare(unix.NFT_CMP_NEQ, native(0)), accept(),
		},
		{meta(unix.NFT_META_IIFTYPE), compare(unix.NFT_CMP_EQ, binary.NativeEndian.AppendUint16(nil, loopbackType)), accept()},
		{meta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, []byte{unix.IPPROTO_ICMP}), accept()},
		{meta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, []byte{unix.IPPROTO_ICMPV6}), accept()},
		{
			meta(unix.NFT_META_NFPROTO), compare(unix.NFT_CMP_EQ, []byte{unix.NFPROTO_IPV6}),
			payload(unix.NFT_PAYLOAD_NETWORK_HEADER, 8, 2), // the source's first bytes: fe80::/10
			mask([]byte{0xff, 0xff << (16 - linkLocalBits) & 0xff}, []byte{0, 0}), compare(unix.NFT_CMP_EQ, []byte{0xfe, 0x80}),
			meta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, []byte{unix.IPPROTO_UDP}),
			payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2), compare(unix.NFT_CMP_EQ, binary.BigEndian.AppendUint16(nil, dhcpv6Client)),
			accept(),
		},
	}
}

func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// load is an expression that puts something into the first register.
func load(name string, attributes ...netlink.Attribute) netlink.Attribute {
	return nest(unix.NFTA_LIST_ELEM, text(unix.NFTA_EXPR_NAME, name), nest(unix.NFTA_EXPR_DATA, attributes...))
}

func meta(key uint32) netlink.Attribute {
	return load("meta", number(unix.NFTA_META_KEY, key), number(unix.NFTA_META_DREG, unix.NFT_REG_1))
}

func payload(base, offset, length uint32) netlink.Attribute {
	return load("payload", number(unix.NFTA_PAYLOAD_DREG, unix.NFT_REG_1), number(unix.NFTA_PAYLOAD_BASE, base),
		number(unix.NFTA_PAYLOAD_OFFSET, offset), number(unix.NFTA_PAYLOAD_LEN, length))
}

// mask keeps some bits of the register and turns others over.
func mask(keep, turn []byte) netlink.Attribute {
	return load("bitwise", number(unix.NFTA_BITWISE_SREG, unix.NFT_REG_1), number(unix.NFTA_BITWISE_DREG, unix.NFT_REG_1),
		number(unix.NFTA_BITWISE_LEN, uint32(len(keep))), // #nosec G115 -- a register's size
		nest(unix.NFTA_BITWISE_MASK, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: keep}),
		nest(unix.NFTA_BITWISE_XOR, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: turn}))
}

func compare(operation uint32, value []byte) netlink.Attribute {
	return load("cmp", number(unix.NFTA_CMP_SREG, unix.NFT_REG_1), number(unix.NFTA_CMP_OP, operation),
		nest(unix.NFTA_CMP_DATA, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: value}))
}

func accept() netlink.Attribute {
	return load("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT),
		nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, number(unix.NFTA_VERDICT_CODE, nfAccept))))
}
