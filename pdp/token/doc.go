// Package token mints the access tokens that portal applications verify: JWTs
// of RFC 9068 (typ at+jwt), ES256, at most five minutes long, for one portal.
// It keeps each agency's signing keys and publishes their public halves (RFC
// 7517) and the issuer's metadata (RFC 8414). It signs Security Event Tokens
// (RFC 8417) with RS256 keys of their own, and verifies other parties'.
//
// Guarantees:
//   - A private key lies in a file of its own, mode 0600 in a folder of 0700,
//     and never anywhere else; a folder or file that others can read is refused.
//   - Keys exist in three roles: next (published before it signs), current, and
//     previous (published until everything it signed has expired). A rotation
//     is one rename, so that a crash leaves the state before it or after it.
//   - No network caller makes a key: what is asked about an agency without keys
//     is not found.
package token
