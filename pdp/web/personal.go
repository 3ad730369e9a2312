package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/menshen-zt/menshen/internal/admission"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Personal is who a request comes from and what is known of them; known is
// false where nobody is signed in. Its errors may carry a reason and a status.
type Personal func(ctx context.Context, r *http.Request) (p wire.Personal, known bool, err error)

type personalContent struct {
	wire.Personal
	Decisions []decisionRow
	// Reasons are the codes that the page's script may have to show.
	Reasons []string
}

// decisionRow is one decision in words.
type decisionRow struct {
	wire.PersonalDecision
	State string // its icon
	Word  string // text key of what became of it
	Why   []reasonText
	Terms []termRow
}

// termRow is one term of the trust score in words.
type termRow struct {
	Nats string // signed
	For  bool   // speaks for the person
	Text reasonText
}

// personal is the person's own page: pages, rule 9.
func (s *Site) personal(w http.ResponseWriter, r *http.Request) {
	p, known, err := s.config.Personal(r.Context(), r)
	if err != nil {
		status, why := explain(err)
		if why.Code == reason.Unavailable { // a refusal is the caller's, who could fill the log
			s.config.Logger.ErrorContext(r.Context(), "a personal page cannot be shown", "error", err.Error())
		}
		if status == http.StatusServiceUnavailable {
			admission.Busy(w.Header())
		}
		s.fault(w, r, ownHost, status, why, "/me")
		return
	}
	if !known {
		// The cookie is for this site alone: who comes from another by a link is
		// known as soon as they press the button here.
		s.fault(w, r, ownHost, http.StatusUnauthorized, reason.New(reason.PersonalSignIn), "/me")
		return
	}
	lang := language(r)
	content := personalContent{Personal: p, Reasons: []string{reason.KeyNetwork}}
	for _, d := range p.Decisions {
		content.Decisions = append(content.Decisions, rowOf(lang, d))
	}
	s.render(w, r, show{
		host: ownHost, status: http.StatusOK, name: "me.html", title: "me.title", scripts: []string{"me.js"}, content: content,
	})
}

func rowOf(lang reason.Language, d wire.PersonalDecision) decisionRow {
	row := decisionRow{PersonalDecision: d, State: stateFail, Word: "me.effect.deny"}
	switch {
	case d.Effect == wire.Allow && d.ReadOnly:
		row.State, row.Word = stateWarn, "me.effect.read"
	case d.Effect == wire.Allow:
		row.State, row.Word = statePass, "me.effect.allow"
	case d.Effect == wire.StepUp:
		row.State, row.Word = stateWarn, "me.effect.step-up"
	}
	for _, why := range d.Reasons {
		row.Why = append(row.Why, describe(lang, why))
	}
	for _, t := range d.Trust.Terms {
		for _, why := range t.Reasons {
			row.Terms = append(row.Terms, termRow{Nats: signed(t.Nats), For: t.Nats >= 0, Text: describe(lang, why)})
		}
	}
	return row
}

// signed writes nats with two digits and a sign; a minus that is as wide as a plus.
func signed(nats float64) string {
	text := strconv.FormatFloat(nats, 'f', 2, 64)
	switch {
	case text == "-0.00" || text == "0.00":
		return "0.00"
	case nats < 0:
		return "−" + text[1:]
	}
	return "+" + text
}

// rows names the texts of a table: three cells in each of n rows.
func rows(prefix string, n int) [][]string {
	all := make([][]string, n)
	for i := range all {
		row := prefix + "." + strconv.Itoa(i+1)
		all[i] = []string{row + ".what", row + ".who", row + ".long"}
	}
	return all
}
