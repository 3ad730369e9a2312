package ceremony

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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
	var leave func()
	for range maxConcurrent {
		var ok bool
		if leave, ok = h.gate.Enter(t.Context()); !ok {
			t.Fatal("no turn although there is room")
		}
	}
	if status, code := h.browser().post("/ceremony/sign-in/start", startRequest{}, nil); status != http.StatusServiceUnavailable || code != reason.Overloaded {
		t.Errorf("%d %s", status, code)
	}
	leave()
	h.browser().start(h.handle(nil))
}

// Requests that never end hold no place: the next person signs in.
func TestSlowSendersHoldNoPlace(t *testing.T) {
	h := newHouse(t)
	served := httptest.NewServer(h.Handler())
	defer served.Close()
	address := strings.TrimPrefix(served.URL, "http://")
	for range maxConcurrent {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		// Expect has the server say when it begins to read.
		head := "POST /ceremony/sign-out HTTP/1.1\r\nHost: pdp.test\r\nOrigin: " + testOrigin +
			"\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
			t.Fatal(line, err)
		}
	}
	h.browser().start(h.handle(nil))
}

// body tells at each read the deadline that stands.
type body struct {
	io.Reader
	seen func()
}

func (b body) Read(p []byte) (int, error) {
	b.seen()
	return b.Reader.Read(p)
}

func TestABodyHasADeadline(t *testing.T) {
	h := newHouse(t)
	for _, path := range steps {
		w, reads := newConnection(), 0
		r := httptest.NewRequest(http.MethodPost, testOrigin+path, body{strings.NewReader("{}"), func() {
			reads++
			if left := time.Until(w.deadline); left <= 0 || left > bodyTime {
				t.Errorf("%s: %s left", path, left)
			}
		}})
		r.Header.Set("Origin", testOrigin)
		r.Header.Set("Content-Type", "application/json")
		h.Handler().ServeHTTP(w, r)
		if reads == 0 || !w.deadline.IsZero() {
			t.Errorf("%s: %d reads; the deadline %s is left", path, reads, w.deadline)
		}
	}
}

func TestAConnectionWithoutDeadlinesIsRefused(t *testing.T) {
	h := newHouse(t)
	r := httptest.NewRequest(http.MethodPost, testOrigin+"/ceremony/sign-out", strings.NewReader("{}"))
	r.Header.Set("Origin", testOrigin)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if h.Handler().ServeHTTP(w, r); w.Code != http.StatusInternalServerError {
		t.Error(w.Code)
	}
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
