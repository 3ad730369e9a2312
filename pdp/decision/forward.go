package decision

import (
	"net/http"
	"strings"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Headers of an answer, as http.Header spells them. Each identity header
// stands in every answer, empty where there is nothing to say.
const (
	answerToken    = "Menshen-Token" // #nosec G101 -- a header's name
	answerSubject  = "Menshen-Subject"
	answerAccount  = "Menshen-Account"
	answerAgency   = "Menshen-Agency"
	answerName     = "Menshen-Name" // percent-encoded UTF-8
	answerDevice   = "Menshen-Device"
	answerAccess   = "Menshen-Access" // full or read-only
	answerDecision = "Menshen-Decision"
	answerReason   = "Menshen-Reason" // of a refusal
)

const (
	accessFull     = "full"
	accessReadOnly = "read-only"
)

// forwardAuth answers whether the client's request may pass. What it reads
// stays on the stack: for a known session nothing is allocated.
func (s *Server) forwardAuth(w http.ResponseWriter, r *http.Request, portal *Portal) {
	q, malformed := s.read(r, portal, names{headerMethod, headerURI, headerClientIP, headerAuthorization})
	if malformed != "" {
		s.Malformed(w, r, portal, malformed)
		return
	}
	a := s.pass(r.Context(), &q)
	setAnswer(w.Header(), &a)
	switch a.Outcome {
	case wire.AccessGranted:
		w.WriteHeader(http.StatusOK)
	case wire.AccessSignIn:
		s.signInAgain(w, r, &q, a.Reason, a.FreshKey)
	default:
		problem.Write(w, r, http.StatusForbidden, a.Reason, problem.WithDecision(decisionID(&a)))
	}
}

// IdentityHeaders tell an application who a request is from, in the order of
// Identity's values.
var IdentityHeaders = [...]string{answerToken, answerSubject, answerAccount, answerAgency, answerName, answerDevice, answerAccess, answerDecision}

// Identity returns the values of IdentityHeaders. Where a request was not
// granted they are empty, apart from the decision's id.
func Identity(a *wire.Access) (values [len(IdentityHeaders)]string) {
	if a.Outcome == wire.AccessGranted && a.Identity != nil {
		values[0] = a.Token
		values[1], values[2], values[3] = a.Identity.Subject, a.Identity.Account, a.Identity.Agency
		values[4], values[5] = percentEncode(a.Identity.Name), a.Identity.Device
		values[6] = accessFull
		if a.Decision == nil || a.Decision.Obligations.ReadOnly {
			values[6] = accessReadOnly
		}
	}
	values[7] = decisionID(a)
	return values
}

// setAnswer fills in the headers. Their values are made once for an answer, and
// handed to net/http as they are: it does not change them.
func setAnswer(h http.Header, a *wire.Access) {
	values := a.Memo.Kept()
	if values == nil {
		identity := Identity(a)
		values = identity[:]
		a.Memo.Keep(values)
	}
	if a.Outcome != wire.AccessGranted || a.Identity == nil {
		h[answerReason] = []string{a.Reason.Code}
	}
	for i, name := range IdentityHeaders {
		h[name] = values[i : i+1 : i+1]
	}
}

func decisionID(a *wire.Access) string {
	if a.Decision == nil {
		return ""
	}
	return a.Decision.ID
}

// percentEncode makes a name fit a header: all but printable ASCII, and the
// percent sign, becomes %XX of its UTF-8.
func percentEncode(name string) string {
	plain := true
	for i := range len(name) {
		plain = plain && name[i] > ' ' && name[i] < 0x7f && name[i] != '%'
	}
	if plain {
		return name
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(3 * len(name))
	for i := range len(name) {
		if c := name[i]; c > ' ' && c < 0x7f && c != '%' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
