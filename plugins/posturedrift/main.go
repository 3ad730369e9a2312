// Command posturedrift is the inference plugin that judges whether a device is
// in another state of health than it usually is: a claim that always passed and
// now fails, several at once, one that comes and goes, or one that is no longer
// reported.
//
// How often a claim does not pass is a Beta-Bernoulli rate, learned from the
// device's own past over a prior rate of drift (Gelman et al., "Bayesian Data
// Analysis", 3rd edition, §2.4); changes back and forth are counted with
// exponential decay and set against what is usual by Kulldorff's likelihood
// ratio ("A spatial scan statistic", Communications in Statistics 26, 1997).
// score.go states the formula. It is deterministic and can be replayed by hand
// (requirements 33).
//
// Whether a claim must pass is the policy's to say, not this plugin's: a claim
// that always failed is usual here, and one that now passes speaks for nobody.
// A claim that is not known yet is not judged.
//
// Limits: an operating system reports on itself, so whoever owns it can report
// what it always reported; the evidence of the boot is what stands against that.
// An update that switches several claims at once looks like tampering on its
// first day. Approved exceptions are left out. Where the PDP has no report at
// all, there is no opinion: what a missing report means is the policy's to say.
//
// What it keeps is bounded: for each of at most 20,000 people the last two
// devices, of each at most 24 claims, how often each passed and did not, and
// how often it changed of late; no device longer than 90 days after its last
// report.
package main

import "github.com/menshen-zt/menshen/plugins/contract"

func main() { contract.Serve(newPlugin()) }
