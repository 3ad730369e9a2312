package remedy

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// firewall refuses unsolicited inbound packets by a table of its own in
// nf_tables. Whatever other rules there are stay as they are; a packet that
// they accept must pass this table as well.
type firewall struct {
	// namespace is a network namespace's descriptor, 0 for this process's own.
	namespace int
}

// The table; nobody else's has this name.
const (
	firewallTable = "menshen"
	firewallChain = "input"
	netlinkTime   = 10 * time.Second
)

var errTableThere = errors.New("a table inet menshen is there already, which is not this program's")

// before refuses a table of this name that somebody else made. There is nothing
// else to record: undo takes the table away.
func (f *firewall) before(context.Context) (json.RawMessage, error) {
	there, err := f.exists()
	if err != nil {
		return nil, err
	}
	if there {
		return nil, errTableThere
	}
	return json.RawMessage(`{}`), nil
}

// apply makes the table anew, in one transaction: there is no moment at which
// half of it holds.
func (f *firewall) apply(context.Context) error {
	messages := []netlink.Message{
		newTable(), // so that deleting it cannot fail
		deleteTable(),
		newTable(),
		newChain(),
	}
	for _, rule := range rules() {
		messages = append(messages, newRule(rule))
	}
	return f.transact(messages)
}

func (f *firewall) restore(context.Context, json.RawMessage) error {
	return f.transact([]netlink.Message{newTable(), deleteTable()})
}

func (f *firewall) dial() (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: f.namespace})
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(netlinkTime)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (f *firewall) exists() (bool, error) {
	conn, err := f.dial()
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Execute(netfilter(unix.NFT_MSG_GETTABLE, netlink.Request, text(unix.NFTA_TABLE_NAME, firewallTable)))
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("netlink: %w", err)
	}
	return true, nil
}

// transact sends messages as one transaction; the last of them is acknowledged
// once all are committed.
func (f *firewall) transact(messages []netlink.Message) error {
	conn, err := f.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	messages[len(messages)-1].Header.Flags |= netlink.Acknowledge
	batch := append([]netlink.Message{boundary(unix.NFNL_MSG_BATCH_BEGIN)}, messages...)
	batch = append(batch, boundary(unix.NFNL_MSG_BATCH_END))
	if _, err := conn.SendMessages(batch); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	// An error of any message comes before the acknowledgement of the last.
	if _, err := conn.Receive(); err != nil {
		return fmt.Errorf("the packet filter refused the rules: %w", err)
	}
	return nil
}

func boundary(kind uint16) netlink.Message {
	const subsystem = unix.NFNL_SUBSYS_NFTABLES
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
		Data:   []byte{0, unix.NFNETLINK_V0, 0, subsystem}, // res_id, big-endian
	}
}

func netfilter(kind uint16, flags netlink.HeaderFlags, attributes ...netlink.Attribute) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: flags},
		Data:   append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, marshal(attributes...)...),
	}
}

func newTable() netlink.Message {
	return netfilter(unix.NFT_MSG_NEWTABLE, netlink.Request|netlink.Create, text(unix.NFTA_TABLE_NAME, firewallTable))
}

func deleteTable() netlink.Message {
	return netfilter(unix.NFT_MSG_DELTABLE, netlink.Request, text(unix.NFTA_TABLE_NAME, firewallTable))
}

// newChain is a base chain at input, with priority filter, that drops.
func newChain() netlink.Message {
	return netfilter(unix.NFT_MSG_NEWCHAIN, netlink.Request|netlink.Create,
		text(unix.NFTA_CHAIN_TABLE, firewallTable), text(unix.NFTA_CHAIN_NAME, firewallChain),
		nest(unix.NFTA_CHAIN_HOOK, number(unix.NFTA_HOOK_HOOKNUM, unix.NF_INET_LOCAL_IN), number(unix.NFTA_HOOK_PRIORITY, 0)),
		number(unix.NFTA_CHAIN_POLICY, nfDrop), text(unix.NFTA_CHAIN_TYPE, "filter"))
}

// Verdicts of netfilter.
const (
	nfDrop   = 0
	nfAccept = 1
)

func newRule(expressions []netlink.Attribute) netlink.Message {
	return netfilter(unix.NFT_MSG_NEWRULE, netlink.Request|netlink.Create|netlink.Append,
		text(unix.NFTA_RULE_TABLE, firewallTable), text(unix.NFTA_RULE_CHAIN, firewallChain),
		nest(unix.NFTA_RULE_EXPRESSIONS, expressions...))
}

// marshal encodes attributes; those made here always can be.
func marshal(attributes ...netlink.Attribute) []byte {
	raw, err := netlink.MarshalAttributes(attributes)
	if err != nil {
		panic("remedy: " + err.Error())
	}
	return raw
}

func nest(kind uint16, attributes ...netlink.Attribute) netlink.Attribute {
	return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: marshal(attributes...)}
}

func text(kind uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(s), 0)}
}

func number(kind uint16, n uint32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint32(nil, n)}
}
