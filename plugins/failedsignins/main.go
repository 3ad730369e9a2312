// Command failedsignins is the inference plugin that judges whether a sign-in
// comes amid failed ones: many on this account in a short time, or many
// accounts from this network.
//
// Failures of an account are counted with exponential decay, over minutes and
// over hours. What a person fails anyway is a Gamma rate, learned over a month.
// Over minutes the count is judged by the likelihood ratio of two Gamma-Poisson
// counts (Greenwood and Yule, Journal of the Royal Statistical Society 83,
// 1920), the person's and an impostor's; over hours by Kulldorff's ratio ("A
// spatial scan statistic", Communications in Statistics 26, 1997). The accounts that failed from a network, and those that
// signed in, are counted by linear counting (Whang et al., "A Linear-Time
// Probabilistic Counting Algorithm", ACM TODS 15, 1990). score.go states the
// formula. It is deterministic and can be replayed by hand (requirements 33).
//
// It only ever speaks against a sign-in: that nobody failed proves nothing.
//
// Limits: anybody can fail on somebody else's account on purpose, and so make
// that person's sign-ins look worse; so it takes at most two nats, which asks
// for a touch of the key and locks nobody out. The same holds for whoever
// shares a network with an attacker. Failures that are spread over days stay
// below what is counted. Keys that cannot be guessed make failures rare on both
// sides; how often an impostor fails is an assumption, not a measurement.
//
// What it keeps is bounded: five numbers and three times for each of at most
// 20,000 people, none for longer than 90 days after the last sign-in, and for
// each of at most 4,096 networks four sets of 64 bits, for an hour, from which
// no person can be told.
package main

import "github.com/menshen-zt/menshen/plugins/contract"

func main() { contract.Serve(newPlugin()) }
