package wire

import (
	"crypto/sha256"
	"net/netip"
	"sync/atomic"
)

// The values between the proxies' port and the sessions: what is asked about
// one request, and what is answered.

// AccessRequest asks about one request of a browser at a portal. Portal and
// Address come from the authenticated proxy, never from the client.
type AccessRequest struct {
	Portal *Portal
	// CookieHash is SHA-256 of the session cookie's value.
	CookieHash [sha256.Size]byte
	// Session is the session's id where the PDP itself knows it, from an access
	// token or from a connection that it let through; CookieHash is then unused.
	Session string
	// Address is the client's. With Session it may be missing: the session's
	// network is then the one that it proved last.
	Address netip.Addr
	Action  Action
	// Class is the policy resource class of what is asked for; empty where no
	// route of the portal names one.
	Class string
	// Navigation says that a browser asked for a document by GET and can be
	// sent elsewhere without losing anything.
	Navigation bool
}

// AccessOutcome is how an AccessRequest ends; the zero value refuses.
type AccessOutcome uint8

// Outcomes of an AccessRequest.
const (
	AccessRefused AccessOutcome = iota
	AccessSignIn                // sign in, step up or confirm the device again
	AccessGranted
)

// Access answers an AccessRequest. Its zero value refuses.
type Access struct {
	Outcome AccessOutcome
	// Reason is why access was not granted; empty when it was.
	Reason Reason
	// FreshKey says with AccessSignIn that a new touch of the key is needed.
	FreshKey bool
	Session  string
	// Waited says that the decision did not stand yet when the request came.
	Waited   bool
	Identity *Identity
	// Decision is nil where no decision was taken. It is shared: read only.
	Decision *Decision
	// Facts are the inputs of a denial, nil otherwise. Shared: read only.
	Facts *Facts
	Token string
	// Memo keeps what is made of this answer; nil where that is not worth it.
	Memo *Memo
}

// Memo keeps what was made of an Access, for as long as the answer stands. It
// is safe for concurrent use; who finds nothing makes it again.
type Memo struct{ kept atomic.Pointer[[]string] }

// Kept returns what is kept, or nil. It must not be changed.
func (m *Memo) Kept() []string {
	if m == nil {
		return nil
	}
	if kept := m.kept.Load(); kept != nil {
		return *kept
	}
	return nil
}

// Keep keeps values, which must not be changed afterwards.
func (m *Memo) Keep(values []string) {
	if m != nil {
		m.kept.Store(&values)
	}
}

// Identity is who a granted request is from, for the application's headers.
type Identity struct {
	Subject string // person id
	Account string
	Agency  string
	Name    string
	Device  string
}
