package main

import "math"

// A match says
//
//	llr = ln( P(on a list | the person) / P(on a list | an impostor) )
//
// with a prior for both, because a list cannot tell them. A person's address is
// on a list by chance: addresses are shared and given to others (2 in 1000). An
// impostor's is more often, though lists know few of them (1 in 10). A harmful
// file on the person's own laptop is rarer still (5 in 10,000), and where a
// laptop was taken over the tool is a known one now and then (1 in 20). Of two
// matches the one that says more counts, once: they may have one cause. No match
// gives 0, always.
var (
	llrAddress = math.Log(.002 / .1)
	llrFile    = math.Log(.0005 / .05)
)

// confidence in a match leaves room for a list's mistakes.
const confidence = .9
