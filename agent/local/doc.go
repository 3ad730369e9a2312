// Package local is what the browser on this laptop may ask of the agent: to
// confirm to the PDP that the sign-in page's ceremony runs here.
//
// The listener stands on loopback only. It answers pages of one origin, the
// enrolled PDP's, under the loopback's own name (so DNS rebinding gains
// nothing), with a header that only a page that passed a CORS preflight can
// send (Fetch, 3.2), and only for the user at the screen: the one who owns the
// connecting socket must hold an active seat. What goes back to the page is a
// return code that proves nothing alone: the PDP takes it only from the browser
// that holds the ceremony's cookie (design: Browser ↔ agent).
//
// What remains: malware of the same user, and a port that this user forwards.
package local
