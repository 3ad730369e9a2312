// Command resourcenovelty is the inference plugin that judges whether a person
// uses what that person, or at least the colleagues, use: which portal, and
// whether to read, to write or to administer.
//
// The probability of a resource backs off from the person to the group of peers
// and from there to everybody, as language models do with words that were never
// seen: MacKay and Peto, "A Hierarchical Dirichlet Language Model", Natural
// Language Engineering 1, 1995, with the share that Witten and Bell, "The
// Zero-Frequency Problem", IEEE Transactions on Information Theory 37, 1991,
// leave to what is new. score.go states the formula. It is deterministic and
// can be replayed by hand (requirements 33).
//
// What is new for the person but usual for the peers says little; what is new
// for everybody speaks against.
//
// Limits: whoever steals a session may well look at the portal that its owner
// uses daily, so what is usual speaks for nobody by more than one nat. A portal
// that has just been opened is new for everybody on its first day: run a plugin
// in shadow then, or let people touch their key. Peers are a person's agency or
// unit, as the PDP knows it; where there is none, everybody is the peers.
//
// What it keeps is bounded: of each of at most 20,000 people the last 32
// portals and kinds of access, on how many days each was used and on which day
// last, none unused for 90 days; and how many people of a group use each.
package main

import "github.com/menshen-zt/menshen/plugins/contract"

func main() { contract.Serve(newPlugin()) }
