package authzen

import (
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// decision is a Decision of AuthZEN 1.0.
type decision struct {
	Decision bool          `json:"decision"`
	Context  *denialReason `json:"context,omitempty"`
}

// denialReason is the context of a denial. Maps are by language (RFC 5646).
type denialReason struct {
	Code string `json:"code"`
	// ReasonUser may be shown to people, ReasonAdmin must not.
	ReasonUser  map[string]string `json:"reason_user,omitempty"`
	ReasonAdmin map[string]string `json:"reason_admin,omitempty"`
	// ACRValues is what a fresh sign-in has to reach (OpenID Connect Core,
	// 3.1.2.1) where that is all that is missing.
	ACRValues string     `json:"acr_values,omitempty"`
	Error     *itemError `json:"error,omitempty"`
}

// itemError is a fault of one of several questions (AuthZEN 1.0, Errors).
type itemError struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// freshKey is the authentication context of a touch of the hardware key, as
// access tokens name it.
const freshKey = "urn:menshen:aal:3"

// tell puts an answer into the words of the protocol.
func tell(a *wire.Answer) decision {
	if a.Allowed {
		return decision{Decision: true}
	}
	why := wire.Reason{Code: reason.Unknown}
	if len(a.Reasons) > 0 {
		why = a.Reasons[0]
	}
	out := &denialReason{Code: why.Code}
	if a.StepUp {
		out.ACRValues = freshKey
	}
	if a.Texts != nil {
		out.ReasonUser = a.Texts
	} else {
		out.ReasonUser = userText(why)
	}
	out.ReasonAdmin = map[string]string{string(reason.English): adminText(a, why)}
	return decision{Context: out}
}

// userText is what a person may read: of a withheld reason its code alone.
func userText(why wire.Reason) map[string]string {
	texts := make(map[string]string, 2)
	for _, language := range [...]reason.Language{reason.English, reason.Chinese} {
		text := reason.Of(language, why)
		if text.Withheld {
			texts[string(language)] = why.Code
		} else {
			texts[string(language)] = text.What
		}
	}
	return texts
}

func adminText(a *wire.Answer, why wire.Reason) string {
	var b strings.Builder
	b.WriteString(why.Code)
	text := reason.Of(reason.English, why)
	if text.Withheld {
		return b.String()
	}
	b.WriteString(" " + text.What)
	if len(a.Policies) > 0 {
		b.WriteString(" Policies: " + strings.Join(a.Policies[:min(len(a.Policies), maxPolicies)], ", "))
	}
	return b.String()
}
