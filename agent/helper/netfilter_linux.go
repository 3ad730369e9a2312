package helper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/wire"
)

// netfilter reads nf_tables by netlink, with attributes of its own reading: a
// library that leaves out expressions that it does not know would turn a
// narrow drop into one without condition.
type netfilter struct {
	// namespace is a network namespace's descriptor, 0 for this process's own.
	namespace int
	// sys is /sys.
	sys fs.FS
}

// Bounds of what is read.
const (
	readTries   = 5
	maxRules    = 20_000
	maxElements = 4096
	netlinkTime = 10 * time.Second
)

var (
	errChanging = errors.New("the packet filter kept changing while it was read")
	errTooMany  = errors.New("the packet filter has more rules than are read")
	errShort    = errors.New("a short netlink message")
)

// Ruleset reads the rules that meet inbound packets, as of one generation.
func (n *netfilter) Ruleset() (wire.FirewallRuleset, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: n.namespace})
	if err != nil {
		return wire.FirewallRuleset{}, fmt.Errorf("netlink: %w", err)
	}
	defer func() { _ = conn.Close() }()
	for range readTries {
		if err := conn.SetDeadline(time.Now().Add(netlinkTime)); err != nil {
			return wire.FirewallRuleset{}, fmt.Errorf("netlink: %w", err)
		}
		rules, err := n.once(conn)
		// A chain or set that vanishes between two questions is a change too.
		if errors.Is(err, errChanging) || errors.Is(err, unix.ENOENT) {
			continue
		}
		return rules, err
	}
	return wire.FirewallRuleset{}, errChanging
}

func (n *netfilter) once(conn *netlink.Conn) (wire.FirewallRuleset, error) {
	before, err := generation(conn)
	if err != nil {
		return wire.FirewallRuleset{}, err
	}
	r := reading{conn: conn, interfaces: n.interfaceNames(), elements: map[setName][]element{}}
	rules := wire.FirewallRuleset{Interfaces: n.physical()}
	if rules.Chains, err = r.inbound(); err != nil {
		return wire.FirewallRuleset{}, err
	}
	after, err := generation(conn)
	if err != nil {
		return wire.FirewallRuleset{}, err
	}
	if before != after {
		return wire.FirewallRuleset{}, errChanging
	}
	return rules, nil
}

// Watch listens to nf_tables' multicast group.
func (n *netfilter) Watch(ctx context.Context, ready, changed func()) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: n.namespace})
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	if err := conn.JoinGroup(unix.NFNLGRP_NFTABLES); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	ready()
	for {
		messages, err := conn.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS): // the kernel dropped some: something changed
			changed()
		case err != nil:
			return fmt.Errorf("netlink: %w", err)
		case slices.ContainsFunc(messages, isGeneration):
			changed()
		}
	}
}

// isGeneration tells the message that closes each committed change.
func isGeneration(m netlink.Message) bool {
	return m.Header.Type == nftMessage(unix.NFT_MSG_NEWGEN)
}

func nftMessage(kind uint16) netlink.HeaderType {
	return netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind)
}

// query asks nf_tables and returns each message's family and attributes.
func query(conn *netlink.Conn, kind uint16, flags netlink.HeaderFlags, family byte, attributes ...netlink.Attribute) ([]object, error) {
	body, err := netlink.MarshalAttributes(attributes)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	header := []byte{family, unix.NFNETLINK_V0, 0, 0} // struct nfgenmsg
	messages, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: nftMessage(kind), Flags: netlink.Request | flags},
		Data:   append(header, body...),
	})
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	objects := make([]object, 0, len(messages))
	for _, m := range messages {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return nil, errChanging
		}
		if len(m.Data) < len(header) {
			return nil, errShort
		}
		a, err := parse(m.Data[len(header):])
		if err != nil {
			return nil, err
		}
		objects = append(objects, object{family: m.Data[0], attributes: a})
	}
	return objects, nil
}

func generation(conn *netlink.Conn) (uint32, error) {
	objects, err := query(conn, unix.NFT_MSG_GETGEN, 0, 0)
	if err != nil {
		return 0, err
	}
	if len(objects) != 1 {
		return 0, errShort
	}
	return objects[0].number(unix.NFTA_GEN_ID)
}

// physical lists the interfaces that a device stands behind.
func (n *netfilter) physical() []string {
	var names []string
	entries, err := fs.ReadDir(n.sys, "class/net")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if _, err := fs.Stat(n.sys, "class/net/"+e.Name()+"/device"); err == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// interfaceNames maps interface numbers to names.
func (n *netfilter) interfaceNames() map[uint32]string {
	names := map[uint32]string{}
	entries, err := fs.ReadDir(n.sys, "class/net")
	if err != nil {
		return names
	}
	for _, e := range entries {
		raw, err := fs.ReadFile(n.sys, "class/net/"+e.Name()+"/ifindex")
		if err != nil {
			continue
		}
		if index, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 32); err == nil {
			names[uint32(index)] = e.Name()
		}
	}
	return names
}

// object is one netlink message: its family and attributes.
type object struct {
	family byte
	attributes
}

// attributes are the netlink attributes of one level, by type.
type attributes map[uint16][]byte

// typeMask takes the flags off an attribute's type (NLA_TYPE_MASK).
const typeMask = 0x3fff

func parse(raw []byte) (attributes, error) {
	list, err := netlink.UnmarshalAttributes(raw)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	a := make(attributes, len(list))
	for _, one := range list {
		a[one.Type&typeMask] = one.Data
	}
	return a, nil
}

// list parses an attribute that holds a list of attributes of equal type.
func (a attributes) list(kind uint16) ([]attributes, error) {
	raw, ok := a[kind]
	if !ok {
		return nil, nil
	}
	items, err := netlink.UnmarshalAttributes(raw)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	var list []attributes
	for _, item := range items {
		one, err := parse(item.Data)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// nested parses an attribute that holds attributes; without it none.
func (a attributes) nested(kind uint16) (attributes, error) {
	raw, ok := a[kind]
	if !ok {
		return attributes{}, nil
	}
	return parse(raw)
}

func (a attributes) text(kind uint16) string { return strings.TrimRight(string(a[kind]), "\x00") }

// number reads a big-endian attribute of 32 bits.
func (a attributes) number(kind uint16) (uint32, error) {
	raw, ok := a[kind]
	if !ok || len(raw) != 4 {
		return 0, errShort
	}
	return binary.BigEndian.Uint32(raw), nil
}

// optional is number, or 0 without the attribute.
func (a attributes) optional(kind uint16) uint32 {
	n, err := a.number(kind)
	if err != nil {
		return 0
	}
	return n
}

func (a attributes) has(kind uint16) bool {
	_, ok := a[kind]
	return ok
}
