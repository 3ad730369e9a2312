// Package client is the agent's side of the agents' port: HTTPS straight to the
// PDP, TLS 1.3 (RFC 8446) with the TPM-held TLS key on a self-signed
// certificate, no resumption, no redirects, no proxy.
//
// Guarantees:
//   - The PDP is believed only under the CA whose SHA-256 the enrolment code
//     named; that CA is pinned for ever (design: protocols, Enrol).
//   - A nonce and the Evidence that answers it travel over one connection,
//     because the PDP binds the nonce to it.
//   - Every wait and every answer is bounded; answers are decoded strictly.
//   - What fails is an *Error with a reason code, or the TPM's own error from
//     signing the handshake, so that the caller can say what a person can do.
package client
