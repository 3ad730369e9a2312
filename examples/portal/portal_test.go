package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/token"
)

const origin = "https://hr.example.gov.tw"

// world is a portal with the real issuer behind TLS.
type world struct {
	t       *testing.T
	issuer  *token.Issuer
	address string
	portal  http.Handler
	now     atomic.Int64
	asked   atomic.Int32
}

type agencies struct{}

func (agencies) Agency(_ context.Context, id string) (wire.Agency, error) {
	return wire.Agency{ID: id, NameZH: "\u6578\u4f4d\u767c\u5c55\u90e8", NameEN: "Ministry of Digital Affairs"}, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.now.Store(time.Now().UnixNano())
	var handler http.Handler
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.address = server.URL
	var err error
	w.issuer, err = token.New(token.Config{Dir: filepath.Join(t.TempDir(), "keys"), Origin: server.URL, Agencies: agencies{}, Clock: w.clock, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	handler = w.issuer.Handler()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := newVerifier(server.URL+"/a/moda", origin, ca, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	w.portal = newPortal(v, slog.New(slog.DiscardHandler))
	return w
}

func (w *world) clock() time.Time { return time.Unix(0, w.now.Load()) }

func (w *world) mint(change func(*wire.Facts, *wire.Decision)) string {
	w.t.Helper()
	f := wire.Facts{Portal: wire.Portal{ID: "por-1", Agency: "moda", Origin: origin}, Person: wire.Person{ID: "per-1", Name: "\u738b\u5c0f\u660e", Account: "wang.xm", Agency: "moda"},
		SignIn: wire.SignIn{AAL: 3, At: w.clock(), AMR: []string{"hwk"}}, Device: wire.Device{ID: "dev-1"}}
	d := wire.Decision{ID: "dec-1", Effect: wire.Allow, ValidUntil: w.clock().Add(time.Hour)}
	if change != nil {
		change(&f, &d)
	}
	text, _, err := w.issuer.Mint(w.t.Context(), "ses-1", &f, &d)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *world) send(method, path, token string, form url.Values, header ...string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(form.Encode()))
	if token != "" {
		r.Header.Set("Menshen-Token", token)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.portal.ServeHTTP(rec, r)
	body, err := io.ReadAll(rec.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec.Code, string(body)
}

func TestGreetsInBothLanguages(t *testing.T) {
	w := newWorld(t)
	text := w.mint(nil)
	status, page := w.send("GET", "/", text, nil)
	if status != 200 || !strings.Contains(page, `<h1 lang="zh-TW">`+"\u6578\u4f4d\u767c\u5c55\u90e8\u7684 \u738b\u5c0f\u660e") || !strings.Contains(page, "Ministry of Digital Affairs") {
		t.Fatal(status, page)
	}
	if status, page = w.send("GET", "/", text, nil, "Accept-Language", "en-GB,en"); status != 200 || !strings.Contains(page, "<h1 lang=\"en\">Welcome, \u738b\u5c0f\u660e of the Ministry of Digital Affairs.") {
		t.Fatal(status, page)
	}
	if n := w.asked.Load(); n != 1 {
		t.Fatalf("%d questions to the issuer", n)
	}
	if status, page := w.send("GET", "/healthz", "", nil); status != 200 || page != "ok\n" {
		t.Fatal(status, page)
	}
}

func TestWriting(t *testing.T) {
	w := newWorld(t)
	form := url.Values{"text": {"<b>hello</b>"}}
	if status, _ := w.send("POST", "/notes", w.mint(nil), form, "Origin", origin); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	if _, page := w.send("GET", "/", w.mint(nil), nil); !strings.Contains(page, "&lt;b&gt;hello&lt;/b&gt;") || !strings.Contains(page, "<form method=\"post\" action=\"/notes\">") {
		t.Fatal(page)
	}
	readOnly := w.mint(func(_ *wire.Facts, d *wire.Decision) { d.Obligations.ReadOnly = true })
	if status, _ := w.send("POST", "/notes", readOnly, form, "Origin", origin); status != http.StatusForbidden {
		t.Error("a read-only token wrote:", status)
	}
	if _, page := w.send("GET", "/", readOnly, nil); strings.Contains(page, "action=\"/notes\"") {
		t.Error("a form for somebody who may not write")
	}
	for name, header := range map[string][]string{"foreign": {"Origin", "https://evil.example"}, "null": {"Origin", "null"}, "none": nil, "same site": {"Sec-Fetch-Site", "same-site"}} {
		if status, _ := w.send("POST", "/notes", w.mint(nil), form, header...); status != http.StatusForbidden {
			t.Errorf("%s: another site wrote: %d", name, status)
		}
	}
	for _, text := range []string{"", "  ", strings.Repeat("x", 201), strings.Repeat("x", 5000)} {
		if status, _ := w.send("POST", "/notes", w.mint(nil), url.Values{"text": {text}}, "Origin", origin); status != http.StatusBadRequest {
			t.Errorf("%d characters: %d", len(text), status)
		}
	}
}

func TestTokensThatDoNotCount(t *testing.T) {
	w := newWorld(t)
	good := w.mint(nil)
	set, err := w.issuer.JWKS("moda")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := w.clock()
	base := map[string]any{"iss": w.address + "/a/moda", "aud": origin, "sub": "per-1", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
	forge := func(alg jose.SignatureAlgorithm, key any, kid, typ string, change map[string]any) string {
		t.Helper()
		all := map[string]any{}
		for k, v := range base {
			all[k] = v
		}
		for k, v := range change {
			all[k] = v
		}
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(s).Claims(all).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	public, err := set.Keys[0].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for name, text := range map[string]string{
		"none at all":                "",
		"not a token":                "x",
		"alg none":                   "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + parts[1] + ".",
		"no signature":               parts[0] + "." + parts[1] + ".",
		"public key as secret":       forge(jose.HS256, public, set.Keys[0].KeyID, "at+jwt", nil),
		"stranger, our id":           forge(jose.ES256, stranger, set.Keys[0].KeyID, "at+jwt", nil),
		"stranger, own id":           forge(jose.ES256, stranger, "other", "at+jwt", nil),
		"stranger, no id":            forge(jose.ES256, stranger, "", "at+jwt", nil),
		"for another portal":         w.mint(func(f *wire.Facts, _ *wire.Decision) { f.Portal.Origin = "https://budget.example.gov.tw" }),
		"for an origin beginning so": w.mint(func(f *wire.Facts, _ *wire.Decision) { f.Portal.Origin = origin + ".evil.example" }),
		"of another agency":          w.mint(func(f *wire.Facts, _ *wire.Decision) { f.Portal.Agency = "nccst" }),
		"changed":                    parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2],
		"longer than anybody's":      good + strings.Repeat("A", maxToken),
	} {
		if status, page := w.send("GET", "/", text, nil); status != http.StatusUnauthorized || strings.Contains(page, "\u738b\u5c0f\u660e") {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _ := w.send("GET", "/", good, nil, "Menshen-Token", good); status != http.StatusUnauthorized {
		t.Error("two tokens:", status)
	}
	w.now.Add(int64(5*time.Minute + leeway + time.Second))
	if status, _ := w.send("GET", "/", good, nil); status != http.StatusUnauthorized {
		t.Error("expired:", status)
	}
}

// With the issuer's own key, what is wrong with a token decides alone.
func TestClaimsThatDoNotCount(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	v, err := newVerifier("https://pdp.test/a/moda", origin, "", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	v.keys.Keys, v.fetched, v.tried = []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}, now, now
	for name, c := range map[string]struct {
		typ    string
		change map[string]any
		good   bool
	}{
		"good":            {"at+jwt", nil, true},
		"ID token's type": {"JWT", nil, false},
		"no type":         {"", nil, false},
		"issuer":          {"at+jwt", map[string]any{"iss": "https://pdp.test/a/other"}, false},
		"no issuer":       {"at+jwt", map[string]any{"iss": nil}, false},
		"audience":        {"at+jwt", map[string]any{"aud": "https://other"}, false},
		"no audience":     {"at+jwt", map[string]any{"aud": nil}, false},
		"two audiences":   {"at+jwt", map[string]any{"aud": []string{origin, "https://other"}}, false},
		"no subject":      {"at+jwt", map[string]any{"sub": nil}, false},
		"no end":          {"at+jwt", map[string]any{"exp": nil}, false},
		"no beginning":    {"at+jwt", map[string]any{"iat": nil}, false},
		"expired":         {"at+jwt", map[string]any{"exp": now.Add(-time.Minute).Unix(), "iat": now.Add(-2 * time.Minute).Unix()}, false},
		"of tomorrow":     {"at+jwt", map[string]any{"exp": now.Add(25 * time.Hour).Unix(), "iat": now.Add(25*time.Hour - time.Minute).Unix()}, false},
		"for a day":       {"at+jwt", map[string]any{"exp": now.Add(24 * time.Hour).Unix()}, false},
		"not before":      {"at+jwt", map[string]any{"nbf": now.Add(time.Minute).Unix()}, false},
	} {
		all := map[string]any{"iss": "https://pdp.test/a/moda", "aud": origin, "sub": "per-1", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
		for k, value := range c.change {
			if all[k] = value; value == nil {
				delete(all, k)
			}
		}
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType(jose.ContentType(c.typ)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(s).Claims(all).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.verify(t.Context(), text); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The algorithm is forced: a key of another kind among the issuer's opens
// nothing.
func TestAlgorithmIsForced(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	v, err := newVerifier("https://pdp.test/a/moda", origin, "", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	v.keys.Keys, v.fetched, v.tried = []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}, now, now
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256} {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("at+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(s).Claims(map[string]any{"iss": "https://pdp.test/a/moda", "aud": origin, "sub": "per-1", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.verify(t.Context(), text); !errors.Is(err, errToken) {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestInventedKeyIDsDoNotHammerTheIssuer(t *testing.T) {
	w := newWorld(t)
	w.send("GET", "/", w.mint(nil), nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "invented"}}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(map[string]any{}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		w.send("GET", "/", text, nil)
	}
	if n := w.asked.Load(); n != 1 {
		t.Fatalf("%d questions", n)
	}
}

func TestKeysRotate(t *testing.T) {
	w := newWorld(t)
	w.send("GET", "/", w.mint(nil), nil)
	for range 3 {
		w.now.Add(int64(20 * time.Minute))
		if err := w.issuer.Rotate("moda"); err != nil {
			t.Fatal(err)
		}
		if status, _ := w.send("GET", "/", w.mint(nil), nil); status != http.StatusOK {
			t.Fatal(status)
		}
	}
}

func TestConfigurationRefusals(t *testing.T) {
	for _, c := range [][2]string{{"", origin}, {"http://pdp/a/moda", origin}, {"https://pdp/a/moda", ""}, {"https://pdp/a/moda", origin + "/"}, {"https://pdp/a/moda", "hr"}} {
		if _, err := newVerifier(c[0], c[1], "", time.Now); err == nil {
			t.Error(c, "was taken")
		}
	}
	if _, err := newVerifier("https://pdp/a/moda", origin, filepath.Join(t.TempDir(), "none"), time.Now); err == nil {
		t.Error("a missing CA was taken")
	}
}
