// Package session is the Policy Administrator of NIST SP 800-207: it keeps the
// portals' sessions and says for each request what it may do.
//
// A known session costs one look-up in memory: cookie → session → the decision
// taken for this network and graded action, together with its access token. A
// decision holds until the earliest end of its inputs; whatever changes
// meanwhile (device, person, key, portal, policy, trust) ends the decisions of
// exactly the sessions concerned, and their next request is decided anew.
//
// Guarantees:
//   - No allow leaves before its record is durable. Further uses are counted
//     and recorded within Limits.UsesEvery twice over; when they cannot be,
//     nothing is allowed until the log can be written again.
//   - An error, a panic, a timeout or an input that has already ended refuses.
//   - A session is used only from a network that it has proven by confirming
//     its device there, for Limits.ReconfirmAt at most.
//   - Sessions survive kill -9. What is stored of their last use is never later
//     than the truth, so that a restart extends nothing.
//   - Cookies are kept as SHA-256 digests only.
//
// Session times follow SP 800-63B-4, AAL3 (requirements 15).
package session
