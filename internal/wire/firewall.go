package wire

// The firewall as the agent's helper read it from the kernel. The helper only
// reads and translates; whether inbound traffic is filtered is judged from
// these values (agent/posture).

// FirewallRuleset is the part of the packet filter that meets inbound packets.
type FirewallRuleset struct {
	// Chains are the base chains at hook input, and all chains that they reach.
	Chains []FirewallChain `json:"chains,omitempty"`
	// Interfaces are the machine's physical network interfaces.
	Interfaces []string `json:"interfaces,omitempty"`
}

// FirewallChain is one chain. Base chains have a Policy, "accept" or "drop".
type FirewallChain struct {
	Family string         `json:"family"` // inet, ip or ip6
	Table  string         `json:"table"`
	Name   string         `json:"name"`
	Base   bool           `json:"base,omitempty"`
	Policy string         `json:"policy,omitempty"`
	Rules  []FirewallRule `json:"rules,omitempty"`
}

// FirewallMatch says how many unsolicited inbound packets a rule meets.
type FirewallMatch string

// Matches. Anything else counts as unclear.
const (
	MatchEvery   FirewallMatch = "every"   // all of them
	MatchSome    FirewallMatch = "some"    // a condition narrows it
	MatchUnclear FirewallMatch = "unclear" // not understood, perhaps all
)

// FirewallVerdict is what a rule does with a packet that it meets.
type FirewallVerdict string

// Verdicts. A reject is a drop.
const (
	VerdictContinue FirewallVerdict = "continue"
	VerdictAccept   FirewallVerdict = "accept"
	VerdictDrop     FirewallVerdict = "drop"
	VerdictJump     FirewallVerdict = "jump"
	VerdictGoto     FirewallVerdict = "goto"
	VerdictReturn   FirewallVerdict = "return"
	VerdictOther    FirewallVerdict = "other" // queue, verdict maps
)

// FirewallRule is one rule, reduced to what the judgement needs.
type FirewallRule struct {
	Match   FirewallMatch   `json:"match"`
	Verdict FirewallVerdict `json:"verdict"`
	Target  string          `json:"target,omitempty"` // of jump and goto
	// Only narrows the rule to one family, "ip" or "ip6"; Interface to one
	// input interface, or to a prefix when it ends in "*".
	Only      string `json:"only,omitempty"`
	Interface string `json:"interface,omitempty"`
}
