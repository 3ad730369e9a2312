// Command networknovelty is the inference plugin that judges from which
// network a person comes, measured against that person's own history.
//
// The score follows the shape of Freeman et al., "Who Are You? A Statistical
// Approach to Measuring User Authenticity" (NDSS 2016): a likelihood ratio
// over a hierarchy of ever larger networks, smoothed so that what was never
// seen has a probability too. score.go states the formula. It is deterministic
// and can be replayed by hand from the history (requirements 33).
//
// What it keeps is bounded: the last 32 successful sign-ins of a person,
// none older than 90 days, of at most 20,000 people; in memory only. After a
// start the host teaches it again.
package main

import "github.com/menshen-zt/menshen/plugins/contract"

func main() { contract.Serve(newPlugin()) }
