// Package quote verifies what a device's attestation key signed: quotes of PCRs
// and certifications of keys (TPM2_Quote, TPM2_Certify).
//
// Standard: TCG TPM 2.0 Library 1.59, part 2 (structures 10.12, 11.3, 12.2) and
// part 3 (18.2, 18.4).
//
// Guarantees:
//   - The parser is bounded, panics on no input, and accepts only bytes that
//     marshal to themselves: no trailing bytes, no other encoding of the same.
//   - Only ECDSA on P-256 with SHA-256 is accepted, by the key that was pinned
//     at enrolment and under its Qualified Name in the endorsement hierarchy.
//   - A quote covers exactly wire.QuotedPCRs of the SHA-256 bank: not fewer, not
//     another bank beside it. An inactive bank, which quotes as an empty
//     selection, and quotes over some PCRs (GHSA-99cg-575x-774p) are refused.
//   - It is pure: no clock, no state.
package quote
