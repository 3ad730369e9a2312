package ceremony

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
)

var steps = []string{
	"/ceremony/sign-in/start", "/ceremony/sign-in/key", "/ceremony/sign-in/device",
	"/ceremony/sign-out", "/ceremony/register/start", "/ceremony/register/finish",
}

func TestOnlyTheOwnPagesMayAsk(t *testing.T) {
	h := newHouse(t)
	for _, path := range steps {
		for name, headers := range map[string]map[string]string{
			"no origin":           {},
			"another origin":      {"Origin": "https://evil.example"},
			"the portal's origin": {"Origin": "https://hr.test", "Sec-Fetch-Site": "same-site"},
			"null origin":         {"Origin": "null"},
			"another port":        {"Origin": "https://pdp.test:444"},
			"plain http":          {"Origin": "http://pdp.test"},
			"same origin, cross-site by the browser's word": {"Origin": testOrigin, "Sec-Fetch-Site": "cross-site"},
			"same origin, same-site by the browser's word":  {"Origin": testOrigin, "Sec-Fetch-Site": "same-site"},
		} {
			b := h.browser()
			b.headers = headers
			if status, code := b.post(path, struct{}{}, nil); status != http.StatusForbidden || code != reason.KeyForeignPage {
				t.Errorf("%s, %s: %d %s", path, name, status, code)
			}
		}
	}
}

func TestBrowsersWithoutFetchMetadataMayAsk(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	delete(b.headers, "Sec-Fetch-Site")
	b.start(h.handle(nil))
}

func TestBodiesAreStrict(t *testing.T) {
	h := newHouse(t)
	for _, path := range steps {
		for name, body := range map[string]string{
			"empty": "", "no JSON": "{", "an array": "[]", "unknown member": `{"admin":true}`, "trailing data": "{} {}",
			"duplicate member": `{"handle":"a","handle":"b"}`, "wrong case": `{"HANDLE":"a"}`, "invalid UTF-8": "{\"handle\":\"\xff\"}",
		} {
			if status, code := h.browser().post(path, body, nil); status != http.StatusBadRequest || code != reason.BadRequest {
				t.Errorf("%s, %s: %d %s", path, name, status, code)
			}
		}
		if status, code := h.browser().post(path, `{"handle":"`+strings.Repeat("a", 70<<10)+`"}`, nil); status != http.StatusRequestEntityTooLarge || code != reason.TooLarge {
			t.Errorf("%s, too large: %d %s", path, status, code)
		}
		b := h.browser()
		b.headers["Content-Type"] = "text/plain"
		if status, code := b.post(path, "{}", nil); status != http.StatusUnsupportedMediaType || code != reason.WrongType {
			t.Errorf("%s, wrong type: %d %s", path, status, code)
		}
	}
}

func TestMalformedAnswersOfAKey(t *testing.T) {
	h := newHouse(t)
	key := h.keyOf(h.person)
	for name, change := range map[string]func(*keyRequest){
		"no id":                func(r *keyRequest) { r.Credential.ID = "" },
		"padded id":            func(r *keyRequest) { r.Credential.ID += "=" },
		"standard base64":      func(r *keyRequest) { r.Credential.Signature = "+/" },
		"no client data":       func(r *keyRequest) { r.Credential.ClientDataJSON = "" },
		"no authenticator":     func(r *keyRequest) { r.Credential.AuthenticatorData = "" },
		"authenticator cut":    func(r *keyRequest) { r.Credential.AuthenticatorData = r.Credential.AuthenticatorData[:40] },
		"client data no JSON":  func(r *keyRequest) { r.Credential.ClientDataJSON = encode([]byte("no")) },
		"line ends in base64":  func(r *keyRequest) { r.Credential.ID = "\r\n" },
		"authenticator longer": func(r *keyRequest) { r.Credential.AuthenticatorData += "AAAA" },
	} {
		b, s := startedFor(h)
		request := key.get(t, s.Options.Challenge, nil)
		change(&request)
		if status, code := b.post("/ceremony/sign-in/key", request, nil); status != http.StatusBadRequest || code != reason.KeyNotProven {
			t.Errorf("%s: %d %s", name, status, code)
		}
		h.nobodySignedIn(b)
	}
}

func TestOtherMethodsAndAddresses(t *testing.T) {
	h := newHouse(t)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/ceremony/sign-in/start", http.StatusMethodNotAllowed},
		{http.MethodPut, "/ceremony/sign-in/key", http.StatusMethodNotAllowed},
		{http.MethodPost, "/ceremony/nothing", http.StatusNotFound},
	} {
		r := httptest.NewRequest(tt.method, testOrigin+tt.path, nil)
		r.Header.Set("Origin", testOrigin)
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestAPlantedCookieIsNotChosen(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.start(h.handle(nil))
	r := httptest.NewRequest(http.MethodPost, testOrigin, nil)
	r.Header.Set("Cookie", cookieCeremony+"=planted; "+cookieCeremony+"="+b.cookies[cookieCeremony])
	if _, ok := cookie(r, cookieCeremony); ok {
		t.Error("one of two cookies was chosen")
	}
}

func TestAFloodIsTurnedAway(t *testing.T) {
	h := newHouse(t)
	for range maxConcurrent {
		h.slots <- struct{}{}
	}
	if status, code := h.browser().post("/ceremony/sign-in/start", startRequest{}, nil); status != http.StatusTooManyRequests || code != reason.TooMany {
		t.Errorf("%d %s", status, code)
	}
	<-h.slots
	h.browser().start(h.handle(nil))
}

func FuzzAssertion(f *testing.F) {
	f.Add("AAAA", "e30", "AAAA", "AAAA", "AAAA")
	f.Add("", "", "", "", "")
	client := encode([]byte(`{"type":"webauthn.get","challenge":"AAAA","origin":"https://pdp.test"}`))
	f.Add(encode(make([]byte, 32)), client, encode(make([]byte, 37)), encode(make([]byte, 70)), encode(make([]byte, 32)))
	f.Fuzz(func(t *testing.T, id, client, data, signature, handle string) {
		var request keyRequest
		request.Credential.ID, request.Credential.ClientDataJSON, request.Credential.AuthenticatorData = id, client, data
		request.Credential.Signature, request.Credential.UserHandle = signature, handle
		if parsed, err := parseAssertion(request); err == nil && encode(parsed.RawID) != id {
			t.Fatalf("id %q was read as %q", id, encode(parsed.RawID))
		}
	})
}

func FuzzCreation(f *testing.F) {
	f.Add("AAAA", "e30", "oA")
	f.Add("", "", "")
	f.Add(encode(make([]byte, 32)), encode([]byte(`{"type":"webauthn.create"}`)), "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA")
	f.Fuzz(func(_ *testing.T, id, client, object string) {
		_, _ = parseCreation(credentialRequest{ID: id, ClientDataJSON: client, AttestationObject: object})
	})
}
