package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/menshen-zt/menshen/internal/wire"
)

const origin = "https://pdp.example.gov.tw"

type home struct {
	*Issuer
	t   *testing.T
	dir string
	now time.Time
}

func newHome(t *testing.T) *home {
	h := &home{t: t, dir: filepath.Join(t.TempDir(), "keys"), now: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)}
	h.open()
	return h
}

func (h *home) open() {
	h.t.Helper()
	i, err := New(Config{Dir: h.dir, Origin: origin, Agencies: h, Clock: func() time.Time { return h.now }, Random: rand.Reader})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Issuer = i
	h.t.Cleanup(func() { _ = i.Close() })
}

func (h *home) Agency(_ context.Context, id string) (wire.Agency, error) {
	if id == "lost" {
		return wire.Agency{}, errors.New("not found")
	}
	return wire.Agency{ID: id, NameZH: "\u6578\u4f4d\u90e8", NameEN: "Digital"}, nil
}

func (h *home) given() (wire.Facts, wire.Decision) {
	return wire.Facts{
			Person:   wire.Person{ID: "per-1", Name: "\u738b", Account: "wang", Agency: "nccst", Groups: []string{"hr"}},
			Portal:   wire.Portal{ID: "por-1", Agency: "moda", Origin: "https://hr.test"},
			SignIn:   wire.SignIn{AAL: 3, At: h.now.Add(-time.Hour), AMR: []string{"hwk", "pin"}},
			Device:   wire.Device{ID: "dev-1", Provenance: wire.ProvenanceTPM},
			Standing: wire.DeviceStanding{Standing: wire.StandingFresh, Result: wire.AttestationResult{Vector: wire.TrustVector{Hardware: wire.Affirming}}},
			Trust:    wire.TrustAssessment{Score: 62, Coverage: 0.5},
		}, wire.Decision{ID: "dec-1", Effect: wire.Allow, ValidUntil: h.now.Add(time.Hour),
			Obligations: wire.Obligations{ReadOnly: true}}
}

func (h *home) mint() (string, time.Time) {
	h.t.Helper()
	f, d := h.given()
	text, expires, err := h.Mint(h.t.Context(), "ses-1", &f, &d)
	if err != nil {
		h.t.Fatal(err)
	}
	return text, expires
}

func (h *home) verify(text string) (map[string]any, error) {
	h.t.Helper()
	set, err := h.JWKS("moda")
	if err != nil {
		h.t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	if parsed.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" {
		h.t.Fatal("typ", parsed.Headers[0].ExtraHeaders)
	}
	var all map[string]any
	return all, parsed.Claims(set, &all)
}

// The whole token, claim by claim: RFC 9068, 2.2, and requirements 18.
func TestClaims(t *testing.T) {
	h := newHome(t)
	text, expires := h.mint()
	got, err := h.verify(text)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := got["jti"].(string); wire.CheckID("tok", id) != nil {
		t.Error("jti", got["jti"])
	}
	delete(got, "jti")
	want := map[string]any{
		"iss": origin + "/a/moda", "aud": "https://hr.test", "sub": "per-1", "client_id": "por-1",
		"iat": float64(h.now.Unix()), "exp": float64(h.now.Add(5 * time.Minute).Unix()), "auth_time": float64(h.now.Add(-time.Hour).Unix()),
		"acr": "urn:menshen:aal:3", "amr": []any{"hwk", "pin"}, "name": "\u738b", "preferred_username": "wang",
		"agency": "nccst", "agency_name_zh": "\u6578\u4f4d\u90e8", "agency_name_en": "Digital", "groups": []any{"hr"},
		"device": map[string]any{"id": "dev-1", "provenance": "tpm", "standing": "fresh",
			"vector": map[string]any{"instance_identity": "", "hardware": "affirming", "executables": "", "configuration": ""}},
		"trust": map[string]any{"score": 62.0, "coverage": 0.5}, "read_only": true, "sid": "ses-1", "decision": "dec-1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !expires.Equal(h.now.Add(5 * time.Minute)) {
		t.Error(expires)
	}
}

func TestLife(t *testing.T) {
	h := newHome(t)
	for name, c := range map[string]struct {
		valid, limit, want time.Duration
	}{
		"long decision":    {time.Hour, 0, 5 * time.Minute},
		"short decision":   {time.Minute, 0, time.Minute},
		"almost over":      {time.Second, 0, 30 * time.Second},
		"obligation":       {time.Hour, 90 * time.Second, 90 * time.Second},
		"short obligation": {time.Second, 10 * time.Second, 10 * time.Second},
		"long obligation":  {time.Hour, time.Hour, 5 * time.Minute},
	} {
		f, d := h.given()
		d.ValidUntil, d.Obligations.MaxTokenLife = h.now.Add(c.valid), c.limit
		_, expires, err := h.Mint(t.Context(), "ses-1", &f, &d)
		if err != nil || expires.Sub(h.now) != c.want {
			t.Errorf("%s: %v %v", name, expires.Sub(h.now), err)
		}
	}
}

func TestNothingIsMintedForADenial(t *testing.T) {
	h := newHome(t)
	for name, spoil := range map[string]func(*wire.Facts, *wire.Decision){
		"denied":     func(_ *wire.Facts, d *wire.Decision) { d.Effect = wire.Deny },
		"step-up":    func(_ *wire.Facts, d *wire.Decision) { d.Effect = wire.StepUp },
		"nobody":     func(f *wire.Facts, _ *wire.Decision) { f.Person.ID = "" },
		"nowhere":    func(f *wire.Facts, _ *wire.Decision) { f.Portal.Origin = "" },
		"no issuer":  func(f *wire.Facts, _ *wire.Decision) { f.Portal.Agency = "" },
		"traversal":  func(f *wire.Facts, _ *wire.Decision) { f.Portal.Agency = "../moda" },
		"no agency":  func(f *wire.Facts, _ *wire.Decision) { f.Person.Agency = "lost" },
		"dot agency": func(f *wire.Facts, _ *wire.Decision) { f.Portal.Agency = "." },
	} {
		f, d := h.given()
		spoil(&f, &d)
		if text, _, err := h.Mint(t.Context(), "ses-1", &f, &d); err == nil || text != "" {
			t.Errorf("%s: minted", name)
		}
	}
}

func TestKeysSurviveARestart(t *testing.T) {
	h := newHome(t)
	text, _ := h.mint()
	h.open()
	if _, err := h.verify(text); err != nil {
		t.Fatal(err)
	}
	before, err := h.JWKS("moda")
	if err != nil || len(before.Keys) != 2 {
		t.Fatal(before, err)
	}
	h.mint()
	if after, _ := h.JWKS("moda"); !reflect.DeepEqual(ids(before), ids(after)) {
		t.Fatal("other keys after a restart")
	}
}

func ids(set jose.JSONWebKeySet) (list []string) {
	for _, k := range set.Keys {
		list = append(list, k.KeyID)
	}
	return list
}

func TestRotation(t *testing.T) {
	h := newHome(t)
	old, _ := h.mint()
	first, _ := h.JWKS("moda")
	if err := h.Rotate("moda"); !errors.Is(err, ErrTooSoon) {
		t.Fatal("rotated before caches can know the next key:", err)
	}
	h.now = h.now.Add(settled)
	if err := h.Rotate("moda"); err != nil {
		t.Fatal(err)
	}
	second, _ := h.JWKS("moda")
	if len(second.Keys) != 3 || second.Keys[0].KeyID != first.Keys[1].KeyID {
		t.Fatal("what was published next does not sign now:", ids(first), ids(second))
	}
	if _, err := h.verify(old); err != nil {
		t.Fatal("a token of the previous key:", err)
	}
	fresh, _ := h.mint()
	if _, err := h.verify(fresh); err != nil {
		t.Fatal(err)
	}
	h.open()
	if _, err := h.verify(fresh); err != nil {
		t.Fatal("after a restart:", err)
	}
	h.now = h.now.Add(settled)
	if err := h.Rotate("moda"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(old); err == nil {
		t.Fatal("a key is published for ever")
	}
	if _, err := os.Stat(filepath.Join(h.dir, "moda", first.Keys[0].KeyID+".pem")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("a private key outlives its use:", err)
	}
	if err := h.Rotate("nobody"); !errors.Is(err, ErrNoKeys) {
		t.Fatal(err)
	}
}

func TestTend(t *testing.T) {
	h := newHome(t)
	h.mint()
	before, _ := h.JWKS("moda")
	h.now = h.now.Add(RotateEvery - time.Second)
	if err := h.Tend(); err != nil {
		t.Fatal(err)
	}
	if after, _ := h.JWKS("moda"); !reflect.DeepEqual(ids(before), ids(after)) {
		t.Fatal("rotated too early")
	}
	h.now = h.now.Add(time.Second)
	if err := h.Tend(); err != nil {
		t.Fatal(err)
	}
	if after, _ := h.JWKS("moda"); after.Keys[0].KeyID != before.Keys[1].KeyID {
		t.Fatal("not rotated")
	}
}

func TestExposedKeysAreRefused(t *testing.T) {
	for name, expose := range map[string]func(dir, key string) error{
		"file":   func(_, key string) error { return os.Chmod(key, 0o640) },
		"agency": func(dir, _ string) error { return os.Chmod(filepath.Join(dir, "moda"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.mint()
			set, _ := h.JWKS("moda")
			if err := expose(h.dir, filepath.Join(h.dir, "moda", set.Keys[0].KeyID+".pem")); err != nil {
				t.Fatal(err)
			}
			h.open()
			f, d := h.given()
			if _, _, err := h.Mint(t.Context(), "ses-1", &f, &d); !errors.Is(err, ErrExposed) {
				t.Fatal(err)
			}
		})
	}
	h := newHome(t)
	h.mint()
	if err := os.Chmod(h.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Dir: h.dir, Origin: origin, Agencies: h, Clock: time.Now, Random: rand.Reader}); !errors.Is(err, ErrExposed) {
		t.Fatal(err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	h := newHome(t)
	h.mint()
	err := filepath.WalkDir(h.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if strings.HasSuffix(path, ".new") {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestForeignKeyFilesAreRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "RSA": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"another P-256": nil,
	} {
		h := newHome(t)
		h.mint()
		set, _ := h.JWKS("moda")
		dir := filepath.Join(h.dir, "moda")
		if name == "another P-256" { // the next key under the current one's name
			if content, err = os.ReadFile(filepath.Join(dir, set.Keys[1].KeyID+".pem")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, set.Keys[0].KeyID+".pem"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		h.open()
		if _, err := h.JWKS("moda"); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSymbolicLinkIsRefused(t *testing.T) {
	h := newHome(t)
	h.mint()
	set, _ := h.JWKS("moda")
	file := filepath.Join(h.dir, "moda", set.Keys[0].KeyID+".pem")
	if err := os.Rename(file, file+".real"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Base(file)+".real", file); err != nil {
		t.Fatal(err)
	}
	h.open()
	if _, err := h.JWKS("moda"); !errors.Is(err, errKey) {
		t.Fatal(err)
	}
}

func TestSpoiledState(t *testing.T) {
	for _, content := range []string{"", "{", `{"v":2,"current":"a","next":"b"}`, `{"v":1}`, `{"v":1,"current":"../../x","next":"y"}`} {
		h := newHome(t)
		h.mint()
		if err := os.WriteFile(filepath.Join(h.dir, "moda", stateFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		h.open()
		f, d := h.given()
		if _, _, err := h.Mint(t.Context(), "ses-1", &f, &d); err == nil {
			t.Errorf("%q: minted", content)
		}
	}
}

// A state of a later version is not guessed at, even where it reads the same.
func TestLaterStateIsRefused(t *testing.T) {
	h := newHome(t)
	h.mint()
	file := filepath.Join(h.dir, "moda", stateFile)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(raw), `"v":1`, `"v":2`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	h.open()
	if _, err := h.JWKS("moda"); err == nil {
		t.Fatal("taken")
	}
}

func TestPublished(t *testing.T) {
	h := newHome(t)
	h.mint()
	get := func(path string, header ...string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		h.Handler().ServeHTTP(rec, r)
		return rec.Result()
	}
	answer := get("/a/moda/jwks.json")
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil || len(set.Keys) != 2 {
		t.Fatal(set, err)
	}
	for _, k := range set.Keys {
		if k["d"] != nil || k["alg"] != "ES256" || k["use"] != "sig" || k["crv"] != "P-256" {
			t.Fatal(k)
		}
	}
	if answer.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Error(answer.Header)
	}
	if again := get("/a/moda/jwks.json", "If-None-Match", answer.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Error(again.Status)
	}
	var m metadata
	if err := json.NewDecoder(get("/.well-known/oauth-authorization-server/a/moda").Body).Decode(&m); err != nil || m.Issuer != origin+"/a/moda" || m.JWKSURI != origin+"/a/moda/jwks.json" {
		t.Error(m, err)
	}
	for _, path := range []string{"/a/other/jwks.json", "/a/%2e%2e/jwks.json", "/a/MODA/jwks.json", "/.well-known/oauth-authorization-server/a/other"} {
		if got := get(path); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	// Asking makes no keys.
	entries, err := os.ReadDir(h.dir)
	if err != nil || len(entries) != 1 {
		t.Error(entries, err)
	}
}

func TestNewWantsEverything(t *testing.T) {
	if _, err := New(Config{Dir: t.TempDir(), Origin: "http://pdp", Agencies: &home{}, Clock: time.Now, Random: rand.Reader}); err == nil {
		t.Error("an issuer without https")
	}
}

func BenchmarkMint(b *testing.B) {
	h := &home{now: time.Now()}
	i, err := New(Config{Dir: filepath.Join(b.TempDir(), "keys"), Origin: origin, Agencies: h, Clock: time.Now, Random: rand.Reader})
	if err != nil {
		b.Fatal(err)
	}
	f, d := h.given()
	for b.Loop() {
		if _, _, err := i.Mint(b.Context(), "ses-1", &f, &d); err != nil {
			b.Fatal(err)
		}
	}
}
