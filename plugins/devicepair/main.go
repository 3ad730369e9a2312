// Command devicepair is the inference plugin that judges whether a person uses
// a device that is theirs: how often this person used it, and how many others
// do.
//
// The score is a likelihood ratio of one categorical feature as in Freeman et
// al., "Who Are You? A Statistical Approach to Measuring User Authenticity"
// (NDSS 2016), where the chance of a new device is the person's own rate of
// them, drawn towards everybody's (the posterior mean of a beta-binomial
// model). score.go states the formula. It is deterministic and can be replayed
// by hand (requirements 33).
//
// What it keeps is bounded: the last 8 devices of a person with how much and
// when they were used last, none unused for 90 days, and two counts, of at most
// 20,000 people; in memory only. Use fades with a half-life of 30 days.
//
// Limits: it knows the device by the PDP's word alone, so who works on the
// person's own laptop is not found out. Where the PDP names no device it abstains:
// whether anybody may come without one is for the policy to say. A device that an
// intruder used once is no longer new, until an officer says that it was not the
// person.
package main

import "github.com/menshen-zt/menshen/plugins/contract"

func main() { contract.Serve(newPlugin()) }
