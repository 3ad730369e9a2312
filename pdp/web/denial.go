package web

import (
	"net/http"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

type denialContent struct {
	wire.DenialPage
	Headline  string  // text key of the first line's cause
	Set       []check // the smallest set of changes that lets the person in
	Minutes   int     // that the set takes in all, 0 if unknown
	Checks    []check // everything else
	Unmet     int
	Doubted   []reasonText // what lowered the score
	StepUp    bool
	SignIn    bool // a step of the set is a new touch of the key
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
	set, rest := checklist(lang, s.texts[lang], p)
	content := denialContent{
		DenialPage: p, Set: set, Checks: rest, Headline: headline(p, set, rest), StepUp: p.Decision.Effect == wire.StepUp,
		Continue: "/", Reasons: []string{reason.AgentDidNotAnswer, reason.KeyNetwork}, Signature: p.Decision.Reasons,
	}
	if wire.CheckReturnPath(p.ReturnPath) == nil {
		content.Continue = p.ReturnPath
	}
	content.count()
	content.CanCheck = p.Device != ""
	for _, why := range p.Doubts {
		content.Doubted = append(content.Doubted, describe(lang, why))
	}
	s.render(w, r, show{
		host: portalHost, status: http.StatusForbidden, name: "denial.html",
		title: "denial.title", titleArgs: []any{"portal", portalName(lang, p.Portal)},
		scripts: []string{"denial.js"}, content: content,
	})
}

// count sums up what is to be done.
func (c *denialContent) count() {
	known := true
	for _, one := range c.Set {
		c.Minutes += one.Minutes
		known = known && one.Minutes > 0
		c.SignIn = c.SignIn || one.Action == "sign-in" && !c.StepUp
	}
	if !known {
		c.Minutes = 0
	}
	for _, one := range c.Checks {
		if one.Asked {
			c.Unmet++
		}
	}
}

// headline picks the sentence about the cause: on whose side it is.
func headline(p wire.DenialPage, set, rest []check) string {
	if p.ReadAllowed {
		return "denial.cause.read-only"
	}
	if p.Decision.Effect == wire.StepUp {
		return "denial.cause.step-up"
	}
	side := "policy"
	for _, c := range slices.Concat(set, rest) {
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
