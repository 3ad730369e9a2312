package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func (s *Site) landing(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, show{host: ownHost, status: http.StatusOK, name: "landing.html", title: "landing.title", scripts: []string{"landing.js"}})
}

func (s *Site) signedOut(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, show{host: ownHost, status: http.StatusOK, name: "signed-out.html", title: "signed-out.title", content: signedOutContent{}})
}

type signInContent struct {
	Handle    string
	AgentPort int
	Portal    wire.Portal
	Why       []reasonText // a new touch is asked for
	// Reasons are the codes that the page's script may have to show.
	Reasons []string
}

func (s *Site) signIn(w http.ResponseWriter, r *http.Request) {
	handle := r.URL.Query().Get("h")
	page, err := s.config.Describe(r.Context(), handle)
	if err != nil {
		status, why := explain(err)
		s.fault(w, r, ownHost, status, why, "")
		return
	}
	var why []reasonText
	for _, one := range page.Why {
		why = append(why, describe(language(r), one))
	}
	s.render(w, r, show{
		host: ownHost, status: http.StatusOK, name: "sign-in.html", title: "sign-in.title",
		csp: s.signInCSP, permissions: permissionsSignIn, scripts: []string{"sign-in.js"},
		content: signInContent{Handle: handle, AgentPort: s.config.AgentPort, Portal: page.Portal, Why: why, Reasons: []string{
			reason.KeyNotUsed, reason.KeyBrowser, reason.KeyNetwork, reason.KeyAgentNotReached, reason.KeyLoopbackNotAllowed,
		}},
	})
}

// explain reads status and reason off an error that carries them.
func explain(err error) (int, wire.Reason) {
	var refusal interface {
		Reason() wire.Reason
		Status() int
	}
	if errors.As(err, &refusal) {
		return refusal.Status(), refusal.Reason()
	}
	return http.StatusServiceUnavailable, reason.New(reason.Unavailable)
}

type registerContent struct{ Reasons []string }

func (s *Site) register(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, show{
		host: ownHost, status: http.StatusOK, name: "register.html", title: "register.title",
		permissions: permissionsRegister, scripts: []string{"register.js"},
		content: registerContent{Reasons: []string{
			reason.KeyNotUsed, reason.KeyAlreadyRegistered, reason.KeyBrowser, reason.KeyNetwork, reason.KeyLinkInvalid,
		}},
	})
}

type helpArea struct {
	Area    string
	Entries []reasonText
}

func (s *Site) helpIndex(w http.ResponseWriter, r *http.Request) {
	lang := language(r)
	var areas []helpArea
	for _, code := range reason.Codes() {
		area := codeArea(code)
		if len(areas) == 0 || areas[len(areas)-1].Area != area {
			areas = append(areas, helpArea{Area: area})
		}
		last := &areas[len(areas)-1]
		last.Entries = append(last.Entries, describe(lang, wire.Reason{Code: code}))
	}
	s.render(w, r, show{host: ownHost, status: http.StatusOK, name: "help-index.html", title: "help.title", content: areas})
}

// codeArea returns the area of a code ZT-<area>-<nnn>.
func codeArea(code string) string {
	parts := strings.Split(code, "-")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

func (s *Site) help(w http.ResponseWriter, r *http.Request) {
	code := strings.ToUpper(r.PathValue("code"))
	for _, known := range reason.Codes() {
		if known == code {
			s.render(w, r, show{
				host: ownHost, status: http.StatusOK, name: "help.html", title: "help.code-title", titleArgs: []any{"code", code},
				content: helpOf(describe(language(r), wire.Reason{Code: code})),
			})
			return
		}
	}
	s.fault(w, r, ownHost, http.StatusNotFound, reason.New(reason.NotFound), "")
}
