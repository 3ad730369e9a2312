// Package tpm is the only package that opens a TPM. It reads the EK
// certificates, makes the device's keys, answers the credential challenge,
// certifies keys, quotes, and lends the TLS key as a crypto.Signer.
//
// Standards: TCG TPM 2.0 Library 1.59 (parts 1–3), TCG EK Credential Profile
// 2.5 (NV indices and EK templates).
//
// Guarantees:
//   - Every key is a child of the EK, in the endorsement hierarchy, so that the
//     PDP can compute the AK's Qualified Name from the EK certificate alone, and
//     so that the TPM does not obfuscate reset counts and firmware version.
//   - Each key has a random authorization value that leaves the package only in
//     Blobs, and goes to the TPM only as the key of an HMAC session: membership
//     of the TPM's group is not enough to use the keys.
//   - A TPM and its Keys are safe for concurrent use, leave nothing loaded in a
//     TPM without a resource manager after Close, and survive a TPM that lost
//     what was loaded.
package tpm
