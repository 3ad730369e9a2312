package web

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Config is what the pages need.
type Config struct {
	// Origin is the PDP's own web origin; links from a portal's host to the
	// help pages lead there.
	Origin string
	// AgentPort is the agents' loopback port, which the sign-in page may reach.
	AgentPort int
	// TestAuthenticators has every page say that test keys are permitted.
	TestAuthenticators bool
	// Describe tells where a start handle leads to, and why. Its errors may
	// carry a reason by a method Reason() wire.Reason.
	Describe func(ctx context.Context, handle string) (wire.SignInPage, error)
	// Personal is what the person who asks is shown of themselves.
	Personal Personal
	Logger   *slog.Logger
}

// Site renders all pages. It is safe for concurrent use.
type Site struct {
	config    Config
	pages     map[reason.Language]*template.Template
	texts     map[reason.Language]catalogue
	files     *files
	signInCSP string
}

// New returns a Site, or an error for a faulty configuration, template or text.
func New(config Config) (*Site, error) {
	origin, err := url.Parse(config.Origin)
	if err != nil || origin.Scheme != "https" || origin.Host == "" || origin.Path != "" {
		return nil, errors.New("web: origin is not https://host[:port]")
	}
	if config.AgentPort <= 0 || config.AgentPort > 65535 || config.Describe == nil || config.Personal == nil || config.Logger == nil {
		return nil, errors.New("web: AgentPort, Describe, Personal and Logger are required")
	}
	s := &Site{config: config, signInCSP: signInPolicy(config.AgentPort)}
	if s.texts, err = loadTexts(); err != nil {
		return nil, err
	}
	if s.files, err = loadFiles(); err != nil {
		return nil, err
	}
	if s.pages, err = parsePages(s.texts); err != nil {
		return nil, err
	}
	return s, nil
}

// Taiwan has one time zone and no daylight saving time.
var taiwan = time.FixedZone("UTC+8", 8*60*60)

// Handler answers the PDP's own origin: /, /sign-in, /register, /signed-out, /me,
// /help/… and /assets/….
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.landing)
	mux.HandleFunc("GET /sign-in", s.signIn)
	mux.HandleFunc("GET /register", s.register)
	mux.HandleFunc("GET /signed-out", s.signedOut)
	mux.HandleFunc("GET /me", s.personal)
	mux.HandleFunc("GET /help", s.helpIndex)
	mux.HandleFunc("GET /help/{$}", s.helpIndex)
	mux.HandleFunc("GET /help/{code}", s.help)
	mux.Handle("GET "+ownAssets, http.StripPrefix(ownAssets, s.Assets()))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.fault(w, r, ownHost, http.StatusMethodNotAllowed, reason.New(reason.WrongMethod), "")
			return
		}
		s.fault(w, r, ownHost, http.StatusNotFound, reason.New(reason.NotFound), "")
	})
	return mux
}
