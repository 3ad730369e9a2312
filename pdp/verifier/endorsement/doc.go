// Package endorsement judges what a machine says of its TPM when it enrols: the
// EK certificate, the attestation key beside that EK, and the attributes of
// the keys that the attestation key certifies.
//
// Standards: TCG EK Credential Profile 2.5 (certificates, templates), TCG TPM
// 2.0 Library 1.59 part 1, 16 (Names and Qualified Names) and 24 (credential
// protection), RFC 5280.
//
// Guarantees:
//   - The EK's public area is rebuilt from the certificate's key and a standard
//     template, never taken from the client (CVE-2021-3406).
//   - The AK's Qualified Name is computed for a child of that EK in the
//     endorsement hierarchy, so that an AK of the owner's or the NULL hierarchy
//     fails at its first attestation.
//   - It is pure: time, roots and randomness are arguments, and never default.
package endorsement
