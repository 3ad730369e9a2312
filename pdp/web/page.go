package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

//go:embed templates/*.html
var templateFiles embed.FS

// host is where a page is shown.
type host struct {
	assets string
	portal bool // a portal's own host: the PDP's pages lie elsewhere
}

var (
	ownHost    = host{assets: ownAssets}
	portalHost = host{assets: portalAssets, portal: true}
)

// page is what the layout needs, whatever its content.
type page struct {
	Lang, Other string
	SwitchTo    string // address of this page in the other language; empty: by script
	Assets      string
	Help        string // address of the help pages
	Title       string
	Scripts     []string
	TestKeys    bool
	Content     any
}

// show is one page to be rendered.
type show struct {
	host        host
	status      int
	name        string // template
	title       string // text key
	titleArgs   []any
	csp         string
	permissions string
	scripts     []string
	content     any
}

func parsePages(texts map[reason.Language]catalogue) (map[reason.Language]*template.Template, error) {
	pages := make(map[reason.Language]*template.Template, len(texts))
	for lang, own := range texts {
		functions := template.FuncMap{
			"t":      own.text,
			"in":     func(lang, key string) (string, error) { return texts[reason.Language(lang)].text(key) },
			"reason": func(code string) reasonText { return describe(lang, wire.Reason{Code: code}) },
			"when":   func(at time.Time) string { return formatTime(lang, at) },
			"iso":    func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
			"inc":    func(i int) int { return i + 1 },
			"proof":  proof,
			"pair":   func(p page, c check) checkOn { return checkOn{p, c} },
			"name":   func(p wire.Portal) string { return portalName(lang, p) },
			"agency": func(zh, en string) string { return portalName(lang, wire.Portal{NameZH: zh, NameEN: en}) },
			"rows":   rows,
		}
		parsed, err := template.New("").Funcs(functions).ParseFS(templateFiles, "templates/*.html")
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		pages[lang] = parsed
	}
	return pages, nil
}

// render writes a page whole or not at all.
func (s *Site) render(w http.ResponseWriter, r *http.Request, v show) {
	lang := language(r)
	title, err := s.texts[lang].text(v.title, v.titleArgs...)
	p := page{
		Lang: string(lang), Other: string(other(lang)), Assets: v.host.assets + s.files.version + "/", Help: "/help/",
		Title: title, Scripts: v.scripts, TestKeys: s.config.TestAuthenticators, Content: v.content,
	}
	if v.host.portal {
		p.Help = s.config.Origin + "/help/"
	} else {
		p.SwitchTo = switchAddress(r.URL, other(lang))
		remember(w, r)
	}
	var body bytes.Buffer
	if err == nil {
		err = s.pages[lang].ExecuteTemplate(&body, v.name, p)
	}
	if err != nil {
		s.config.Logger.ErrorContext(r.Context(), "page not rendered", "page", v.name, "error", err.Error())
		http.Error(w, reason.Internal, http.StatusInternalServerError)
		return
	}
	setHeaders(w.Header(), orElse(v.csp, policy), orElse(v.permissions, permissionsNone))
	w.Header().Set("Content-Language", string(lang))
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(v.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // the peer is gone; nothing is left to tell it
	}
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// switchAddress is this page's address in another language.
func switchAddress(at *url.URL, lang reason.Language) string {
	query := at.Query()
	query.Set("lang", string(lang))
	return (&url.URL{Path: at.Path, RawQuery: query.Encode()}).String()
}

func portalName(lang reason.Language, p wire.Portal) string {
	name, second := p.NameZH, p.NameEN
	if lang == reason.English {
		name, second = second, name
	}
	return orElse(name, orElse(second, p.ID))
}

func formatTime(lang reason.Language, at time.Time) string {
	if at.IsZero() {
		return "–"
	}
	if lang == reason.English {
		return at.In(taiwan).Format("2 January 2006, 15:04:05 (UTC+8)")
	}
	return at.In(taiwan).Format("2006年1月2日 15:04:05")
}

// proofView is one of the three things that a sign-in proves.
type proofView struct {
	ID, Icon, Title string
	Texts           []proofText
}

type proofText struct{ For, Key string }

func proof(id, icon string) proofView {
	v := proofView{ID: id, Icon: icon, Title: "sign-in." + id}
	for _, state := range []string{"wait", "work", "done", "kept"} {
		if state == "kept" && id != "key" || state == "done" && id == "situation" {
			continue
		}
		v.Texts = append(v.Texts, proofText{For: state, Key: v.Title + "." + state})
	}
	return v
}
