package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/menshen-zt/menshen/internal/wire"
)

// key is the private key of an agency's role, as only its owner has it.
func (h *home) key(agency, id string) *ecdsa.PrivateKey {
	h.t.Helper()
	k, err := h.folder.read(agency, id, h.access)
	if err != nil {
		h.t.Fatal(err)
	}
	own, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		h.t.Fatalf("%T", k)
	}
	return own
}

// roles say which key of an agency has which role.
func (h *home) roles(agency string) state {
	h.t.Helper()
	r, err := h.ring(agency, h.access, true)
	if err != nil {
		h.t.Fatal(err)
	}
	return r.state
}

// forgery is a token with one thing changed.
type forgery struct {
	alg    jose.SignatureAlgorithm
	key    any
	kid    string
	typ    string
	header map[jose.HeaderKey]any
	claims map[string]any
	embed  bool
}

func (h *home) forge(change func(*forgery)) string {
	h.t.Helper()
	current := h.roles("moda").Current
	f := forgery{alg: jose.ES256, key: h.key("moda", current), kid: current, typ: "at+jwt", header: map[jose.HeaderKey]any{},
		claims: map[string]any{"iss": origin + "/a/moda", "sub": "per-1", "aud": "https://hr.test", "client_id": "por-1", "jti": "tok-1",
			"iat": h.now.Unix(), "exp": h.now.Add(time.Minute).Unix(), "sid": "ses-1"}}
	change(&f)
	o := &jose.SignerOptions{ExtraHeaders: f.header, EmbedJWK: f.embed}
	if f.typ != "" {
		o = o.WithType(jose.ContentType(f.typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: f.alg, Key: jose.JSONWebKey{Key: f.key, KeyID: f.kid}}, o)
	if err != nil {
		h.t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(f.claims).Serialize()
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

func TestAPresentedTokenIsItsSession(t *testing.T) {
	h := newHome(t)
	f, _ := h.given()
	minted, expires := h.mint()
	for name, text := range map[string]string{"minted": minted, "as forged, with nothing changed": h.forge(func(*forgery) {})} {
		got, err := h.Verify(text, &f.Portal)
		if err != nil || got.Session != "ses-1" || got.Portal != "por-1" || got.Expires.After(expires) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// Each fault alone refuses.
func TestForgedTokens(t *testing.T) {
	h := newHome(t)
	f, _ := h.given()
	foreign, next := h.roles("nstc").Current, h.roles("moda").Next
	set := func(name string, value any) func(*forgery) {
		return func(f *forgery) {
			if f.claims[name] = value; value == nil {
				delete(f.claims, name)
			}
		}
	}
	at := func(d time.Duration) int64 { return h.now.Add(d).Unix() }
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*forgery)
		want   error
	}{
		"signed by a stranger":              {func(f *forgery) { f.key = stranger }, wire.ErrTokenRefused},
		"stranger's key in the header":      {func(f *forgery) { f.key, f.embed = stranger, true }, wire.ErrTokenRefused},
		"own key in the header":             {func(f *forgery) { f.embed = true }, wire.ErrTokenRefused},
		"no key id":                         {func(f *forgery) { f.kid = "" }, wire.ErrTokenRefused},
		"key id of another key":             {func(f *forgery) { f.kid = next }, wire.ErrTokenRefused},
		"signed by the next key":            {func(f *forgery) { f.kid, f.key = next, h.key("moda", next) }, wire.ErrTokenRefused},
		"signed by another agency":          {func(f *forgery) { f.kid, f.key = foreign, h.key("nstc", foreign) }, wire.ErrTokenRefused},
		"HS256":                             {func(f *forgery) { f.alg, f.key = jose.HS256, []byte(strings.Repeat("k", 32)) }, wire.ErrTokenRefused},
		"ID token":                          {func(f *forgery) { f.typ = "JWT" }, wire.ErrTokenRefused},
		"no type":                           {func(f *forgery) { f.typ = "" }, wire.ErrTokenRefused},
		"media type":                        {func(f *forgery) { f.typ = "application/at+jwt" }, wire.ErrTokenRefused},
		"header beyond these":               {func(f *forgery) { f.header["jku"] = "https://evil.test" }, wire.ErrTokenRefused},
		"critical header":                   {func(f *forgery) { f.header["crit"] = []string{"x"} }, wire.ErrTokenRefused},
		"no issuer":                         {set("iss", nil), wire.ErrTokenRefused},
		"another agency's name":             {set("iss", origin+"/a/nstc"), wire.ErrTokenRefused},
		"another audience":                  {set("aud", "https://budget.test"), wire.ErrTokenRefused},
		"no audience":                       {set("aud", nil), wire.ErrTokenRefused},
		"audiences":                         {set("aud", []string{"https://hr.test", "https://budget.test"}), wire.ErrTokenRefused},
		"another client":                    {set("client_id", "por-2"), wire.ErrTokenRefused},
		"nobody":                            {set("sub", nil), wire.ErrTokenRefused},
		"no session":                        {set("sid", nil), wire.ErrTokenRefused},
		"session is no text":                {set("sid", 7), wire.ErrTokenRefused},
		"no expiry":                         {set("exp", nil), wire.ErrTokenRefused},
		"no beginning":                      {set("iat", nil), wire.ErrTokenRefused},
		"expired":                           {set("exp", at(0)), wire.ErrTokenRefused},
		"of the future":                     {set("iat", at(10*time.Second)), wire.ErrTokenRefused},
		"not yet":                           {set("nbf", at(10*time.Second)), wire.ErrTokenRefused},
		"lasts longer than any that exists": {set("exp", at(MaxLife+2*time.Second)), wire.ErrTokenRefused},
		"bound to a key":                    {set("cnf", map[string]string{"jkt": "x"}), wire.ErrTokenBound},
		"bound to nothing":                  {set("cnf", map[string]string{}), wire.ErrTokenBound},
	} {
		got, err := h.Verify(h.forge(c.change), &f.Portal)
		if !errors.Is(err, c.want) || got != (wire.PresentedToken{}) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	minted, _ := h.mint()
	parts := strings.Split(minted, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"` + h.roles("moda").Current + `"}`))
	var claims map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		t.Fatal(err)
	}
	claims["sub"] = "per-2"
	altered, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no JWT": "abc", "opaque": "a.b.c", "long": minted + strings.Repeat("A", maxToken),
		"no algorithm": none + "." + parts[1] + ".", "no signature": parts[0] + "." + parts[1] + ".",
		"altered claims": parts[0] + "." + base64.RawURLEncoding.EncodeToString(altered) + "." + parts[2],
		"as JSON":        `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	} {
		if _, err := h.Verify(text, &f.Portal); !errors.Is(err, wire.ErrTokenRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, p := range map[string]wire.Portal{
		"another portal of the agency": {ID: "por-2", Agency: "moda", Origin: "https://budget.test"},
		"another agency's portal":      {ID: "por-1", Agency: "nstc", Origin: "https://hr.test"},
		"an agency without keys":       {ID: "por-1", Agency: "mof", Origin: "https://hr.test"},
		"no portal":                    {},
	} {
		if _, err := h.Verify(minted, &p); !errors.Is(err, wire.ErrTokenRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A withdrawn key's tokens end at once, another agency's go on, and what is
// signed from then on is verified.
func TestWithdrawnKeys(t *testing.T) {
	h := newHome(t)
	f, _ := h.given()
	h.mint()
	h.now = h.now.Add(settled)
	if err := h.Rotate("moda"); err != nil {
		t.Fatal(err)
	}
	before, gone := h.forge(func(*forgery) {}), h.roles("moda")
	var told []string
	h.Subscribe(func(agency string) { told = append(told, agency) })
	if err := h.Withdraw("moda"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Verify(before, &f.Portal); !errors.Is(err, wire.ErrTokenRefused) {
		t.Error("a withdrawn key's token:", err)
	}
	after, _ := h.mint()
	if _, err := h.Verify(after, &f.Portal); err != nil {
		t.Error(err)
	}
	if now := h.roles("moda"); now.Current != gone.Next || now.Previous != "" || now.Next == gone.Current {
		t.Errorf("%+v, before %+v", now, gone)
	}
	for _, id := range []string{gone.Current, gone.Previous} {
		if _, err := h.folder.read("moda", id, h.access); err == nil {
			t.Error("a withdrawn key is still on disk")
		}
	}
	if len(told) != 1 || told[0] != "moda" {
		t.Errorf("told %q", told)
	}
	if err := h.Withdraw("unknown"); !errors.Is(err, ErrNoKeys) || len(told) != 1 {
		t.Error(err)
	}
	h.open() // a restart finds the same
	if _, err := h.Verify(after, &f.Portal); err != nil {
		t.Error(err)
	}
}

// A token outlives one rotation, and not the key that signed it.
func TestPresentedTokensAcrossRotations(t *testing.T) {
	h := newHome(t)
	f, _ := h.given()
	h.mint()
	h.now = h.now.Add(settled)
	text, _ := h.mint()
	if err := h.Rotate("moda"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Verify(text, &f.Portal); err != nil {
		t.Error("the previous key:", err)
	}
	h.now = h.now.Add(settled)
	forged := func() string {
		return h.forge(func(f *forgery) { f.claims["iat"], f.claims["exp"] = h.now.Unix(), h.now.Add(time.Minute).Unix() })
	}
	text = forged()
	for range 2 {
		if err := h.Rotate("moda"); err != nil {
			t.Fatal(err)
		}
		h.now = h.now.Add(settled)
	}
	h.now = h.now.Add(-2 * settled)
	if _, err := h.Verify(text, &f.Portal); !errors.Is(err, wire.ErrTokenRefused) {
		t.Error("a key that is gone:", err)
	}
}
