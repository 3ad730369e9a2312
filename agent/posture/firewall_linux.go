package posture

import (
	"context"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// firewall passes only where inbound traffic is really filtered: for IPv4 and
// for IPv6, and for every physical interface, an unsolicited packet that no
// rule names meets a drop. See filtered for the rule in full.
func firewall(ctx context.Context, m Machine) outcome {
	if m.Firewall == nil {
		return cannot("there is no helper to ask")
	}
	rules, err := m.Firewall.Firewall(ctx)
	if err != nil {
		return cannot("the helper does not answer: %v", err)
	}
	return judgeFirewall(rules)
}

func judgeFirewall(rules wire.FirewallRuleset) outcome {
	value := map[string]string{"backend": "nftables", "input_chains": strconv.Itoa(baseChains(rules))}
	o := outcome{state: wire.ClaimPass, value: value}
	for family, name := range map[string]string{"ip": "ipv4", "ip6": "ipv6"} {
		if open := openInterfaces(rules, family); len(open) > 0 {
			o.state = wire.ClaimFail
			value[name] = "open: " + strings.Join(open, ", ")
			continue
		}
		value[name] = "filtered"
	}
	return o
}

func baseChains(rules wire.FirewallRuleset) int {
	n := 0
	for _, c := range rules.Chains {
		if c.Base {
			n++
		}
	}
	return n
}

// anyInterface stands for an interface that no rule names.
const anyInterface = ""

// openInterfaces lists where unsolicited packets of a family come through.
func openInterfaces(rules wire.FirewallRuleset, family string) []string {
	if !filtered(rules, family, anyInterface) {
		return []string{"every interface"}
	}
	var open []string
	for _, name := range rules.Interfaces {
		if !filtered(rules, family, name) {
			open = append(open, name)
		}
	}
	return open
}

// filtered is the rule of the claim. Netfilter passes a packet through every
// base chain at hook input; an accept ends only its own chain, a drop is final.
// So a family is filtered when one base chain for it (family inet, ip or ip6)
// is certain to drop what no rule names: its policy is drop, or its rules end
// in a drop or reject without condition, and no rule before that accepts
// everything. Rules that are narrowed by a condition are exceptions that
// somebody wrote down, and are left to policy. A rule that is not understood
// never counts as a drop, and counts as an accept if it accepts.
func filtered(rules wire.FirewallRuleset, family, iface string) bool {
	for _, c := range rules.Chains {
		if !c.Base || (c.Family != "inet" && c.Family != family) {
			continue
		}
		w := walk{rules: rules, base: c, family: family, iface: iface, budget: maxSteps}
		fate := w.run(c.Rules, 0)
		if fate == fateNext && c.Policy == "drop" {
			fate = fateDrop
		}
		if fate == fateDrop {
			return true
		}
	}
	return false
}

// fate is what becomes of an unsolicited packet. The order is from the safest.
type fate int

const (
	fateDrop fate = iota
	fateNext      // comes back to the caller, or to the chain's policy
	fateAccept
)

// Bounds of a walk: the kernel allows 16 jumps (NFT_JUMP_STACK_SIZE).
const (
	maxJumps = 16
	maxSteps = 100_000
)

// walk follows one packet through one base chain.
type walk struct {
	rules         wire.FirewallRuleset
	base          wire.FirewallChain
	family, iface string
	budget        int
}

func (w *walk) run(rules []wire.FirewallRule, depth int) fate {
	for i, r := range rules {
		if w.budget--; w.budget < 0 || depth > maxJumps {
			return fateAccept // too much to follow is nothing proven
		}
		if !w.concerns(r) {
			continue
		}
		switch r.Match {
		case wire.MatchSome:
			continue
		case wire.MatchEvery:
			if f, ends := w.verdict(r, depth); ends {
				return f
			}
		default: // perhaps met, perhaps not: the worse of both
			f, ends := w.verdict(r, depth)
			if !ends {
				continue
			}
			return max(f, w.run(rules[i+1:], depth))
		}
	}
	return fateNext
}

func (w *walk) concerns(r wire.FirewallRule) bool {
	if r.Only != "" && r.Only != w.family {
		return false
	}
	if prefix, wild := strings.CutSuffix(r.Interface, "*"); wild {
		return w.iface != anyInterface && strings.HasPrefix(w.iface, prefix)
	}
	return r.Interface == "" || r.Interface == w.iface
}

// verdict is what a rule that is met does, and whether that ends this chain.
func (w *walk) verdict(r wire.FirewallRule, depth int) (f fate, ends bool) {
	switch r.Verdict {
	case wire.VerdictContinue:
		return fateNext, false
	case wire.VerdictDrop:
		return fateDrop, true
	case wire.VerdictReturn:
		return fateNext, true
	case wire.VerdictJump, wire.VerdictGoto:
		f = w.enter(r.Target, depth)
		return f, r.Verdict == wire.VerdictGoto || f != fateNext
	default: // accept, and whatever hands the packet to somebody else
		return fateAccept, true
	}
}

func (w *walk) enter(target string, depth int) fate {
	for _, c := range w.rules.Chains {
		if c.Family == w.base.Family && c.Table == w.base.Table && c.Name == target {
			return w.run(c.Rules, depth+1)
		}
	}
	return fateAccept // a chain that was not seen proves nothing
}
