package authzen

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const (
	searchSubject  = "/access/v1/search/subject"
	searchResource = "/access/v1/search/resource"
	searchAction   = "/access/v1/search/action"
)

type results struct {
	Results []struct{ Type, ID, Name string }
	Page    struct {
		NextToken *string `json:"next_token"`
		Count     int
	}
}

func (r *results) ids() (all []string) {
	for _, e := range r.Results {
		all = append(all, e.ID+e.Name)
	}
	return all
}

func whoReads(more string) string {
	return `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}` + more + `}`
}

func TestSearches(t *testing.T) {
	p := newPort(t)
	for _, c := range []struct {
		path, body string
		want       []string
	}{
		{searchSubject, whoReads(""), []string{"alice", "bob"}},
		{searchSubject, strings.Replace(whoReads(""), `"type":"user"`, `"type":"user","id":"ignored"`, 1), []string{"alice", "bob"}},
		{searchResource, `{"subject":{"type":"user","id":"bob"},"action":{"name":"read"},"resource":{"type":"record"}}`, []string{"record-1", "record-2"}},
		{searchResource, `{"subject":{"type":"user","id":"bob"},"action":{"name":"read"},"resource":{"type":"record","id":"ignored"}}`, []string{"record-1", "record-2"}},
		{searchAction, `{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"}}`, []string{"read", "write"}},
		{searchAction, `{"subject":{"type":"user","id":"alice"},"action":{"name":"ignored"},"resource":{"type":"record","id":"record-1"}}`, []string{"read", "write"}},
		{searchAction, `{"subject":{"type":"user","id":"nobody"},"resource":{"type":"record","id":"record-1"}}`, nil},
	} {
		var r results
		w := p.post(c.path, c.body)
		p.read(w, &r)
		if got := r.ids(); !slices.Equal(got, c.want) || r.Page.NextToken == nil || *r.Page.NextToken != "" || r.Page.Count != len(c.want) {
			t.Errorf("%s: %+v", c.body, r)
		}
		if !strings.Contains(w.Body.String(), `"results":[`) {
			t.Errorf("%s", w.Body)
		}
	}
	for path, body := range map[string]string{
		searchSubject: `{"subject":{"type":"user"},"resource":{"type":"record","id":"record-1"}}`, searchResource: `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record"}}`,
		searchAction: `{"subject":{"type":"user","id":"alice"},"resource":{"type":"record"}}`,
	} {
		want(t, body, p.post(path, body), http.StatusBadRequest, reason.AuthzenRequest)
	}
	for _, page := range []string{`[]`, `1`, `{"limit":-1}`, `{"limit":1.5}`, `{"limit":"1"}`, `{"token":5}`} {
		want(t, page, p.post(searchSubject, whoReads(`,"page":`+page)), http.StatusBadRequest, reason.AuthzenRequest)
	}
}

// Pages put together are the whole, each candidate once, whatever their size.
func TestPages(t *testing.T) {
	p := newPort(t)
	p.people, p.allowed = nil, nil
	var may []string
	for i := range 250 {
		id := fmt.Sprintf("u%03d", i)
		p.people = append(p.people, id)
		if i%3 != 1 {
			p.allowed, may = append(p.allowed, id+" read record-1"), append(may, id)
		}
	}
	for _, limit := range []int{1, 7, 100, 1000} {
		var got []string
		page := fmt.Sprintf(`,"page":{"limit":%d}`, limit)
		for range 300 {
			var r results
			p.read(p.post(searchSubject, whoReads(page)), &r)
			if len(r.Results) > min(limit, maxPage) {
				t.Fatalf("%d results on a page", len(r.Results))
			}
			got = append(got, r.ids()...)
			if *r.Page.NextToken == "" {
				break
			}
			page = `,"page":{"token":"` + *r.Page.NextToken + `"}`
		}
		if !slices.Equal(got, may) {
			t.Errorf("limit %d: %d of %d", limit, len(got), len(may))
		}
	}
	var none results
	p.read(p.post(searchSubject, whoReads(`,"page":{"limit":0}`)), &none)
	if len(none.Results) != 0 || *none.Page.NextToken == "" {
		t.Errorf("of nothing: %+v", none)
	}
}

// A page belongs to one portal and one search, and ends.
func TestPageTokensAreBound(t *testing.T) {
	p := newPort(t)
	var r results
	p.read(p.post(searchSubject, whoReads(`,"context":{"a":1,"b":[2]},"page":{"limit":1}`)), &r)
	token := *r.Page.NextToken
	turn := func(more string) string { return whoReads(more + `,"page":{"token":"` + token + `"}`) }
	same := turn(`,"context":{ "b":[2], "a":1 }`)
	if w := p.post(searchSubject, same); w.Code != http.StatusOK {
		t.Fatalf("the same search: %s", w.Body)
	}
	for name, body := range map[string]string{
		"another context":  turn(`,"context":{"a":2,"b":[2]}`),
		"no context":       turn(``),
		"another resource": strings.Replace(same, "record-1", "record-2", 1),
		"another action":   strings.Replace(same, `"read"`, `"write"`, 1),
		"another type":     strings.Replace(same, `"user"`, `"robot"`, 1),
		"a subject's say":  strings.Replace(same, `"type":"user"`, `"type":"user","properties":{"x":1}`, 1),
		"another limit":    strings.Replace(same, `"page":{`, `"page":{"limit":2,`, 1),
		"a forged token":   strings.Replace(same, token, "AAAA"+token[4:], 1),
		"no token":         strings.Replace(same, token, "x", 1),
	} {
		want(t, name, p.post(searchSubject, body), http.StatusBadRequest, reason.AuthzenPage)
	}
	want(t, "another portal", p.post(searchSubject, same, "Menshen-Portal-Secret", "other-secret"), http.StatusBadRequest, reason.AuthzenPage)
	full := strings.Replace(same, `"type":"user"`, `"type":"user","id":"alice"`, 1)
	want(t, "another search", p.post(searchResource, full), http.StatusBadRequest, reason.AuthzenPage)
	p.mu.Lock()
	p.now = p.now.Add(pageLife)
	p.mu.Unlock()
	want(t, "too late", p.post(searchSubject, same), http.StatusBadRequest, reason.AuthzenPage)
}

// What a search claims is read for each action that could be found.
func TestClaimsOfASearchForActionsAreBounded(t *testing.T) {
	p := newPort(t)
	search := func(size int) string {
		return `{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"},"context":{"x":"` + strings.Repeat("x", size) + `"}}`
	}
	if w := p.post(searchAction, search(maxBody/2-10)); w.Code != http.StatusOK {
		t.Errorf("as much as there is room for: %s", w.Body)
	}
	p.asked = nil
	want(t, "more", p.post(searchAction, search(maxBody/2)), http.StatusBadRequest, reason.AuthzenRequest)
	if len(p.asked) != 0 {
		t.Errorf("%q were asked", p.asked)
	}
}

// One portal's searches leave places to the others'.
func TestAPortalTakesNotAllPlacesOfSearches(t *testing.T) {
	p := newPort(t)
	for range maxSearches / 2 {
		done, err := p.queue(t.Context(), hr)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
	}
	want(t, "one too many of this portal", p.post(searchSubject, whoReads("")), http.StatusTooManyRequests, reason.AuthzenBusy)
	if w := p.post(searchSubject, whoReads(""), "Menshen-Portal-Secret", "other-secret"); w.Code != http.StatusOK {
		t.Errorf("another portal's: %s", w.Body)
	}
}

func TestSearchesAreBounded(t *testing.T) {
	p := newPort(t)
	p.answer = func(string) wire.Answer { return wire.Answer{} }
	for range maxSearches {
		p.searches <- struct{}{}
	}
	w := p.post(searchSubject, whoReads(""))
	want(t, "one too many", w, http.StatusTooManyRequests, reason.AuthzenBusy)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	<-p.searches
	if w := p.post(searchSubject, whoReads("")); w.Code != http.StatusOK {
		t.Errorf("with a place free: %s", w.Body)
	}
}
