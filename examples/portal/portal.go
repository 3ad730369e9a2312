package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

//go:embed pages style.css
var files embed.FS

const (
	maxNote  = 200 // characters
	maxNotes = 20
	maxForm  = 4 << 10
)

// portal is the application: a page to read and a form to write.
type portal struct {
	verifier *verifier
	log      *slog.Logger
	pages    *template.Template

	mu    sync.Mutex
	notes []note // the newest first
}

type note struct {
	Text, Name string
	At         time.Time
}

func newPortal(v *verifier, log *slog.Logger) http.Handler {
	p := &portal{verifier: v, log: log, pages: template.Must(template.ParseFS(files, "pages/*.html"))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "style.css") })
	mux.Handle("GET /{$}", p.known(p.read))
	mux.Handle("POST /notes", p.known(p.write))
	return headers(mux)
}

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// known lets only those through whose token this portal has verified itself.
func (p *portal) known(next func(http.ResponseWriter, *http.Request, claims)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		tokens := r.Header.Values("Menshen-Token")
		if len(tokens) != 1 {
			tokens = []string{""}
		}
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		c, err := p.verifier.verify(ctx, tokens[0])
		switch {
		case errors.Is(err, errToken):
			p.log.Warn("request without a token that counts", "error", err)
			p.show(w, r, http.StatusUnauthorized, "refused.html", nil)
		case err != nil:
			p.log.Error("token could not be verified", "error", err)
			p.show(w, r, http.StatusServiceUnavailable, "unavailable.html", nil)
		default:
			next(w, r, c)
		}
	})
}

type view struct {
	claims
	English, ReadOnly bool
	Written           bool
	Notes             []note
}

func (p *portal) read(w http.ResponseWriter, r *http.Request, c claims) {
	p.mu.Lock()
	notes := append([]note(nil), p.notes...)
	p.mu.Unlock()
	p.show(w, r, http.StatusOK, "portal.html", &view{claims: c, ReadOnly: c.ReadOnly, Notes: notes, Written: r.URL.Query().Has("written")})
}

func (p *portal) write(w http.ResponseWriter, r *http.Request, c claims) {
	if c.ReadOnly {
		p.show(w, r, http.StatusForbidden, "refused.html", nil)
		return
	}
	// The session is a cookie, so a form of another site would carry it.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "same-origin" && r.Header.Get("Origin") != p.verifier.audience {
		p.show(w, r, http.StatusForbidden, "refused.html", nil)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	text := strings.TrimSpace(r.PostFormValue("text"))
	if n := len([]rune(text)); n == 0 || n > maxNote {
		p.show(w, r, http.StatusBadRequest, "form.html", nil)
		return
	}
	p.mu.Lock()
	p.notes = append([]note{{Text: text, Name: c.Name, At: p.verifier.clock()}}, p.notes...)
	p.notes = p.notes[:min(len(p.notes), maxNotes)]
	p.mu.Unlock()
	http.Redirect(w, r, "/?written", http.StatusSeeOther)
}

func (p *portal) show(w http.ResponseWriter, r *http.Request, status int, page string, v *view) {
	if v == nil {
		v = &view{}
	}
	v.English = english(r.Header.Get("Accept-Language"))
	var body bytes.Buffer
	if err := p.pages.ExecuteTemplate(&body, page, v); err != nil {
		p.log.Error("page", "name", page, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the peer is gone; nothing is left to tell it
}

// english picks the language that comes first; both stand on every page.
func english(accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(first)), "en")
}
