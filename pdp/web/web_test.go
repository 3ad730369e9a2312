package web

import (
	"context"
	"errors"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const handleOfPortal = "handle"

func newSite(t *testing.T, change ...func(*Config)) *Site {
	t.Helper()
	config := Config{
		Origin: "https://pdp.test", AgentPort: 47615, Logger: slog.New(slog.DiscardHandler), Personal: nobody,
		Describe: func(_ context.Context, handle string) (wire.SignInPage, error) {
			switch handle {
			case handleOfPortal:
				return wire.SignInPage{Portal: wire.Portal{ID: "por-1", NameZH: "人事資料系統", NameEN: "HR Records"}}, nil
			case "fault":
				return wire.SignInPage{}, errors.New("disk on fire at /var/lib/secret")
			}
			return wire.SignInPage{}, refused{}
		},
	}
	for _, f := range change {
		f(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type refused struct{}

func (refused) Error() string       { return "refused" }
func (refused) Reason() wire.Reason { return wire.Reason{Code: reason.KeyNoHandle} }
func (refused) Status() int         { return http.StatusForbidden }

func get(t *testing.T, handler http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://pdp.test"+path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func TestBothLanguagesHaveEveryText(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	zh, en := texts[reason.Chinese], texts[reason.English]
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if zh[key] == "" || en[key] == "" {
			t.Errorf("%s is empty or missing in a language", key)
		}
		if !slices.Equal(arguments(zh[key]), arguments(en[key])) {
			t.Errorf("%s names %v in Chinese and %v in English", key, arguments(zh[key]), arguments(en[key]))
		}
	}
	for key := range zh {
		if _, ok := en[key]; !ok {
			t.Errorf("%s has no English text", key)
		}
	}
	halfWidth := regexp.MustCompile(`[\x{4e00}-\x{9fff}][,;:?!()]|[,;:?!()][\x{4e00}-\x{9fff}]`)
	for key, text := range zh {
		if found := halfWidth.FindString(text); found != "" {
			t.Errorf("%s has half-width punctuation at %q", key, found)
		}
	}
}

func arguments(text string) []string {
	found := argument.FindAllString(text, -1)
	slices.Sort(found)
	return found
}

// builtTexts begin the keys that pages put together from a prefix and a value.
var builtTexts = []string{
	"claim.", "help.area.", "denial.cause.", "sign-in.key", "sign-in.device", "sign-in.situation",
	"me.action.", "me.appealed.", "me.kept.", "me.outcome.", "me.standing.",
}

// A text that no page shows is noise; a key that no language has fails when a
// page is rendered.
func TestEveryTextIsShownSomewhere(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, folder := range []string{".", "templates"} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), "_test.go") || entry.IsDir() {
				continue
			}
			raw, err := os.ReadFile(folder + "/" + entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			source.Write(raw)
		}
	}
	all := source.String()
	for key := range texts[reason.English] {
		built := slices.ContainsFunc(builtTexts, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		if !built && !strings.Contains(all, `"`+key+`"`) {
			t.Errorf("%s is shown nowhere", key)
		}
	}
}

func TestEveryPageIsStrict(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/sign-in?h=" + handleOfPortal, "/sign-in", "/register", "/signed-out", "/help", "/help/", "/help/ZT-KEY-001", "/help/ZT-KEY-999", "/nothing"} {
		for _, lang := range []string{"zh-TW", "en"} {
			w := get(t, s.Handler(), path, "Accept-Language", lang)
			h := w.Header()
			csp := h.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"} {
				if !slices.Contains(strings.Split(csp, "; "), want) {
					t.Errorf("%s: the policy lacks %q: %s", path, want, csp)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "data:") {
				t.Errorf("%s: a loose policy: %s", path, csp)
			}
			signsIn := path == "/sign-in?h="+handleOfPortal
			if strings.Contains(csp, "127.0.0.1") != signsIn {
				t.Errorf("%s: loopback in the policy: %s", path, csp)
			}
			permissions := h.Get("Permissions-Policy")
			if strings.Contains(permissions, "publickey-credentials-get=(self)") != signsIn || strings.Contains(permissions, "loopback-network=(self)") != signsIn ||
				strings.Contains(permissions, "publickey-credentials-create=(self)") != (path == "/register") {
				t.Errorf("%s: permissions %s", path, permissions)
			}
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
				"Cross-Origin-Opener-Policy": "same-origin", "Content-Language": lang,
			} {
				if h.Get(name) != want {
					t.Errorf("%s: %s is %q", path, name, h.Get(name))
				}
			}
			body := w.Body.String()
			if strings.Contains(body, "style=") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(body) || regexp.MustCompile(`\son[a-z]+=`).MatchString(body) {
				t.Errorf("%s has inline script or style", path)
			}
			if !strings.Contains(body, `<html lang="`+lang+`">`) || !strings.Contains(body, "data-language=") {
				t.Errorf("%s (%s): language or switch is missing", path, lang)
			}
		}
	}
	if csp := get(t, newSite(t, func(c *Config) { c.AgentPort = 50000 }).Handler(), "/sign-in?h="+handleOfPortal).Header().Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self' http://127.0.0.1:50000;") {
		t.Errorf("the configured port is not in %s", csp)
	}
}

func TestStatusOfPages(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]int{
		"/": 200, "/sign-in?h=" + handleOfPortal: 200, "/sign-in": 403, "/sign-in?h=x": 403, "/sign-in?h=fault": 503,
		"/help/zt-key-001": 200, "/help/ZT-KEY-999": 404, "/help/..%2f..": 404, "/nothing": 404,
	} {
		w := get(t, s.Handler(), path)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
		if strings.Contains(w.Body.String(), "disk on fire") {
			t.Errorf("%s tells an inner error", path)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "https://pdp.test/register", nil)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("POST: %d", w.Code)
	}
	r = httptest.NewRequest(http.MethodHead, "https://pdp.test/", nil)
	w = httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestLanguages(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct{ path, accept, cookie, want string }{
		{"/", "", "", "zh-TW"}, {"/", "en-GB,en;q=0.9", "", "en"}, {"/", "zh-HK", "", "zh-TW"}, {"/", "fr", "", "zh-TW"}, {"/", "fr,en;q=0.5", "", "en"},
		{"/", "en", "zh-TW", "zh-TW"}, {"/", "zh-TW", "en", "en"}, {"/?lang=en", "zh-TW", "zh-TW", "en"}, {"/?lang=xx", "en", "", "en"}, {"/", "en", "<script>", "en"},
	} {
		headers := []string{"Accept-Language", tt.accept}
		if tt.cookie != "" {
			headers = append(headers, "Cookie", languageCookie+"="+tt.cookie)
		}
		w := get(t, s.Handler(), tt.path, headers...)
		if got := w.Header().Get("Content-Language"); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
		set := w.Header().Get("Set-Cookie")
		if chosen := strings.Contains(tt.path, "lang=en"); chosen != strings.Contains(set, languageCookie+"=en; Path=/") || (set != "" && !strings.Contains(set, "Secure")) {
			t.Errorf("%+v: sets %q", tt, set)
		}
	}
	if body := get(t, s.Handler(), "/sign-in?h="+handleOfPortal).Body.String(); !strings.Contains(body, `href="/sign-in?h=handle&amp;lang=en"`) {
		t.Error("the switch loses the sign-in")
	}
}

func TestWithheldReasonsShowTheirCodeAlone(t *testing.T) {
	s := newSite(t)
	withheld := reason.Of(reason.English, wire.Reason{Code: reason.KeyReturnCodeWrong})
	if !withheld.Withheld {
		t.Fatal("the test needs a withheld reason")
	}
	denial := func() string {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "https://hr.test/", nil)
		r.Header.Set("Accept-Language", "en")
		s.Denial(w, r, wire.DenialPage{Person: "x", Decision: wire.Decision{Reasons: []wire.Reason{{Code: reason.KeyReturnCodeWrong}}}})
		return w.Body.String()
	}()
	fault := func() string {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "https://hr.test/", nil)
		r.Header.Set("Accept-Language", "en")
		s.Fault(w, r, 403, wire.Reason{Code: reason.KeyReturnCodeWrong}, "/")
		return w.Body.String()
	}()
	help := get(t, s.Handler(), "/help/"+reason.KeyReturnCodeWrong, "Accept-Language", "en").Body.String()
	index := get(t, s.Handler(), "/help", "Accept-Language", "en").Body.String()
	for name, body := range map[string]string{"denial": denial, "fault": fault, "help": help, "index": index} {
		if !strings.Contains(body, reason.KeyReturnCodeWrong) {
			t.Errorf("%s lacks the code", name)
		}
		if text := html.UnescapeString(body); strings.Contains(text, withheld.What) || strings.Contains(text, withheld.Title) {
			t.Errorf("%s tells what is withheld", name)
		}
	}
}

func TestTestAuthenticatorsAreSaidOnEveryPage(t *testing.T) {
	for _, on := range []bool{true, false} {
		s := newSite(t, func(c *Config) { c.TestAuthenticators = on })
		pages := map[string]string{}
		for _, path := range []string{"/", "/sign-in?h=" + handleOfPortal, "/sign-in", "/register", "/signed-out", "/help", "/help/ZT-KEY-001", "/nothing"} {
			pages[path] = get(t, s.Handler(), path).Body.String()
		}
		r := httptest.NewRequest(http.MethodGet, "https://hr.test/", nil)
		for name, write := range map[string]func(http.ResponseWriter){
			"denial":     func(w http.ResponseWriter) { s.Denial(w, r, wire.DenialPage{}) },
			"fault":      func(w http.ResponseWriter) { s.Fault(w, r, 403, wire.Reason{Code: reason.Internal}, "") },
			"signed out": func(w http.ResponseWriter) { s.SignedOut(w, r, wire.Portal{}, "/") },
		} {
			w := httptest.NewRecorder()
			write(w)
			pages[name] = w.Body.String()
		}
		for name, body := range pages {
			if strings.Contains(body, "測試設定") != on || strings.Contains(body, "Test setting") != on {
				t.Errorf("%s, setting %v: the banner is wrong", name, on)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]struct {
		status         int
		cache, content string
	}{
		s.files.version + "/menshen.css": {200, "public, max-age=31536000, immutable", "text/css; charset=utf-8"},
		s.files.version + "/sign-in.js":  {200, "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
		s.files.version + "/icon.svg":    {200, "public, max-age=31536000, immutable", "image/svg+xml"},
		"old/menshen.css":                {200, "no-cache", "text/css; charset=utf-8"},
		s.files.version + "/nothing.js":  {status: 404}, "menshen.css": {status: 404}, "": {status: 404},
		s.files.version + "/../texts/en.json": {status: 404}, s.files.version + "/..%2ftexts%2fen.json": {status: 404},
	} {
		for _, mount := range []string{ownAssets, portalAssets} {
			r := httptest.NewRequest(http.MethodGet, "https://hr.test/", nil)
			r.URL.Path = mount + path
			w := httptest.NewRecorder()
			http.StripPrefix(strings.TrimSuffix(mount, "/"), s.Assets()).ServeHTTP(w, r)
			if w.Code != want.status || (want.status == 200 && (w.Header().Get("Cache-Control") != want.cache || w.Header().Get("Content-Type") != want.content)) {
				t.Errorf("%s: %d %v", mount+path, w.Code, w.Header())
			}
		}
	}
	body := get(t, s.Handler(), "/").Body.String()
	if !strings.Contains(body, ownAssets+s.files.version+"/menshen.css") {
		t.Error("the page does not name this version's assets")
	}
}

func TestTheChecklist(t *testing.T) {
	s := newSite(t)
	why := func(code string) wire.Reason { return wire.Reason{Code: code} }
	lines := func(p wire.DenialPage) (all []string) {
		set, rest := checklist(reason.English, s.texts[reason.English], p)
		for _, c := range slices.Concat(set, rest) {
			all = append(all, c.State+" "+orElse(c.Code, c.Title))
		}
		return all
	}
	for name, tt := range map[string]struct {
		page wire.DenialPage
		want []string
	}{
		"remedies before reasons, each once": {wire.DenialPage{Decision: wire.Decision{
			Reasons:  []wire.Reason{why("ZT-KEY-011"), why("ZT-KEY-010")},
			Remedies: []wire.Remedy{{Reason: why("ZT-KEY-010")}},
		}}, []string{"fail ZT-KEY-010", "fail ZT-KEY-011"}},
		"a remedy speaks for its claim": {wire.DenialPage{
			Decision: wire.Decision{Remedies: []wire.Remedy{{Reason: why("ZT-KEY-010"), Claim: wire.ClaimFirewall}}},
			Claims:   []wire.Claim{{ID: wire.ClaimFirewall, State: wire.ClaimFail}, {ID: wire.ClaimSecureBoot, State: wire.ClaimPass}},
		}, []string{"fail ZT-KEY-010", "pass Secure Boot on"}},
		"what cannot be measured is no pass": {wire.DenialPage{
			Decision: wire.Decision{Remedies: []wire.Remedy{{Reason: why("ZT-KEY-010"), Claim: wire.ClaimFirewall}}},
			Claims: []wire.Claim{
				{ID: wire.ClaimFirewall, State: wire.ClaimError}, {ID: wire.ClaimSecureBoot, State: wire.ClaimManual},
				{ID: wire.ClaimOSRelease, State: ""}, {ID: "new-claim", State: "made-up"}, {ID: wire.ClaimDiskEncryption, State: wire.ClaimError},
			},
		}, []string{"unknown ZT-KEY-010", "unknown Secure Boot on", "unknown Supported operating system", "unknown new-claim", "unknown Disk encrypted"}},
		"findings that the decision did not ask for": {wire.DenialPage{
			Findings: []wire.Finding{{Reason: why("ZT-KEY-010"), Claim: wire.ClaimFirewall}},
			Claims:   []wire.Claim{{ID: wire.ClaimFirewall, State: wire.ClaimFail}, {ID: wire.ClaimDiskEncryption, State: wire.ClaimFail}},
		}, []string{"warn ZT-KEY-010", "warn Disk encrypted"}},
		"two claims of one reason": {wire.DenialPage{Decision: wire.Decision{Suffices: true, Remedies: []wire.Remedy{
			{Reason: why("ZT-KEY-010"), Claim: wire.ClaimFirewall, Action: "fix-claim"}, {Reason: why("ZT-KEY-010"), Claim: wire.ClaimAntivirus, Action: "fix-claim"},
		}}}, []string{"fail ZT-KEY-010", "fail ZT-KEY-010"}},
		"nothing known": {wire.DenialPage{}, nil},
	} {
		if got := lines(tt.page); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestWhatIsAskedIsWhatTheDecisionNames: a finding that this decision did not
// ask for is told and not counted, also where it could not be measured.
func TestWhatIsAskedIsWhatTheDecisionNames(t *testing.T) {
	_, checks := checklist(reason.English, newSite(t).texts[reason.English], wire.DenialPage{
		Decision: wire.Decision{Remedies: []wire.Remedy{{Reason: reason.New(reason.FirewallOff), Claim: wire.ClaimFirewall}}},
		Findings: []wire.Finding{{Reason: reason.New(reason.AntivirusUnmeasured), Claim: wire.ClaimAntivirus, Note: true}},
		Claims:   []wire.Claim{{ID: wire.ClaimFirewall, State: wire.ClaimFail}, {ID: wire.ClaimAntivirus, State: wire.ClaimError}},
	})
	if len(checks) != 2 || !checks[0].Asked || checks[0].Code != reason.FirewallOff || checks[1].Asked || checks[1].State != stateUnknown {
		t.Errorf("%+v", checks)
	}
}

func TestReturnPathsThatLeadAwayAreNotUsed(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{
		"/leave?week=47": "/leave?week=47", "": "/", "//evil.example/": "/", `/\evil.example`: "/", "https://evil.example/": "/", "javascript:alert(1)": "/",
	} {
		w := httptest.NewRecorder()
		s.Denial(w, httptest.NewRequest(http.MethodGet, "https://hr.test/", nil), wire.DenialPage{ReturnPath: path, Device: "LT-1"})
		body := html.UnescapeString(w.Body.String())
		if !strings.Contains(body, `data-continue="`+want+`"`) || !strings.Contains(body, `id="continue" href="`+want+`"`) {
			t.Errorf("%q does not lead to %q", path, want)
		}
	}
}

func TestTheFirstLineNamesTheSide(t *testing.T) {
	at := func(side string) []check {
		return []check{{State: stateFail, Asked: true, reasonText: reasonText{Code: "ZT-X", Text: reason.Text{Side: side}}}}
	}
	for _, tt := range []struct {
		page   wire.DenialPage
		checks []check
		want   string
	}{
		{wire.DenialPage{Device: "LT-1"}, at("device"), "denial.cause.device"},
		{wire.DenialPage{}, at("device"), "denial.cause.no-device"},
		{wire.DenialPage{}, at("key"), "denial.cause.key"},
		{wire.DenialPage{}, at("you"), "denial.cause.you"},
		{wire.DenialPage{}, at("system"), "denial.cause.system"},
		{wire.DenialPage{}, at("made-up"), "denial.cause.policy"},
		{wire.DenialPage{}, nil, "denial.cause.policy"},
		{wire.DenialPage{}, []check{{State: stateWarn, reasonText: reasonText{Code: "ZT-X", Text: reason.Text{Side: "key"}}}}, "denial.cause.policy"},
		{wire.DenialPage{Device: "LT-1"}, []check{{State: stateUnknown, Asked: true, reasonText: reasonText{Code: "ZT-X", Text: reason.Text{Side: "device"}}}}, "denial.cause.device"},
		{wire.DenialPage{Decision: wire.Decision{Effect: wire.StepUp}}, at("device"), "denial.cause.step-up"},
		{wire.DenialPage{ReadAllowed: true}, at("device"), "denial.cause.read-only"},
	} {
		if got := headline(tt.page, nil, tt.checks); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.page, got, tt.want)
		}
		if _, err := newSite(t).texts[reason.English].text(tt.want); err != nil {
			t.Error(err)
		}
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"http": func(c *Config) { c.Origin = "http://pdp.test" }, "path": func(c *Config) { c.Origin = "https://pdp.test/x" },
		"no port": func(c *Config) { c.AgentPort = 0 }, "odd port": func(c *Config) { c.AgentPort = 70000 },
		"no Describe": func(c *Config) { c.Describe = nil }, "no Personal": func(c *Config) { c.Personal = nil }, "no logger": func(c *Config) { c.Logger = nil },
	} {
		config := Config{Origin: "https://pdp.test", AgentPort: 1, Personal: nobody, Logger: slog.New(slog.DiscardHandler), Describe: func(context.Context, string) (wire.SignInPage, error) { return wire.SignInPage{}, nil }}
		change(&config)
		if _, err := New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Every code of every area has a help page in both languages.
func TestEveryCodeHasHelp(t *testing.T) {
	s := newSite(t)
	for _, code := range reason.Codes() {
		for _, lang := range []string{"zh-TW", "en"} {
			if w := get(t, s.Handler(), "/help/"+code, "Accept-Language", lang); w.Code != http.StatusOK || argument.MatchString(w.Body.String()) {
				t.Errorf("%s (%s): %d, or a raw argument", code, lang, w.Code)
			}
		}
	}
}

func nobody(context.Context, *http.Request) (wire.Personal, bool, error) {
	return wire.Personal{}, false, nil
}

// A page that cannot be put together says so, and shows nothing of anybody.
func TestAPersonalPageThatFails(t *testing.T) {
	s := newSite(t, func(c *Config) {
		c.Personal = func(context.Context, *http.Request) (wire.Personal, bool, error) {
			return wire.Personal{Person: wire.Person{Name: "王小明"}}, true, errors.New("the log is torn")
		}
	})
	out := httptest.NewRecorder()
	s.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/me", nil))
	if body := out.Body.String(); out.Code != http.StatusServiceUnavailable || strings.Contains(body, "王小明") || strings.Contains(body, "torn") {
		t.Errorf("%d %s", out.Code, body)
	}
}
