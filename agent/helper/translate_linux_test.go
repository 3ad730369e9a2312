package helper

import (
	"encoding/binary"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/wire"
)

func attr(kind uint16, data ...byte) []byte {
	raw, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: kind, Data: data}})
	if err != nil {
		panic(err)
	}
	return raw
}

func nest(t testing.TB, kind uint16, inner []byte) []byte {
	t.Helper()
	return attr(kind|unix.NLA_F_NESTED, inner...)
}

func xt(name string, info []byte) attributes {
	return attributes{1: []byte("match\x00"), 2: append(attr(unix.NFTA_MATCH_NAME, append([]byte(name), 0)...), attr(unix.NFTA_MATCH_INFO, info...)...)}
}

func ports(size int, low, high uint16, inversionsAt int, inversions byte) []byte {
	info := make([]byte, size)
	binary.NativeEndian.PutUint16(info[2:], 65535) // any source port
	binary.NativeEndian.PutUint16(info[4:], low)
	binary.NativeEndian.PutUint16(info[6:], high)
	info[inversionsAt] = inversions
	return info
}

func conntrack(flags, invert, states uint16) []byte {
	info := make([]byte, 160)
	binary.NativeEndian.PutUint16(info[conntrackFlags:], flags)
	binary.NativeEndian.PutUint16(info[conntrackInvert:], invert)
	binary.NativeEndian.PutUint16(info[conntrackState:], states)
	return info
}

// TestXtablesMatches: how the matches of iptables-nft are judged.
func TestXtablesMatches(t *testing.T) {
	for _, c := range []struct {
		what  string
		match attributes
		want  wire.FirewallMatch
	}{
		{"comment", xt("comment", nil), wire.MatchEvery},
		{"replies", xt("conntrack", conntrack(1, 0, 6)), wire.MatchSome},
		{"new connections", xt("conntrack", conntrack(1, 0, 8)), wire.MatchEvery},
		{"not replies", xt("conntrack", conntrack(1, 1, 6)), wire.MatchUnclear},
		{"other things", xt("conntrack", conntrack(3, 0, 6)), wire.MatchUnclear},
		{"short conntrack", xt("conntrack", make([]byte, 20)), wire.MatchUnclear},
		{"replies, old", xt("state", []byte{6, 0, 0, 0}), wire.MatchSome},
		{"short state", xt("state", nil), wire.MatchUnclear},
		{"one port", xt("tcp", ports(12, 22, 22, 11, 0)), wire.MatchSome},
		{"any port but one", xt("tcp", ports(12, 22, 22, 11, 2)), wire.MatchUnclear},
		{"all ports", xt("tcp", ports(12, 0, 65535, 11, 0)), wire.MatchUnclear},
		{"one UDP port, padded", xt("udp", ports(16, 53, 53, 8, 0)), wire.MatchSome},
		{"any UDP port but one, padded", xt("udp", ports(16, 53, 53, 8, 2)), wire.MatchUnclear},
		{"short tcp", xt("tcp", nil), wire.MatchUnclear},
		{"several ports", xt("multiport", make([]byte, 48)), wire.MatchSome},
		{"not several ports", xt("multiport", append(make([]byte, 47), 1)), wire.MatchUnclear},
		{"addrtype", xt("addrtype", make([]byte, 8)), wire.MatchUnclear},
		{"unheard of", xt("unheard", make([]byte, 8)), wire.MatchUnclear},
	} {
		t.Run(c.what, func(t *testing.T) {
			rules, err := (&reading{}).translate(chainName{}, []attributes{c.match})
			if err != nil || len(rules) != 1 || rules[0].Match != c.want {
				t.Errorf("%+v, %v, want %s", rules, err, c.want)
			}
		})
	}
}

// TestTheCatchAllComesLast: a map's elements have no order, but "everything
// else" must not be judged before what it leaves out.
func TestTheCatchAllComesLast(t *testing.T) {
	name := append([]byte("wlan0"), make([]byte, unix.IFNAMSIZ-5)...)
	r := &reading{elements: map[setName][]element{{name: "m"}: {
		{catchAll: true, verdict: verdict{kind: wire.VerdictDrop}},
		{key: name, verdict: verdict{kind: wire.VerdictAccept}},
	}}}
	number := func(kind uint16, n byte) []byte { return attr(kind, 0, 0, 0, n) }
	rules, err := r.translate(chainName{}, []attributes{
		{1: []byte("meta\x00"), 2: append(number(unix.NFTA_META_DREG, 1), number(unix.NFTA_META_KEY, unix.NFT_META_IIFNAME)...)},
		{1: []byte("lookup\x00"), 2: append(append(attr(unix.NFTA_LOOKUP_SET, 'm', 0), number(unix.NFTA_LOOKUP_SREG, 1)...), number(unix.NFTA_LOOKUP_DREG, 0)...)},
	})
	if err != nil || len(rules) != 2 || rules[0].Verdict != wire.VerdictAccept || rules[1].Verdict != wire.VerdictDrop {
		t.Errorf("%+v, %v", rules, err)
	}
}

// FuzzTranslate: whatever a kernel sends, a rule with an expression that is not
// known never becomes one that meets everything.
func FuzzTranslate(f *testing.F) {
	f.Add("cmp", attr(1, 0, 0, 0, 1))
	f.Add("bitwise", append(attr(1, 0, 0, 0, 1), attr(4, 4, 0, 1, 0)...))
	f.Add("lookup", attr(2, 0, 0, 0, 1))
	f.Add("immediate", attr(1, 0, 0, 0, 0))
	f.Add("match", attr(1, 't', 'c', 'p', 0))
	f.Add("brandnew", []byte{})
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		rules, err := (&reading{}).translate(chainName{}, []attributes{{1: []byte(name), 2: data}, {1: []byte("brandnew")}})
		if err != nil {
			return
		}
		for _, r := range rules {
			if r.Match == wire.MatchEvery {
				t.Errorf("%q %x: %+v", name, data, r)
			}
		}
	})
}
