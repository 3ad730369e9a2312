// Package risk hears what a SIEM or an EDR says of an agency's people and
// devices: Security Event Tokens (RFC 8417) that such a source pushes (RFC 8935),
// with risk-level-change or device-compliance-change of OpenID CAEP 1.0 in them.
//
// Guarantees:
//   - A source is known by its secret and believed by its signature. Its issuer,
//     keys and agency are what an administrator wrote; nothing in a token chooses
//     them. It speaks of that agency's people and devices alone.
//   - Keys that a source publishes are fetched over https from the address that
//     the administrator wrote, are bounded, and are read anew; where that fails
//     for a day, nothing that the source says is taken.
//   - What is malformed in any way is refused with RFC 8935's error document and
//     changes nothing. A token counts once.
//   - A source raises and lowers its own statement. The highest statement that
//     holds is what counts, so that no source mutes another.
//   - A statement is recorded in the audit log before it counts, survives kill
//     -9, and ends by itself.
package risk
