// Package verifier is the RATS Verifier (RFC 9334): it appraises a device's
// Evidence against what was pinned at enrolment and the appraisal policy, and
// gives an Attestation Result with a trustworthiness vector
// (draft-ietf-rats-ar4si) and typed findings.
//
// Guarantees:
//   - It is pure: the same arguments give the same result. Time, nonce and
//     randomness are arguments; nothing is read or kept.
//   - Appraise never panics. Whatever is forged gives a finding of type tampered
//     and a vector without one affirming tier; nothing that the Evidence says
//     is then passed on.
//   - A claim counts for no more than the boot that stands under it:
//     configuration is affirming only where executables is. The event log is
//     not appraised yet, so executables is none, which a finding says.
package verifier
