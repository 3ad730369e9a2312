package authzen

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
)

const evaluations = "/access/v1/evaluations"

// decisions asks and returns the decisions as a text such as "tf".
func (p *port) decisions(body string) string {
	p.t.Helper()
	var out struct {
		Evaluations []struct {
			Decision bool
			Context  map[string]any
		}
		Decision *bool
	}
	p.read(p.post(evaluations, body), &out)
	if out.Decision != nil {
		p.t.Errorf("a decision of the whole: %s", body)
	}
	text := ""
	for _, d := range out.Evaluations {
		text += fmt.Sprint(d.Decision)[:1]
		if (d.Context == nil) != d.Decision {
			p.t.Errorf("%s: context %v", body, d.Context)
		}
	}
	return text
}

func TestSemantics(t *testing.T) {
	p := newPort(t)
	const items = `"subject":{"type":"user","id":"bob"},"resource":{"type":"record","id":"record-1"},"evaluations":[{"action":{"name":"read"}},{"action":{"name":"write"}},{"action":{"name":"read"}}]`
	for semantic, want := range map[string]string{
		``: "tft", `,"options":{}`: "tft", `,"options":{"another":"value"}`: "tft",
		`,"options":{"evaluations_semantic":"execute_all"}`:            "tft",
		`,"options":{"evaluations_semantic":"deny_on_first_deny"}`:     "tf",
		`,"options":{"evaluations_semantic":"permit_on_first_permit"}`: "t",
	} {
		p.asked = nil
		if got := p.decisions(`{` + items + semantic + `}`); got != want {
			t.Errorf("%s: %s, want %s", semantic, got, want)
		}
		if len(p.asked) != len(want) {
			t.Errorf("%s: %q were asked", semantic, p.asked)
		}
	}
	// A fault is a denial in every semantic.
	if got := p.decisions(`{"evaluations":[{},` + ask("alice", "read", "record-1") + `],"options":{"evaluations_semantic":"deny_on_first_deny"}}`); got != "f" {
		t.Errorf("%s", got)
	}
	for _, options := range []string{`{"evaluations_semantic":"all"}`, `{"evaluations_semantic":""}`, `{"evaluations_semantic":1}`, `[]`, `"x"`} {
		want(t, options, p.post(evaluations, `{`+items+`,"options":`+options+`}`), http.StatusBadRequest, reason.AuthzenRequest)
	}
}

// What questions claim is read for each of them, so a default for many of them is
// bounded as if each had sent it.
func TestClaimsOfABatchAreBounded(t *testing.T) {
	p := newPort(t)
	for _, where := range []string{`"context":{"x":"%s"}`, `"subject":{"type":"user","id":"alice","properties":{"x":"%s"}}`,
		`"action":{"name":"read","properties":{"x":"%s"}}`, `"resource":{"type":"record","id":"record-1","properties":{"x":"%s"}}`} {
		large := fmt.Sprintf(where, strings.Repeat("x", maxBody/3))
		body := strings.Replace(ask("alice", "read", "record-1"), "{", `{"evaluations":[{},{},{}],`, 1)
		plain, _, _ := strings.Cut(where, ":")
		if plain == `"context"` {
			body = strings.Replace(body, "{", "{"+large+",", 1)
		} else {
			for _, own := range []string{`"subject":{"type":"user","id":"alice"}`, `"action":{"name":"read"}`, `"resource":{"type":"record","id":"record-1"}`} {
				if strings.HasPrefix(own, plain) {
					body = strings.Replace(body, own, large, 1)
				}
			}
		}
		p.asked = nil
		if got := p.decisions(body); got != "ttf" || len(p.asked) != 2 {
			t.Errorf("%s: %s, %d were asked", plain, got, len(p.asked))
		}
	}
}

// Defaults are taken whole, and for what a given entity must have and has not.
func TestDefaults(t *testing.T) {
	p := newPort(t)
	const top = `"subject":{"type":"user","id":"alice","properties":{"top":1}},"action":{"name":"read","properties":{"top":1}},"resource":{"type":"record","id":"record-1","properties":{"top":1}},"context":{"top":1}`
	for item, want := range map[string]string{
		`{}`:                                     `alice {"top":1} read {"top":1} record-1 {"top":1} {"top":1}`,
		`{"subject":{"type":"user","id":"bob"}}`: `bob  read {"top":1} record-1 {"top":1} {"top":1}`,
		`{"subject":{"id":"bob"}}`:               `bob  read {"top":1} record-1 {"top":1} {"top":1}`,
		`{"resource":{"properties":{"own":2}}}`:  `alice {"top":1} read {"top":1} record-1 {"own":2} {"top":1}`,
		`{"action":{"properties":{"own":2}}}`:    `alice {"top":1} read {"own":2} record-1 {"top":1} {"top":1}`,
		`{"action":{"name":"write"}}`:            `alice {"top":1} write  record-1 {"top":1} {"top":1}`,
		`{"context":{"own":2}}`:                  `alice {"top":1} read {"top":1} record-1 {"top":1} {"own":2}`,
		`{"subject":null,"context":{},"resource":{"id":"record-2"}}`: `alice {"top":1} read {"top":1} record-2  {}`,
	} {
		p.decisions(`{` + top + `,"evaluations":[` + item + `]}`)
		q := p.question
		got := fmt.Sprintf("%s %s %s %s %s %s %s", q.Subject.ID, q.Subject.Properties, q.Action.Name, q.Action.Properties, q.Resource.ID, q.Resource.Properties, q.Context)
		if got != want || q.Subject.Type != "user" || q.Resource.Type != "record" {
			t.Errorf("%s: %s, want %s", item, got, want)
		}
	}
}

func TestOneOfSeveralThatIsNoQuestion(t *testing.T) {
	p := newPort(t)
	good := ask("alice", "read", "record-1")
	for _, item := range []string{`{}`, `1`, `"x"`, `[]`, `null`, `{"subject":"alice"}`, `{"subject":{"type":"user","id":"alice"},"action":{"name":1}}`, `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record"}}`} {
		p.records = nil
		body := `{"evaluations":[` + good + `,` + item + `,` + good + `]}`
		if got := p.decisions(body); got != "tft" {
			t.Errorf("%s: %s", item, got)
		}
		if w := p.post(evaluations, body).Body.String(); !strings.Contains(w, `"error":{"status":400,"message":"`) || !strings.Contains(w, reason.AppIncomplete) {
			t.Errorf("%s: %s", item, w)
		}
	}
	// What the whole says is a fault of the whole.
	for _, top := range []string{`"subject":"alice"`, `"action":[]`, `"context":"x"`, `"evaluations":{}`} {
		body := `{` + top + `,"evaluations":[` + good + `]}`
		if strings.HasPrefix(top, `"evaluations"`) {
			body = `{` + top + `}`
		}
		want(t, top, p.post(evaluations, body), http.StatusBadRequest, reason.AuthzenRequest)
	}
}

func TestSeveralAreBounded(t *testing.T) {
	p := newPort(t)
	good := ask("alice", "read", "record-1")
	list := func(n int) string {
		return `{"evaluations":[` + strings.Join(slices.Repeat([]string{good}, n), ",") + `]}`
	}
	if got := p.decisions(list(maxEvaluations)); got != strings.Repeat("t", maxEvaluations) {
		t.Errorf("%s", got)
	}
	want(t, "too many", p.post(evaluations, list(maxEvaluations+1)), http.StatusBadRequest, reason.AuthzenRequest)
	if n := len(p.records[0].Detail); n > 96<<10 {
		t.Errorf("a record of %d bytes", n)
	}
}

func TestNoneOfSeveralIsOne(t *testing.T) {
	p := newPort(t)
	for _, body := range []string{ask("alice", "read", "record-1"), strings.Replace(ask("alice", "read", "record-1"), "{", `{"evaluations":[],`, 1), strings.Replace(ask("alice", "read", "record-1"), "{", `{"evaluations":null,`, 1)} {
		var d struct{ Decision bool }
		if p.read(p.post(evaluations, body), &d); !d.Decision {
			t.Errorf("%s: denied", body)
		}
	}
	want(t, "nothing", p.post(evaluations, `{"evaluations":[]}`), http.StatusBadRequest, reason.AuthzenRequest)
}
