package authzen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const evaluation = "/access/v1/evaluation"

func TestWhoMayAsk(t *testing.T) {
	p := newPort(t)
	body := ask("alice", "read", "record-1")
	for name, headers := range map[string][]string{
		"by its own header": {},
		"as a bearer":       {"Menshen-Portal-Secret", "", "Authorization", "Bearer hr-secret"},
		"as a bearer small": {"Menshen-Portal-Secret", "", "Authorization", "bearer hr-secret"},
		"below its tenant":  {"Menshen-Portal-Secret", "hr-secret"},
	} {
		path := evaluation
		if name == "below its tenant" {
			path = "/" + hr + evaluation
		}
		if w := p.post(path, body, headers...); w.Code != http.StatusOK {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	for name, headers := range map[string][]string{
		"nobody":           {"Menshen-Portal-Secret", ""},
		"a wrong secret":   {"Menshen-Portal-Secret", "guess"},
		"basic":            {"Menshen-Portal-Secret", "", "Authorization", "Basic hr-secret"},
		"an empty bearer":  {"Menshen-Portal-Secret", "", "Authorization", "Bearer "},
		"a wrong one over": {"Menshen-Portal-Secret", "guess", "Authorization", "Bearer hr-secret"},
	} {
		w := p.post(evaluation, body, headers...)
		want(t, name, w, http.StatusUnauthorized, reason.ProxyUnknown)
		if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: no challenge", name)
		}
	}
	// Another portal's tenant and one that there is not look the same.
	for _, tenant := range []string{other, "por-0000000000000000000000000r", "por-x"} {
		want(t, tenant, p.post("/"+tenant+evaluation, body), http.StatusNotFound, reason.AuthzenTenant)
	}
	want(t, "another path", p.post("/access/v1/evaluate", body), http.StatusNotFound, reason.NotFound)
	w := p.send(http.MethodGet, evaluation, "")
	want(t, "GET", w, http.StatusMethodNotAllowed, reason.WrongMethod)
	if w.Header().Get("Allow") != http.MethodPost {
		t.Error("no Allow")
	}
}

func TestServes(t *testing.T) {
	for path, want := range map[string]bool{
		evaluation: true, "/" + hr + evaluation: true, "/access/v1/search/action": true, pathMetadata: true, pathMetadata + "/" + hr: true,
		"/forward-auth": false, "/.menshen/start": false, pathMetadata + "x": false, "/": false, "/" + hr + "/forward-auth": false, "/x/access/v1/evaluation": false,
	} {
		if Serves(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

// Each of these differs from a request that is answered in one thing.
func TestWhatIsNoRequest(t *testing.T) {
	p := newPort(t)
	good := ask("alice", "read", "record-1")
	if w := p.post(evaluation, good); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	asked := len(p.asked)
	for name, body := range map[string]string{
		"an empty body":         "",
		"a list":                "[" + good + "]",
		"null":                  "null",
		"cut off":               good[:len(good)-1],
		"something after it":    good + " {}",
		"a key twice":           strings.Replace(good, `{"subject"`, `{"action":{"name":"read"},"subject"`, 1),
		"a key twice, unknown":  strings.Replace(good, `{"subject"`, `{"x":{"a":1,"a":2},"subject"`, 1),
		"invalid UTF-8":         strings.Replace(good, "alice", "al\xffice", 1),
		"an empty id":           ask("", "read", "record-1"),
		"an empty action":       ask("alice", "", "record-1"),
		"an id too long":        ask(strings.Repeat("x", maxID+1), "read", "record-1"),
		"an action too long":    ask("alice", strings.Repeat("x", maxType+1), "record-1"),
		"an id that is null":    strings.Replace(good, `"alice"`, "null", 1),
		"a subject's list":      strings.Replace(good, `{"type":"user","id":"alice"}`, `[]`, 1),
		"properties as a list":  strings.Replace(good, `"id":"alice"`, `"id":"alice","properties":[]`, 1),
		"action's properties":   strings.Replace(good, `"name":"read"`, `"name":"read","properties":1`, 1),
		"resource's properties": strings.Replace(good, `"id":"record-1"`, `"id":"record-1","properties":"x"`, 1),
		"context as text":       strings.Replace(good, `{"subject"`, `{"context":"x","subject"`, 1),
		"another case":          strings.Replace(good, `"subject"`, `"Subject"`, 1),
		"nested too deep":       strings.Replace(good, `{"subject"`, `{"context":{"a":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`},"subject"`, 1),
	} {
		want(t, name, p.post(evaluation, body), http.StatusBadRequest, reason.AuthzenRequest)
	}
	for _, kind := range []string{"", "text/plain", "application/json+x", "multipart/form-data"} {
		want(t, "Content-Type "+kind, p.post(evaluation, good, "Content-Type", kind), http.StatusBadRequest, reason.AuthzenRequest)
	}
	large := strings.Replace(good, `{"subject"`, `{"x":"`+strings.Repeat("x", maxBody)+`","subject"`, 1)
	want(t, "too large", p.post(evaluation, large), http.StatusRequestEntityTooLarge, reason.TooLarge)
	if len(p.asked) != asked || len(p.records) != 1 {
		t.Errorf("%d answers, %d records", len(p.asked)-asked, len(p.records))
	}
	for name, body := range map[string]string{
		"unknown members": strings.Replace(good, `{"subject"`, `{"foo":"bar","futureField":{"nested":true},"subject"`, 1),
		"absent as null":  strings.Replace(good, `{"subject"`, `{"context":null,"subject"`, 1),
		"a bracket":       strings.Replace(good, "alice", strings.Repeat("[", 60), 1),
	} {
		if w := p.post(evaluation, body, "Content-Type", "application/json; charset=utf-8"); w.Code != http.StatusOK {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

func TestRequestIdentifiers(t *testing.T) {
	p := newPort(t)
	for id, echoed := range map[string]bool{
		"bfe9eb29-ab87-4ca3-be83-a1d5d8305716": true, "a.b:c/d=": true,
		"": false, "with a space": false, "tab\there": false, "ü": false, strings.Repeat("x", maxRequestID): true, strings.Repeat("x", maxRequestID+1): false,
	} {
		for _, body := range []string{ask("alice", "read", "record-1"), "{"} {
			got := p.post(evaluation, body, "X-Request-ID", id).Header().Get("X-Request-ID")
			if (got == id && id != "") != echoed || (got != "" && got != id) {
				t.Errorf("%q: %q", id, got)
			}
		}
	}
	if got := p.post(evaluation, "{", "X-Request-ID", "a").Header().Values("X-Request-ID"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// What cannot be audited is not decided.
func TestNothingIsAnsweredWithoutItsRecord(t *testing.T) {
	p := newPort(t)
	p.logErr = errors.New("disk full")
	for path, body := range map[string]string{
		evaluation: ask("alice", "read", "record-1"), "/access/v1/evaluations": `{"evaluations":[` + ask("alice", "read", "record-1") + `]}`,
		"/access/v1/search/subject": `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`,
	} {
		w := p.post(path, body)
		want(t, path, w, http.StatusServiceUnavailable, reason.AuditClosed)
		if strings.Contains(w.Body.String(), "alice") || strings.Contains(w.Body.String(), `"decision":true`) || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
}

func TestWhatChangedMeanwhileIsFelt(t *testing.T) {
	p := newPort(t)
	p.fallen = true
	want(t, "fallen", p.post(evaluation, ask("alice", "read", "record-1")), http.StatusServiceUnavailable, reason.Unavailable)
}

func TestRecordsHoldWhatWasAskedAndAnswered(t *testing.T) {
	p := newPort(t)
	w := p.post("/access/v1/evaluations", `{"evaluations":[`+ask("alice", "read", "record-1")+`,`+ask("bob", "write", "record-1")+`,{}]}`, "X-Request-ID", "r-1")
	if w.Code != http.StatusOK || len(p.records) != 1 {
		t.Fatalf("%d %s, %d records", w.Code, w.Body, len(p.records))
	}
	r := p.records[0]
	if r.Kind != wire.AuditEvaluation || r.Portal != hr || r.Agency != "moda" || r.Decision != w.Header().Get("Menshen-Decision") || wire.CheckID(wire.PrefixDecision, r.Decision) != nil || !r.At.Equal(noon) {
		t.Errorf("%+v", r)
	}
	for _, part := range []string{`"request_id":"r-1"`, `"protocol":"authzen/1.0"`, `"endpoint":"/access/v1/evaluations"`, `"application":"v1"`,
		`{"question":"user:alice read record:record-1","allowed":true}`, `{"question":"user:bob write record:record-1","allowed":false}`, `{"allowed":false,"code":"ZT-POL-098"}`} {
		if !strings.Contains(string(r.Detail), part) {
			t.Errorf("%s is missing in %s", part, r.Detail)
		}
	}
	p.post("/access/v1/search/subject", `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`)
	if last := string(p.records[1].Detail); !strings.Contains(last, `"found":["alice","bob"]`) {
		t.Errorf("%s", last)
	}
}

func TestDenialsSayWhy(t *testing.T) {
	p := newPort(t)
	type context struct {
		Code        string            `json:"code"`
		ReasonUser  map[string]string `json:"reason_user"`
		ReasonAdmin map[string]string `json:"reason_admin"`
		ACRValues   string            `json:"acr_values"`
	}
	tell := func(a wire.Answer) (d struct {
		Decision bool
		Context  *context
	}) {
		t.Helper()
		p.answer = func(string) wire.Answer { return a }
		p.read(p.post(evaluation, ask("alice", "read", "record-1")), &d)
		return d
	}
	if d := tell(wire.Answer{Allowed: true, Policies: []string{"p"}}); !d.Decision || d.Context != nil {
		t.Errorf("%+v", d)
	}
	plain := tell(wire.Answer{Reasons: []wire.Reason{reason.New(reason.AppNoPermit)}})
	if plain.Decision || plain.Context.Code != reason.AppNoPermit || !strings.Contains(plain.Context.ReasonUser["en"], "No rule") ||
		!strings.Contains(plain.Context.ReasonUser["zh-TW"], "沒有任何規則") || !strings.HasPrefix(plain.Context.ReasonAdmin["en"], reason.AppNoPermit) || plain.Context.ACRValues != "" {
		t.Errorf("%+v", plain.Context)
	}
	stepUp := tell(wire.Answer{StepUp: true, Reasons: []wire.Reason{reason.New(reason.SignInTooOld)}, Policies: []string{"a", "b"}})
	if stepUp.Decision || stepUp.Context.ACRValues != "urn:menshen:aal:3" || !strings.Contains(stepUp.Context.ReasonAdmin["en"], "Policies: a, b") {
		t.Errorf("%+v", stepUp.Context)
	}
	withheld := tell(wire.Answer{Reasons: []wire.Reason{reason.New(reason.AppClaim, "detail", "subject.level is of another type")}, Policies: []string{"secret"}})
	for _, texts := range []map[string]string{withheld.Context.ReasonUser, withheld.Context.ReasonAdmin} {
		for language, text := range texts {
			if text != reason.AppClaim {
				t.Errorf("withheld, and told in %s: %s", language, text)
			}
		}
	}
	own := tell(wire.Answer{Reasons: []wire.Reason{reason.New(reason.AppForbidden)}, Texts: map[string]string{"en": "Closed.", "zh-TW": "已封存。"}})
	if own.Context.ReasonUser["zh-TW"] != "已封存。" || own.Context.ReasonUser["en"] != "Closed." {
		t.Errorf("%+v", own.Context)
	}
	if zero := tell(wire.Answer{}); zero.Decision || zero.Context.Code != reason.Unknown {
		t.Errorf("%+v", zero)
	}
}

func TestNewNeedsEverything(t *testing.T) {
	p := newPort(t)
	for name, change := range map[string]func(*Config){
		"portals": func(c *Config) { c.Portals = nil }, "judge": func(c *Config) { c.Judge = nil }, "sealer": func(c *Config) { c.Sealer = nil },
		"recorder": func(c *Config) { c.Recorder = nil }, "inputs": func(c *Config) { c.Inputs = nil }, "names": func(c *Config) { c.Names = nil }, "clock": func(c *Config) { c.Clock = nil },
		"random": func(c *Config) { c.Random = nil }, "logger": func(c *Config) { c.Logger = nil },
	} {
		c := p.Config
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("made without %s", name)
		}
	}
}

// A record holds what the request was answered from, sealed for the one who was
// asked about, and its digest.
func TestRecordsHoldWhatTheyWereAnsweredFrom(t *testing.T) {
	p := newPort(t)
	p.of, p.box = "per-1", 10
	p.post(evaluation, ask("alice", "read", "record-1"), "X-Request-ID", "r-1")
	r := p.records[0]
	var d wire.EvaluationDetail
	var in wire.EvaluationInputs
	if err := errors.Join(json.Unmarshal(r.Detail, &d), json.Unmarshal(p.sealed[0], &in)); err != nil {
		t.Fatal(err)
	}
	if r.Inputs == nil || r.Inputs.Key != "moda "+r.Decision || r.Subject != "per-1" || !slices.Equal(p.owners, []string{"per-1"}) || d.InputsDigest != Digest(p.sealed[0]) || d.Persons != nil || d.Unsealed != "" {
		t.Errorf("%+v, %q, %+v", r, p.owners, d)
	}
	if in.ID != r.Decision || in.Endpoint != evaluation || string(in.Body) != ask("alice", "read", "record-1") || in.Rules != 7 || in.RequestID != "r-1" ||
		!in.At.Equal(noon) || !p.heard.Equal(noon) || len(in.Salt) != saltSize || bytes.Equal(in.Salt, make([]byte, saltSize)) {
		t.Errorf("%+v", in)
	}
	again, err := p.Again(t.Context(), p, &wire.Portal{ID: hr, Agency: "moda"}, &in, d.InputsDigest)
	if err != nil || !bytes.Equal(again, r.Detail) || len(p.records) != 1 {
		t.Errorf("%s, not %s: %v; %d records", again, r.Detail, err, len(p.records))
	}
	in.Body = []byte(`{`)
	if _, err := p.Again(t.Context(), p, &wire.Portal{ID: hr}, &in, ""); err == nil {
		t.Error("answered what is no question")
	}
	in.Endpoint = "/access/v1/all"
	if _, err := p.Again(t.Context(), p, &wire.Portal{ID: hr}, &in, ""); err == nil {
		t.Error("answered at no endpoint")
	}
	p.of = ""
	p.post(evaluation, ask("alice", "read", "record-1"))
	if !slices.Equal(p.owners, []string{hr}) {
		t.Errorf("of nobody's session: sealed for %q", p.owners)
	}
}

// What cannot be sealed is not answered; what is too long is, and says so.
func TestWhatCannotBeSealed(t *testing.T) {
	p := newPort(t)
	p.sealErr = errors.New("the store is gone")
	want(t, "unsealed", p.post(evaluation, ask("alice", "read", "record-1")), http.StatusServiceUnavailable, reason.InputsUnsealed)
	if len(p.records) != 0 {
		t.Error("recorded without its inputs")
	}
	for name, change := range map[string]func(){
		"too long to be sealed": func() { p.sealErr = fmt.Errorf("%w: 60000 bytes", ErrTooLarge) },
		"too long for a record": func() { p.sealErr, p.box = nil, maxRecorded },
	} {
		change()
		want(t, name, p.post(evaluation, ask("alice", "read", "record-1")), http.StatusOK, `"decision":true`)
		if last := p.records[len(p.records)-1]; last.Inputs != nil || !strings.Contains(string(last.Detail), `"unsealed":"`+reason.InputsTooLarge+`"`) {
			t.Errorf("%s: %+v %s", name, last.Inputs, last.Detail)
		}
	}
}

// slowBody takes an hour to arrive.
type slowBody struct {
	*port
	rest *strings.Reader
}

func (b slowBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	b.now = noon.Add(time.Hour)
	b.mu.Unlock()
	return b.rest.Read(p)
}

// TestASlowRequestIsJudgedWhenItArrived: an application that begins to ask while
// its rules allow, and sends the question later, gains nothing.
func TestASlowRequestIsJudgedWhenItArrived(t *testing.T) {
	p := newPort(t)
	body := `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://pdp.example/access/v1/evaluation", slowBody{p, strings.NewReader(body)})
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Menshen-Portal-Secret", "hr-secret")
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !p.heard.Equal(noon.Add(time.Hour)) || len(p.records) != 1 || !p.records[0].At.Equal(p.heard) {
		t.Errorf("%d, judged at %v", w.Code, p.heard)
	}
}
