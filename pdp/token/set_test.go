package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// An agency has keys for security events only once it was given some; then they
// are published beside the others, are RSA of 3072 bits, and sign with RS256.
func TestSecurityEventsAreSigned(t *testing.T) {
	h := newHome(t)
	h.mint()
	if _, err := h.SignSET("moda", []byte(`{}`)); !errors.Is(err, ErrNoKeys) {
		t.Fatal("signed without a key:", err)
	}
	before, err := h.JWKS("moda")
	if err != nil || len(before.Keys) != 2 {
		t.Fatal(before, err)
	}
	if err := h.EnsureSET("moda"); err != nil {
		t.Fatal(err)
	}
	set, err := h.JWKS("moda")
	if err != nil || len(set.Keys) != 4 || !slices.Equal(ids(set)[:2], ids(before)) {
		t.Fatal(ids(set), err)
	}
	for _, k := range set.Keys[2:] {
		public, ok := k.Key.(*rsa.PublicKey)
		if !ok || public.N.BitLen() < 2048 || k.Algorithm != "RS256" || k.Use != "sig" {
			t.Fatalf("%+v", k)
		}
	}
	text, err := h.SignSET("moda", []byte(`{"jti":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	head := parsed.Signatures[0].Protected
	if head.ExtraHeaders[jose.HeaderType] != "secevent+jwt" || head.KeyID != set.Keys[2].KeyID {
		t.Fatalf("%+v", head)
	}
	if claims, err := parsed.Verify(set.Keys[2]); err != nil || string(claims) != `{"jti":"x"}` {
		t.Fatal(string(claims), err)
	}
	h.open()
	if again, err := h.JWKS("moda"); err != nil || !slices.Equal(ids(again), ids(set)) {
		t.Fatal("other keys after a restart", err)
	}
	if h.now = h.now.Add(RotateEvery); h.Tend() != nil {
		t.Fatal("not tended")
	}
	if rotated, err := h.JWKS("moda"); err != nil || len(rotated.Keys) != 6 || rotated.Keys[3].KeyID != set.Keys[3].KeyID {
		t.Fatal("what was published next does not sign now", err)
	}
}

func TestEventKeyFilesArePrivate(t *testing.T) {
	h := newHome(t)
	h.mint()
	if err := h.EnsureSET("moda"); err != nil {
		t.Fatal(err)
	}
	set, _ := h.JWKS("moda")
	file := filepath.Join(h.dir, "moda", set.Keys[2].KeyID+".pem")
	access, err := os.ReadFile(filepath.Join(h.dir, "moda", set.Keys[0].KeyID+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	h.open()
	if _, err := h.SignSET("moda", []byte(`{}`)); !errors.Is(err, ErrExposed) {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(file), os.WriteFile(file, access, 0o600)); err != nil {
		t.Fatal(err)
	}
	h.open()
	if _, err := h.SignSET("moda", []byte(`{}`)); !errors.Is(err, errKey) {
		t.Fatal("a key of another suite signs events:", err)
	}
}

// sender is a foreign transmitter with its keys.
type sender struct {
	t   *testing.T
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

func (s sender) set(keys ...jose.JSONWebKey) []byte {
	s.t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func (s sender) sign(alg jose.SignatureAlgorithm, key any, kid, typ string, more map[jose.HeaderKey]any) string {
	s.t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: more}
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, options)
	if err != nil {
		s.t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"jti":"1"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func newSender(t *testing.T) sender {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sender{t, r, e}
}

// Each forged token has exactly one fault.
func TestForgedEventsAreRefused(t *testing.T) {
	s, stranger := newSender(t), newSender(t)
	keys, err := ParseKeys(s.set(jose.JSONWebKey{Key: s.rsa.Public(), KeyID: "r"}, jose.JSONWebKey{Key: s.ec.Public(), KeyID: "e", Algorithm: "ES256", Use: "sig"}))
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]string{
		"RS256": s.sign(jose.RS256, s.rsa, "r", setType, nil), "ES256": s.sign(jose.ES256, s.ec, "e", setType, nil),
		"whole media type": s.sign(jose.RS256, s.rsa, "r", "application/secevent+jwt", nil),
	} {
		if claims, err := keys.Verify(good); err != nil || string(claims) != `{"jti":"1"}` {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := strings.Split(s.sign(jose.RS256, s.rsa, "r", setType, nil), ".")
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"alg none":               {"eyJhbGciOiJub25lIiwidHlwIjoic2VjZXZlbnQrand0Iiwia2lkIjoiciJ9." + good[1] + ".", ErrSETForm},
		"PS256":                  {s.sign(jose.PS256, s.rsa, "r", setType, nil), ErrSETForm},
		"HS256 of nothing":       {s.sign(jose.HS256, []byte("12345678901234567890123456789012"), "r", setType, nil), ErrSETForm},
		"access token":           {s.sign(jose.RS256, s.rsa, "r", "at+jwt", nil), ErrSETForm},
		"no type":                {s.sign(jose.RS256, s.rsa, "r", "", nil), ErrSETForm},
		"unencoded payload":      {s.sign(jose.RS256, s.rsa, "r", setType, map[jose.HeaderKey]any{"b64": true}), ErrSETForm},
		"not a token":            {"hello", ErrSETForm},
		"stranger under our id":  {s.sign(jose.RS256, stranger.rsa, "r", setType, nil), ErrSETKey},
		"stranger":               {s.sign(jose.RS256, stranger.rsa, "x", setType, nil), ErrSETKey},
		"no key id":              {s.sign(jose.RS256, s.rsa, "", setType, nil), ErrSETKey},
		"other kind's id":        {s.sign(jose.ES256, s.ec, "r", setType, nil), ErrSETKey},
		"changed":                {good[0] + "." + "eyJqdGkiOiIyIn0" + "." + good[2], ErrSETKey},
		"signature of no length": {good[0] + "." + good[1] + ".", ErrSETKey},
	} {
		if claims, err := keys.Verify(c.text); !errors.Is(err, c.want) || claims != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnusableKeySetsAreRefused(t *testing.T) {
	s := newSender(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	one := jose.JSONWebKey{Key: s.rsa.Public(), KeyID: "r"}
	many := slices.Repeat([]jose.JSONWebKey{one}, mostKeys+1)
	for i := range many {
		many[i].KeyID = strings.Repeat("k", i+1)
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "no keys": s.set(), "text": []byte("hello"),
		"secret":         s.set(jose.JSONWebKey{Key: s.rsa, KeyID: "r"}),
		"symmetric":      s.set(jose.JSONWebKey{Key: []byte("secret"), KeyID: "r"}),
		"small":          s.set(jose.JSONWebKey{Key: small.Public(), KeyID: "r"}),
		"no id":          s.set(jose.JSONWebKey{Key: s.rsa.Public()}),
		"one id twice":   s.set(one, one),
		"for encryption": s.set(jose.JSONWebKey{Key: s.rsa.Public(), KeyID: "r", Use: "enc"}),
		"other alg":      s.set(jose.JSONWebKey{Key: s.rsa.Public(), KeyID: "r", Algorithm: "PS256"}),
		"too many":       s.set(many...),
	} {
		if _, err := ParseKeys(raw); !errors.Is(err, ErrKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
