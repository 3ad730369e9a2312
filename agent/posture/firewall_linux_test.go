package posture

import (
	"context"
	"errors"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

type rules = []wire.FirewallRule

var (
	acceptAll   = wire.FirewallRule{Match: wire.MatchEvery, Verdict: wire.VerdictAccept}
	acceptSome  = wire.FirewallRule{Match: wire.MatchSome, Verdict: wire.VerdictAccept}
	acceptMaybe = wire.FirewallRule{Match: wire.MatchUnclear, Verdict: wire.VerdictAccept}
	dropAll     = wire.FirewallRule{Match: wire.MatchEvery, Verdict: wire.VerdictDrop}
	dropSome    = wire.FirewallRule{Match: wire.MatchSome, Verdict: wire.VerdictDrop}
	dropMaybe   = wire.FirewallRule{Match: wire.MatchUnclear, Verdict: wire.VerdictDrop}
	returnAll   = wire.FirewallRule{Match: wire.MatchEvery, Verdict: wire.VerdictReturn}
	returnMaybe = wire.FirewallRule{Match: wire.MatchUnclear, Verdict: wire.VerdictReturn}
	queueAll    = wire.FirewallRule{Match: wire.MatchEvery, Verdict: wire.VerdictOther}
	count       = wire.FirewallRule{Match: wire.MatchEvery, Verdict: wire.VerdictContinue}
	jumpX       = wire.FirewallRule{Match: wire.MatchEvery, Verdict: wire.VerdictJump, Target: "x"}
	jumpMaybeX  = wire.FirewallRule{Match: wire.MatchUnclear, Verdict: wire.VerdictJump, Target: "x"}
	gotoX       = wire.FirewallRule{Match: wire.MatchEvery, Verdict: wire.VerdictGoto, Target: "x"}
)

func only(family string, r wire.FirewallRule) wire.FirewallRule { r.Only = family; return r }
func on(iface string, r wire.FirewallRule) wire.FirewallRule    { r.Interface = iface; return r }

func base(family, policy string, r ...wire.FirewallRule) wire.FirewallChain {
	return wire.FirewallChain{Family: family, Table: "t", Name: "input", Base: true, Policy: policy, Rules: r}
}

func chainX(family string, r ...wire.FirewallRule) wire.FirewallChain {
	return wire.FirewallChain{Family: family, Table: "t", Name: "x", Rules: r}
}

func set(chains ...wire.FirewallChain) wire.FirewallRuleset {
	return wire.FirewallRuleset{Chains: chains, Interfaces: []string{"eth0", "wlan0"}}
}

func TestFirewall(t *testing.T) {
	otherTable := chainX("inet", dropAll)
	otherTable.Table = "other"
	for _, c := range []struct {
		name  string
		rules wire.FirewallRuleset
		state wire.ClaimState
	}{
		{"nothing at all", set(), wire.ClaimFail},
		{"policy drop for both", set(base("inet", "drop", acceptSome)), wire.ClaimPass},
		{"policy drop in two tables", set(base("ip", "drop"), base("ip6", "drop")), wire.ClaimPass},
		{"IPv6 forgotten", set(base("ip", "drop")), wire.ClaimFail},
		{"IPv4 forgotten", set(base("ip6", "drop")), wire.ClaimFail},
		{"policy accept", set(base("inet", "accept", acceptSome, dropSome)), wire.ClaimFail},
		{"ends in a drop", set(base("inet", "accept", acceptSome, count, dropAll)), wire.ClaimPass},
		{"everything accepted before the policy", set(base("inet", "drop", acceptSome, acceptAll)), wire.ClaimFail},
		{"everything accepted before the last drop", set(base("inet", "accept", acceptAll, dropAll)), wire.ClaimFail},
		{"everything accepted after the drop", set(base("inet", "accept", dropAll, acceptAll)), wire.ClaimPass},
		{"perhaps everything accepted", set(base("inet", "drop", acceptMaybe)), wire.ClaimFail},
		{"a drop that is perhaps none", set(base("inet", "accept", dropMaybe)), wire.ClaimFail},
		{"a drop that is perhaps none, then a policy", set(base("inet", "drop", dropMaybe)), wire.ClaimPass},
		{"IPv4 accepted wholly", set(base("inet", "drop", only("ip", acceptAll))), wire.ClaimFail},
		{"IPv6 accepted wholly", set(base("inet", "drop", only("ip6", acceptAll))), wire.ClaimFail},
		{"only IPv4 dropped", set(base("inet", "accept", only("ip", dropAll))), wire.ClaimFail},
		{"one card accepted wholly", set(base("inet", "drop", on("wlan0", acceptAll))), wire.ClaimFail},
		{"cards of a kind accepted wholly", set(base("inet", "drop", on("wl*", acceptAll))), wire.ClaimFail},
		{"a bridge for guests accepted wholly", set(base("inet", "drop", on("virbr0", acceptAll))), wire.ClaimPass},
		{"only the cards dropped", set(base("inet", "accept", on("eth0", dropAll), on("wlan0", dropAll))), wire.ClaimFail},
		{"handed to a program", set(base("inet", "drop", queueAll)), wire.ClaimFail},
		{"dropped by a second base chain", set(base("inet", "accept", acceptAll), base("inet", "drop")), wire.ClaimPass},
		{"jump to a drop", set(base("inet", "accept", jumpX), chainX("inet", acceptSome, dropAll)), wire.ClaimPass},
		{"jump to an accept", set(base("inet", "drop", jumpX), chainX("inet", acceptAll)), wire.ClaimFail},
		{"jump and back to the policy", set(base("inet", "drop", jumpX), chainX("inet", acceptSome, returnAll, acceptAll)), wire.ClaimPass},
		{"jump and perhaps back", set(base("inet", "accept", jumpX), chainX("inet", returnMaybe, dropAll)), wire.ClaimFail},
		{"perhaps a jump to a drop", set(base("inet", "accept", jumpMaybeX), chainX("inet", dropAll)), wire.ClaimFail},
		{"perhaps a jump to an accept", set(base("inet", "drop", jumpMaybeX), chainX("inet", acceptAll)), wire.ClaimFail},
		{"goto, then a rule that is never met", set(base("inet", "accept", gotoX, dropAll), chainX("inet")), wire.ClaimFail},
		{"jump to a chain that is not there", set(base("inet", "drop", jumpX)), wire.ClaimFail},
		{"jump into another table's chain", set(base("inet", "accept", jumpX), otherTable), wire.ClaimFail},
		{"return before the drop", set(base("inet", "accept", returnAll, dropAll)), wire.ClaimFail},
		{"jumps in a circle", set(base("inet", "drop", jumpX), chainX("inet", jumpX)), wire.ClaimFail},
		{"a chain of another kind", set(base("arp", "drop"), base("bridge", "drop")), wire.ClaimFail},
		{"no base chain", set(chainX("inet", dropAll)), wire.ClaimFail},
		{"unknown verdict", set(base("inet", "drop", wire.FirewallRule{Match: wire.MatchEvery, Verdict: "??"})), wire.ClaimFail},
		{"unknown match of a drop", set(base("inet", "accept", wire.FirewallRule{Match: "??", Verdict: wire.VerdictDrop})), wire.ClaimFail},
		{"unknown policy", set(base("inet", "")), wire.ClaimFail},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judgeFirewall(c.rules); got.state != c.state {
				t.Errorf("%+v, want %s", got, c.state)
			}
		})
	}
}

// TestManyPerhapsEnd: each unclear jump doubles the ways; the walk must end.
func TestManyPerhapsEnd(t *testing.T) {
	chains := []wire.FirewallChain{base("inet", "drop")}
	for i := range 40 {
		r := rules{}
		for range 40 {
			r = append(r, wire.FirewallRule{Match: wire.MatchUnclear, Verdict: wire.VerdictGoto, Target: name(i + 1)})
		}
		chains = append(chains, wire.FirewallChain{Family: "inet", Table: "t", Name: name(i), Rules: r})
	}
	chains[0].Rules = rules{{Match: wire.MatchUnclear, Verdict: wire.VerdictGoto, Target: name(0)}}
	if got := judgeFirewall(set(chains...)); got.state != wire.ClaimFail {
		t.Errorf("%+v", got)
	}
}

func name(i int) string { return string(rune('A' + i)) }

type helper struct {
	rules wire.FirewallRuleset
	err   error
}

func (h helper) Firewall(context.Context) (wire.FirewallRuleset, error) { return h.rules, h.err }

func TestFirewallWithoutAnAnswerIsAnError(t *testing.T) {
	m := recorded{}.machine()
	expect(t, firewall(t.Context(), m), wire.ClaimError, "no helper")
	m.Firewall = helper{err: errors.New("refused")}
	expect(t, firewall(t.Context(), m), wire.ClaimError, "refused")
	m.Firewall = helper{rules: set(base("inet", "drop"))}
	expect(t, firewall(t.Context(), m), wire.ClaimPass, "")
}
