package remedy

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
)

// foreign are rules of somebody else, which stay as they are.
const foreign = `table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 22 accept
	}
}
`

// TestTheFirewallIsATableOfItsOwn: it comes and goes, and nothing else changes.
func TestTheFirewallIsATableOfItsOwn(t *testing.T) {
	n := newNamespace(t)
	n.run(foreign, "nft", "-f", "-")
	f := &firewall{namespace: int(n.file.Fd())}
	was := n.ruleset()
	before, err := f.before(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // applying again changes nothing
		if err := f.apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := n.ruleset()
		if !strings.HasPrefix(got, was) {
			t.Errorf("other rules changed:\n%s", got)
		}
		for _, want := range []string{
			"policy drop;", "ct state established,related accept", `iiftype loopback accept`, "meta l4proto icmp accept", "meta l4proto ipv6-icmp accept",
			"meta nfproto ipv6 @nh,64,16 & 0xffc0 == 0xfe80 udp dport 546 accept",
		} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%q is not there once:\n%s", want, got)
			}
		}
	}
	if _, err := f.before(t.Context()); !errors.Is(err, errTableThere) {
		t.Errorf("a table that is there: %v", err)
	}
	for range 2 { // restoring again changes nothing
		if err := f.restore(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		if got := n.ruleset(); got != was {
			t.Errorf("not restored:\n%s\n--- was\n%s", got, was)
		}
	}
}

// TestTheFirewallRefusesStrangersAlone: what another machine sends unasked does
// not arrive; answers, and what this machine sends itself, do.
func TestTheFirewallRefusesStrangersAlone(t *testing.T) {
	laptop, stranger := newNamespace(t), newNamespace(t)
	cable(t, laptop, stranger)
	service := laptop.listen("0.0.0.0:4711")
	from := stranger.listen("192.0.2.2:5000")
	self := laptop.listen("127.0.0.1:5001")
	send := func(conn *net.UDPConn, to, word string) {
		t.Helper()
		address, err := net.ResolveUDPAddr("udp", to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.WriteTo([]byte(word), address); err != nil {
			t.Fatal(err)
		}
	}
	next := func(conn *net.UDPConn) string {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 64)
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	send(from, "192.0.2.1:4711", "before")
	if got := next(service); got != "before" {
		t.Fatalf("the way is not open at first: %q", got)
	}
	f := &firewall{namespace: int(laptop.file.Fd())}
	if err := f.apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	stray := laptop.listen("0.0.0.0:4713")
	send(from, "192.0.2.1:4713", "unasked")
	send(self, "127.0.0.1:4713", "from itself")
	if got := next(stray); got != "from itself" {
		t.Errorf("%q arrived", got)
	}
	asking := laptop.listen("192.0.2.1:4714")
	send(asking, "192.0.2.2:5000", "question")
	if got := next(from); got != "question" {
		t.Errorf("%q arrived", got)
	}
	send(from, "192.0.2.1:4714", "answer")
	if got := next(asking); got != "answer" {
		t.Errorf("%q arrived", got)
	}
	if err := f.restore(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	send(from, "192.0.2.1:4713", "after")
	if got := next(stray); got != "after" {
		t.Errorf("%q arrived", got)
	}
}

// cable joins two namespaces by a pair of interfaces.
func cable(t *testing.T, one, other *namespace) {
	t.Helper()
	one.run("", "ip", "link", "add", "inside", "type", "veth", "peer", "name", "outside")
	give := exec.Command("nsenter", "--net=/proc/self/fd/3", "ip", "link", "set", "outside", "netns", "/proc/self/fd/4")
	give.ExtraFiles = []*os.File{one.file, other.file}
	if out, err := give.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	one.run("", "sh", "-c", "ip link set lo up && ip addr add 192.0.2.1/24 dev inside && ip link set inside up")
	other.run("", "sh", "-c", "ip addr add 192.0.2.2/24 dev outside && ip link set outside up")
}

func TestARefusedTransactionIsAnError(t *testing.T) {
	n := newNamespace(t)
	f := &firewall{namespace: int(n.file.Fd())}
	if err := f.transact([]netlink.Message{newTable(), newRule(rules()[0])}); err == nil {
		t.Error("a rule without its chain was taken")
	}
	if got := n.ruleset(); got != "" {
		t.Errorf("half a transaction holds:\n%s", got)
	}
}
