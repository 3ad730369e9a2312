// Package decision is the proxies' port: a portal's proxy (the Policy
// Enforcement Point of NIST SP 800-207) asks here about each request, and
// passes here what lies under /.menshen/ on the portal's own host.
//
//	/forward-auth         may this request pass? 200, 401 or 403
//	/forward-auth/relay   the same, for proxies that hand any other answer than
//	                      200 on to the browser: it is the browser's answer
//	/connections/ended    which connections is the proxy to cut?
//	/.menshen/challenge   what the browser is answered after a 401
//	/.menshen/denied      what the browser is answered after a 403
//	/.menshen/start       begins a sign-in
//	/.menshen/callback    ends one: code and pre-session cookie become a session
//	/.menshen/check       asks the laptop to measure now, and decides again
//	/.menshen/sign-out    ends the session
//	/.menshen/signed-out  says so
//	/.menshen/assets/     what the pages need
//
// A proxy proves which portal it stands for by a bearer secret; nothing else
// names the portal, and the headers that describe the client's request
// (X-Original-Method, X-Original-URI, X-Original-Upgrade, X-Real-IP; for the
// relay X-Forwarded-Method, -Uri, -Host and -For) count only behind that proof.
//
// Guarantees:
//   - Only /forward-auth and its relay answer 200 to the question, only for a
//     granted request, and every identity header stands in every 200 and in
//     every answer that a proxy keeps, empty where there is nothing to say: a
//     client cannot fill one in.
//   - Upgrades and unknown methods are writes.
//   - A connection that goes on without asking (an upgrade) is asked about
//     again in its stead, twice a second, and is to be cut when it would not be
//     let through any more.
//   - A way back leads to the portal it came from (wire.CheckReturnPath), and
//     never repeats a request that changes something.
//   - What changes anything here cannot be sent by another site.
package decision
