package problem

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
)

// document reads an answer back as a problem document.
func document(t *testing.T, w *httptest.ResponseRecorder) Document {
	t.Helper()
	var d Document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if d.Status != w.Code || d.Type != "about:blank" || d.Title == "" || d.Detail == "" || d.Do == "" {
		t.Errorf("%d: %+v", w.Code, d)
	}
	for name, want := range map[string]string{
		"Content-Type":           "application/problem+json",
		"Content-Length":         strconv.Itoa(w.Body.Len()),
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	return d
}

func TestAProblemSpeaksTheReadersLanguage(t *testing.T) {
	for accept, lang := range map[string]reason.Language{
		"": reason.Chinese, "zh-TW": reason.Chinese, "zh-HK,en;q=0.1": reason.Chinese, "fr": reason.Chinese,
		"en-GB": reason.English, "en;q=0.9,zh;q=0.1": reason.English, "\x00;;;": reason.Chinese,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accept)
		w := httptest.NewRecorder()
		why := reason.New(reason.TooLarge, "limit", "42")
		Write(w, r, http.StatusRequestEntityTooLarge, why, WithDecision("dec-1"), WithSignIn("https://pdp/sign-in"))
		d := document(t, w)
		text := reason.Of(lang, why)
		if d.Title != text.Title || d.Detail != text.What || d.Do != text.Do {
			t.Errorf("%q: %+v, want %+v", accept, d, text)
		}
		if d.Code != reason.TooLarge || d.Decision != "dec-1" || d.SignIn != "https://pdp/sign-in" {
			t.Errorf("%+v", d)
		}
	}
}

// An application or a script reads no more of a withheld reason than a person.
func TestWithheldReasonsShowTheirCodeAlone(t *testing.T) {
	for _, code := range reason.Codes() {
		why := reason.New(code, "detail", "hint", "place", "hint", "why", "hint")
		for lang, accept := range map[reason.Language]string{reason.English: "en", reason.Chinese: "zh-TW"} {
			text := reason.Of(lang, why)
			if !text.Withheld {
				continue
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Language", accept)
			w := httptest.NewRecorder()
			Write(w, r, http.StatusForbidden, why)
			d := document(t, w)
			if body := w.Body.String(); d.Code != code || d.Title == text.Title || d.Detail == text.What || d.Do == text.Do || strings.Contains(body, "hint") {
				t.Errorf("%s tells what is withheld: %s", code, body)
			}
		}
	}
}

func TestMembersThatAreNotThereAreLeftOut(t *testing.T) {
	w := httptest.NewRecorder()
	Write(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusNotFound, reason.New(reason.NotFound))
	if body := w.Body.String(); strings.Contains(body, "decision") || strings.Contains(body, "sign_in") {
		t.Error(body)
	}
}

// TestArgumentsCannotBreakOut puts into an argument what a document or a page
// could trip over.
func TestArgumentsCannotBreakOut(t *testing.T) {
	nasty := "\"}\r\n<script>alert(1)</script>\x00\xff"
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", "en")
	w := httptest.NewRecorder()
	Write(w, r, http.StatusBadRequest, reason.New(reason.BadRequest, "detail", nasty))
	if d := document(t, w); !strings.Contains(d.Detail, `"}`) {
		t.Errorf("%+v", d)
	}
	if body := w.Body.String(); !utf8.ValidString(body) || strings.ContainsAny(body, "<>\r\n\x00") {
		t.Errorf("%q", w.Body)
	}
}

type body struct {
	Name string `json:"name"`
}

func post(contentType, doc string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(doc))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept-Language", "en")
	return r
}

func TestReadJSON(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		var b body
		w := httptest.NewRecorder()
		if !ReadJSON(w, post(contentType, `{"name":"a"}`), 100, &b) || b.Name != "a" || w.Body.Len() != 0 {
			t.Errorf("%s: %+v, %s", contentType, b, w.Body)
		}
	}
}

func TestReadJSONRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		contentType, doc string
		status           int
		code             string
	}{
		"no type":       {"", `{}`, http.StatusUnsupportedMediaType, reason.WrongType},
		"a form":        {"application/x-www-form-urlencoded", `{}`, http.StatusUnsupportedMediaType, reason.WrongType},
		"plain text":    {"text/plain", `{}`, http.StatusUnsupportedMediaType, reason.WrongType},
		"a type like":   {"application/json+x", `{}`, http.StatusUnsupportedMediaType, reason.WrongType},
		"broken type":   {"application/json; charset", `{}`, http.StatusUnsupportedMediaType, reason.WrongType},
		"too large":     {"application/json", `{"name":"` + strings.Repeat("x", 100) + `"}`, http.StatusRequestEntityTooLarge, reason.TooLarge},
		"empty":         {"application/json", ``, http.StatusBadRequest, reason.BadRequest},
		"unknown field": {"application/json", `{"name":"a","admin":true}`, http.StatusBadRequest, reason.BadRequest},
		"doubled key":   {"application/json", `{"name":"a","name":"b"}`, http.StatusBadRequest, reason.BadRequest},
		"trailing data": {"application/json", `{"name":"a"}{}`, http.StatusBadRequest, reason.BadRequest},
		"wrong type":    {"application/json", `{"name":1}`, http.StatusBadRequest, reason.BadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if ReadJSON(w, post(c.contentType, c.doc), 100, &body{}) {
				t.Fatal("accepted")
			}
			d := document(t, w)
			if d.Status != c.status || d.Code != c.code {
				t.Errorf("%+v", d)
			}
			if strings.Contains(d.Detail, "strictjson") || strings.Contains(d.Detail, "{detail}") {
				t.Errorf("the detail shows the inside: %s", d.Detail)
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	WriteJSON(w, httptest.NewRequest(http.MethodGet, "/", nil), body{"a"})
	if w.Code != http.StatusOK || w.Body.String() != `{"name":"a"}` || w.Header().Get("Content-Type") != "application/json" ||
		w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w = httptest.NewRecorder()
	WriteJSON(w, httptest.NewRequest(http.MethodGet, "/", nil), func() {})
	if d := document(t, w); d.Status != http.StatusInternalServerError || d.Code != reason.Internal {
		t.Errorf("%+v", d)
	}
}

// FuzzReadJSON sends arbitrary bodies: either they are read and nothing is
// answered, or the answer is one of the three problems.
func FuzzReadJSON(f *testing.F) {
	f.Add("application/json", `{"name":"a"}`)
	f.Add("application/json", `{"name":"a"`)
	f.Add("application/json; charset=utf-8", strings.Repeat(" ", 101))
	f.Add("text/plain", `{}`)
	f.Fuzz(func(t *testing.T, contentType, doc string) {
		w := httptest.NewRecorder()
		if ReadJSON(w, post(contentType, doc), 100, &body{}) {
			if w.Body.Len() != 0 || len(doc) > 100 {
				t.Fatalf("%q: %s", doc, w.Body)
			}
			return
		}
		switch d := document(t, w); d.Status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		default:
			t.Fatalf("%+v", d)
		}
	})
}
