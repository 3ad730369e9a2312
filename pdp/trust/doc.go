// Package trust turns what is observed of a session into a Trust Assessment:
// the score-based, contextual part of the trust algorithm (NIST SP 800-207
// §3.3.1; requirements 7, 12, 13).
//
// Inference plugins give verdicts in nats; the pure package fusion adds them
// up. This package keeps the sessions' assessments, asks the plugins anew and
// keeps what they are taught. Guarantees, each with a test:
//
//   - no session vouches for itself: what plugins learned from a sign-in never
//     raises what they say of it;
//   - an assessment ends soon after it was not renewed;
//   - the cache is bounded, and so is what is kept of each person.
//
// Plugins are asked at sign-in, at each refresh and on a change, never in the
// path of a request: Current reads a cache. They see pseudonyms (HMAC under a
// key of this PDP), never names.
package trust
