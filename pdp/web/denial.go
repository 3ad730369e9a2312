package web

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

type denialContent struct {
	wire.DenialPage
	Headline  string // text key of the first line's cause
	Checks    []check
	Unmet     int
	StepUp    bool
	CanCheck  bool // measuring again can change something
	Continue  string
	Reasons   []string
	Signature []wire.Reason // every code, for the support block
}

// Denial answers a refused navigation on a portal's host: what was refused, on
// whose side the cause is, whether sign-in itself worked, and a checklist of
// what would help (pages: rules 1 to 4).
func (s *Site) Denial(w http.ResponseWriter, r *http.Request, p wire.DenialPage) {
	lang := language(r)
	checks := checklist(lang, s.texts[lang], p)
	content := denialContent{
		DenialPage: p, Checks: checks, Headline: headline(p, checks), StepUp: p.Decision.Effect == wire.StepUp,
		Continue: "/", Reasons: []string{reason.AgentDidNotAnswer, reason.KeyNetwork}, Signature: p.Decision.Reasons,
	}
	if wire.CheckReturnPath(p.ReturnPath) == nil {
		content.Continue = p.ReturnPath
	}
	for _, c := range checks {
		if c.Asked {
			content.Unmet++
		}
	}
	content.CanCheck = p.Device != ""
	s.render(w, r, show{
		host: portalHost, status: http.StatusForbidden, name: "denial.html",
		title: "denial.title", titleArgs: []any{"portal", portalName(lang, p.Portal)},
		scripts: []string{"denial.js"}, content: content,
	})
}

// headline picks the sentence about the cause: on whose side it is.
func headline(p wire.DenialPage, checks []check) string {
	if p.ReadAllowed {
		return "denial.cause.read-only"
	}
	if p.Decision.Effect == wire.StepUp {
		return "denial.cause.step-up"
	}
	side := "policy"
	for _, c := range checks {
		if c.Asked {
			side = c.Side
			break
		}
	}
	switch side {
	case "you", "key", "device", "policy", "system":
	default:
		side = "policy"
	}
	if side == "device" && p.Device == "" {
		side = "no-device"
	}
	return "denial.cause." + side
}
