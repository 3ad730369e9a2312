// Package wire holds the values and messages that cross packages and
// processes: claims, Evidence, Attestation Results, Trust Assessments,
// decisions, and what agent and PDP say to each other.
//
// The names follow RFC 9334 (RATS), NIST SP 800-207 and WebAuthn. The package
// is pure and imports the standard library only. Its zero values are the safe
// ones: a zero Decision denies, a zero Trustworthiness affirms nothing, a zero
// ClaimState is not a pass.
package wire
