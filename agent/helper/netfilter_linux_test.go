package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// show writes a chain's rules on one line each.
func show(c wire.FirewallChain) []string {
	var lines []string
	for _, r := range c.Rules {
		line := string(r.Match) + " " + string(r.Verdict)
		for _, more := range []string{r.Target, r.Only, r.Interface} {
			if more != "" {
				line += " " + more
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// TestRulesAreReduced asks the real kernel for rules that the real nft wrote.
func TestRulesAreReduced(t *testing.T) {
	for _, c := range []struct {
		rule string
		want []string
	}{
		{"accept", []string{"every accept"}},
		{"drop", []string{"every drop"}},
		{"reject", []string{"every drop"}},
		{"counter log prefix \"x\" drop", []string{"every drop"}},
		{"counter", []string{"every continue"}},
		{"meta mark set 1", []string{"every continue"}},
		{"ct state established,related accept", []string{"some accept"}},
		{"ct state invalid drop", []string{"some drop"}},
		{"ct state new accept", []string{"every accept"}},
		{"ct state new,established accept", []string{"every accept"}},
		{"ct state { new, established } accept", []string{"some accept", "every accept"}},
		{"ct state vmap { established : accept, related : accept, invalid : drop }", []string{"some accept", "some drop", "some accept"}},
		{"ct state vmap { new : accept }", []string{"every accept"}},
		{"ct state vmap { established : accept, new : jump x }", []string{"every jump x", "some accept"}},
		{"iifname \"lo\" accept", []string{"some accept"}},
		{"iif lo accept", []string{"some accept"}},
		{"iifname != \"lo\" accept", []string{"every accept"}},
		{"iif != lo drop", []string{"every drop"}},
		{"iifname \"wlan0\" accept", []string{"every accept wlan0"}},
		{"iifname \"wl*\" accept", []string{"every accept wl*"}},
		{"iifname != \"wlan0\" accept", []string{"unclear accept"}},
		{"iifname vmap { \"lo\" : accept, \"eth0\" : drop }", []string{"some accept lo", "every drop eth0"}},
		{"iifname vmap { \"lo\" : accept, * : drop }", []string{"some accept lo", "every drop"}},
		{"iifname { \"eth0\", \"eth1\" } accept", []string{"every accept eth0", "every accept eth1"}},
		{"meta nfproto ipv4 accept", []string{"every accept ip"}},
		{"meta nfproto != ipv4 drop", []string{"every drop ip6"}},
		{"meta nfproto vmap { ipv4 : accept, ipv6 : drop }", []string{"every accept ip", "every drop ip6"}},
		{"ip saddr 0.0.0.0/0 accept", []string{"every accept ip"}},
		{"ip saddr 10.0.0.0/8 accept", []string{"some accept ip"}},
		{"ip saddr != 10.0.0.1 accept", []string{"unclear accept ip"}},
		{"tcp dport 22 accept", []string{"some accept"}},
		{"tcp dport 22 drop", []string{"some drop"}},
		{"tcp dport != 22 drop", []string{"unclear drop"}},
		{"tcp dport { 22, 80 } accept", []string{"some accept"}},
		{"tcp dport 6000-6007 accept", []string{"some accept"}},
		{"tcp dport 1-65535 accept", []string{"unclear accept"}},
		{"tcp dport >= 1024 accept", []string{"unclear accept"}},
		{"tcp dport vmap { 22 : jump x }", []string{"some other"}},
		{"meta l4proto tcp accept", []string{"unclear accept"}},
		{"meta l4proto { tcp, udp } accept", []string{"unclear accept", "unclear accept"}},
		{"meta l4proto { icmp, ipv6-icmp } accept", []string{"some accept", "some accept"}},
		{"ip protocol udp drop", []string{"unclear drop ip"}},
		{"ip protocol icmp accept", []string{"some accept ip"}},
		{"limit rate 10/second accept", []string{"unclear accept"}},
		{"limit rate 10/second drop", []string{"unclear drop"}},
		{"goto x", []string{"every goto x"}},
		{"tcp dport 22 ct state new jump x", []string{"some jump x"}},
		{"return", []string{"every return"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			n := newNamespace(t)
			n.nft(fmt.Sprintf("table inet t {\nchain x {\n}\nchain input { type filter hook input priority 0; policy drop; %s\n}\n}\n", c.rule))
			rules, err := n.filter().Ruleset()
			if err != nil {
				t.Fatal(err)
			}
			got := show(rules.Chains[0])
			if len(c.want) > 1 && !strings.Contains(c.rule, "*") { // sets have no order
				slices.Sort(got)
				slices.Sort(c.want)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestAnUnknownExpressionNeverCountsAsADrop: expressions that this code does
// not know must not vanish, or a narrow drop would look like a drop of all.
func TestAnUnknownExpressionNeverCountsAsADrop(t *testing.T) {
	r := &reading{}
	verdictDrop := nest(t, 2, nest(t, 2, attr(1, 0, 0, 0, 0))) // NFTA_IMMEDIATE_DATA > NFTA_DATA_VERDICT > code 0
	rules, err := r.translate(chainName{}, []attributes{
		{1: []byte("brandnew\x00"), 2: attr(1, 0, 0, 0, 1)},
		{1: []byte("immediate\x00"), 2: append(attr(1, 0, 0, 0, 0), verdictDrop...)},
	})
	if err != nil || len(rules) != 1 {
		t.Fatal(rules, err)
	}
	if rules[0].Match != wire.MatchUnclear || rules[0].Verdict != wire.VerdictDrop {
		t.Errorf("%+v", rules[0])
	}
}

func TestOnlyWhatMeetsInboundPacketsIsRead(t *testing.T) {
	n := newNamespace(t)
	n.nft(`
		table inet t {
			chain input { type filter hook input priority 0; policy drop; jump a; }
			chain a { jump b; }
			chain b { accept; }
			chain unused { accept; }
			chain output { type filter hook output priority 0; policy drop; }
			chain forward { type filter hook forward priority 0; policy drop; }
		}
		table ip nat { chain in { type nat hook input priority 0; policy accept; } }
		table bridge br { chain in { type filter hook input priority 0; policy drop; } }
		table ip6 six { chain in { type filter hook input priority 0; policy accept; drop; } }`)
	rules, err := n.filter().Ruleset()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range rules.Chains {
		got = append(got, fmt.Sprintf("%s %s %s %v %s", c.Family, c.Table, c.Name, c.Base, c.Policy))
	}
	slices.Sort(got)
	want := []string{"inet t a false ", "inet t b false ", "inet t input true drop", "ip6 six in true accept"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if !slices.Equal(rules.Interfaces, []string{"eth0"}) {
		t.Errorf("interfaces %q", rules.Interfaces)
	}
}

func TestADormantTableFiltersNothing(t *testing.T) {
	n := newNamespace(t)
	n.nft("table inet t { flags dormant; chain input { type filter hook input priority 0; policy drop; } }")
	rules, err := n.filter().Ruleset()
	if err != nil || len(rules.Chains) != 0 {
		t.Errorf("%+v, %v", rules, err)
	}
}

func TestAnEmptyPacketFilter(t *testing.T) {
	rules, err := newNamespace(t).filter().Ruleset()
	if err != nil || len(rules.Chains) != 0 {
		t.Errorf("%+v, %v", rules, err)
	}
}

func TestALargeRulesetIsReadAndATooLargeOneRefused(t *testing.T) {
	n := newNamespace(t)
	n.nft("table inet t { chain input { type filter hook input priority 0; policy drop; } }")
	n.nft(strings.Repeat("add rule inet t input tcp dport 22 accept\n", 2000))
	rules, err := n.filter().Ruleset()
	if err != nil || len(rules.Chains) != 1 || len(rules.Chains[0].Rules) != 2000 {
		t.Fatalf("%d chains, %v", len(rules.Chains), err)
	}
	n.nft(strings.Repeat("add rule inet t input tcp dport 22 accept\n", 18_001))
	if _, err := n.filter().Ruleset(); !errors.Is(err, errTooMany) {
		t.Errorf("%v", err)
	}
}

func TestAChangeIsToldAtOnce(t *testing.T) {
	n := newNamespace(t)
	ctx, cancel := context.WithCancel(t.Context())
	ready, changed, ended := make(chan struct{}), make(chan struct{}, 100), make(chan error)
	go func() {
		ended <- n.filter().Watch(ctx, func() { close(ready) }, func() { changed <- struct{}{} })
	}()
	<-ready
	for _, change := range []string{
		"table inet t { chain input { type filter hook input priority 0; policy drop; } }",
		"add rule inet t input accept",
		"flush ruleset",
	} {
		start := time.Now()
		n.nft(change)
		select {
		case <-changed:
			t.Logf("told %v after nft began", time.Since(start))
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: not told", change)
		}
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("an ended watch says why")
	}
}

func BenchmarkRuleset(b *testing.B) {
	n := &netfilter{sys: os.DirFS("/sys")}
	for b.Loop() {
		if _, err := n.Ruleset(); err != nil {
			b.Fatal(err)
		}
	}
}
