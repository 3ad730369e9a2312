// Command requestrate is the inference plugin that judges whether a session
// asks for more than is usual for its person: somebody who copies a whole
// register with a session that was taken over asks faster than its owner.
//
// A person's usual rate and how it varies are exponentially weighted moving
// averages (Roberts, "Control Chart Tests Based on Geometric Moving Averages",
// Technometrics 1, 1959; the variance after West, CACM 22, 1979) of the
// logarithm of the requests a minute. A one-sided cumulative sum (Page,
// "Continuous Inspection Schemes", Biometrika 41, 1954) adds up what lies above
// it. score.go states the formula. It is deterministic and can be replayed by
// hand (requirements 33).
//
// It only ever speaks against somebody: an attacker who is patient is as slow
// as anybody, so a usual rate proves nothing.
//
// Limits: a person whose work changes is asked for a touch of the key until the
// new rate has become usual; an officer's word that it was the person ends that
// at once. Whoever raises the rate by less than half its usual variation at a
// time is not seen, and shifts what is usual. What one request fetches is not
// known here.
//
// What it keeps is bounded: four numbers and a time for each of at most 20,000
// people, none for longer than 90 days after the person's last activity.
package main

import "github.com/menshen-zt/menshen/plugins/contract"

func main() { contract.Serve(newPlugin()) }
