package arch

import "slices"

// rule is one thing that holds everywhere in the tree, and why.
type rule struct {
	name  string
	why   string
	check func(*tree) []string
}

// rules are judged in this order.
var rules = []rule{
	{"sides", "agent and PDP meet on the wire alone: what one shares with the other by import, it could no longer refuse; cmd and test are ends, nothing hangs on them", sides},
	{"siblings", "a part that knows no sibling can be read, tested and replaced alone: values come from internal/wire, agent.go and pdp.go wire", siblings},
	{"pure", "what judges evidence and policy gives the same answer for the same arguments, so that a decision can be replayed: time, nonces and randomness are arguments", pure},
	{"verify options", "x509 without roots trusts whatever the machine trusts, and without a time it reads the clock", verifyOptions},
	{"owners", "one owner for each dependency: whoever replaces or audits it looks in one place", owned},
	{"plugins", "a plugin is a program of a stranger: what it sees of this product is the contract", pluginImports},
	{"helpers", "what helps tests alone is not shipped", testHelpers},
	{"names", "a package whose name says nothing of its subject collects everything", names},
	{"documents", "a package says what it is for", documents},
	{"variables", "a package variable that changes is hidden state of every caller, and a race", variables},
	{"init", "importing a package does nothing; New does", inits},
	{"suppressions", "a finding that is silenced without a reason is a finding that nobody looked at", suppressions},
}

// judge returns every breach of every rule, each once.
func judge(t *tree) []string {
	var all []string
	for _, r := range rules {
		found := r.check(t)
		slices.Sort(found)
		for _, breach := range slices.Compact(found) {
			all = append(all, r.name+": "+breach+" ("+r.why+")")
		}
	}
	return all
}
