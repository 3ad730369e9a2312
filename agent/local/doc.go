// Package local is what the browser and the command line on this laptop may ask
// of the agent: a loopback listener for the sign-in page (design: protocols,
// Browser ↔ agent) and a Unix socket for `status` and `check`.
//
// Guarantees of the loopback listener:
//   - Only pages of the enrolled PDP's origin are answered (Origin, RFC 6454),
//     under the listener's own names alone (Host: DNS rebinding is refused),
//     with the header that makes a browser ask first (a preflight), and as a
//     fetch from another site (Fetch Metadata).
//   - Only the browser of the user who sits at the laptop: the owner of the
//     connecting socket must hold an active seat. `seat: none` waives that by
//     explicit configuration, and is reported to the PDP as a fact.
//   - What goes through the page's script, the nonce and the return code, proves
//     nothing alone; the confirmation travels over the agent's own connection.
//   - Bodies, connections, and confirmations in a minute are bounded.
package local
