package web

import (
	"net/http"

	"github.com/menshen-zt/menshen/internal/reason"
)

// languageCookie remembers a choice of language, on either host. It holds no
// secret and scripts may set it.
const languageCookie = "__Host-menshen-lang"

// language picks a page's language: the address's, then the cookie's, then the
// browser's.
func language(r *http.Request) reason.Language {
	if chosen, ok := parseLanguage(r.URL.Query().Get("lang")); ok {
		return chosen
	}
	if c, err := r.Cookie(languageCookie); err == nil {
		if chosen, ok := parseLanguage(c.Value); ok {
			return chosen
		}
	}
	return reason.Negotiate(r.Header.Get("Accept-Language"))
}

func parseLanguage(text string) (reason.Language, bool) {
	switch reason.Language(text) {
	case reason.Chinese:
		return reason.Chinese, true
	case reason.English:
		return reason.English, true
	}
	return "", false
}

// remember keeps the language that the address asks for.
func remember(w http.ResponseWriter, r *http.Request) {
	chosen, ok := parseLanguage(r.URL.Query().Get("lang"))
	if !ok {
		return
	}
	http.SetCookie(w, &http.Cookie{ // #nosec G124 -- holds no secret, and the pages' script sets it too
		Name: languageCookie, Value: string(chosen), Path: "/", MaxAge: 365 * 24 * 60 * 60, Secure: true, SameSite: http.SameSiteLaxMode,
	})
}

func other(lang reason.Language) reason.Language {
	if lang == reason.English {
		return reason.Chinese
	}
	return reason.English
}
