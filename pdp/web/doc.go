// Package web renders the pages that people see: sign-in, registration,
// denial, help and faults, in Traditional Chinese and English. Everything is
// rendered by the server, with a little plain JavaScript, and embedded.
//
// Guarantees: every page carries a content security policy that starts from
// default-src 'none', allows no inline script or style and no string turned
// into script (Trusted Types); both languages have every text; no page decides
// anything.
//
// # Check again
//
// The denial page lives on the portal's own host and asks for a new decision
// by a small protocol, which the proxies' port answers:
//
//	POST /.menshen/check       {}            → 200 {"id": "…"}
//	GET  /.menshen/check/{id}                → 200 {"stage": "…", "allowed": false}
//
// The stage is what truly happened last: "sent" (the agent is asked),
// "measuring" (the agent took the question), "deciding" (new Evidence came),
// "result" (decided: allowed says how). The page asks every 700 ms and says
// ZT-AGT-003 when no result came within 60 s. Refusals are problem documents.
package web
