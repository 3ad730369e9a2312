// Package pdp wires the policy decision point together: PE, PA and RATS
// Verifier behind four listeners (people, agents, proxies, administrators).
// Only this package knows all its children; they know each other by the values
// of internal/wire and the small interfaces that each declares.
package pdp
