// Package agent is the Attester on a laptop (RFC 9334): it wires the TPM, the
// collectors, the client of the PDP, and what the browser and the command line
// may ask. Its parts know nothing of each other.
//
// Guarantees:
//   - It attests at start, at the interval that the PDP gives, at once when a
//     posture claim changes, when asked, after sleep and after a change of
//     network; repeated causes are joined and bounded in rate.
//   - Evidence is made for a nonce of the PDP alone. While the PDP cannot be
//     reached nothing is queued.
//   - Each thing that can be wrong has a reason code, which `status` shows in
//     the same words as the PDP's pages.
package agent
