// Package verifier is the RATS Verifier (RFC 9334): it appraises a device's
// Evidence against what was pinned at enrolment and the appraisal policy, and
// gives an Attestation Result with a trustworthiness vector
// (draft-ietf-rats-ar4si) and typed findings.
//
// Guarantees:
//   - It is pure: the same arguments give the same result. Time, nonce and
//     randomness are arguments; nothing is read or kept.
//   - Appraise never panics. Forged Evidence gives a finding of type tampered
//     and a vector without one affirming tier; nothing that it says is then
//     passed on. A boot that was tampered with is told by genuine Evidence.
//   - A claim counts for no more than the boot that stands under it:
//     configuration is affirming only where executables is. Where the event log
//     contradicts a claim, the log wins.
//   - A digest stands for claims or a log only where the PDP keeps those very
//     bytes from this same boot. What cannot be joined affirms nothing and is
//     asked for.
package verifier
