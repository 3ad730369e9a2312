// Package trust turns what is observed of a session into a Trust Assessment:
// the score-based, contextual part of the trust algorithm (NIST SP 800-207
// §3.3.1; requirements 7, 12, 13).
//
// Inference plugins give verdicts in nats. fusion.go adds them up by the
// formula of the design with the constants in weights.yaml; it is pure and can
// be replayed. Guarantees, each with a test:
//
//   - the order of plugins and verdicts changes nothing;
//   - a plugin that is missing, late or expired never raises the score. It
//     counts as min(0, its last negative, decayed) − κ: no mean is imputed and
//     no weight is renormalised;
//   - one plugin can add or take no more than its caps, all together no more
//     than P_max; a lone alarm is not diluted by silent neighbours;
//   - what lowers the score acts at once; the score rises only after it has
//     stayed better by a margin for 60 s, or at a fresh sign-in;
//   - an assessment ends soon after it was not renewed.
//
// Plugins are asked at sign-in, at each refresh and on a change, never in the
// path of a request: Current reads a cache. They see pseudonyms (HMAC under a
// key of this PDP), never names.
package trust
