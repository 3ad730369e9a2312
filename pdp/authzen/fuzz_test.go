package authzen

import (
	"encoding/json"
	"net/http"
	"testing"
)

// FuzzRequests: whatever comes in, it is answered with 200 and an answer, or
// refused; nothing is allowed that was not asked about and answered so.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		ask("alice", "read", "record-1"), ask("bob", "write", "record-1"), whoReads(`,"page":{"limit":1}`),
		`{"subject":{"type":"user","id":"bob"},"resource":{"type":"record","id":"record-1"},"evaluations":[{"action":{"name":"read"}},{},1],"options":{"evaluations_semantic":"deny_on_first_deny"}}`,
		`{"subject":"alice"}`, `{"a":{"a":1,"a":2}}`, `[]`, `{`, "\xff", `{"evaluations":[[[[[[[[]]]]]]]]}`,
	} {
		f.Add(uint8(0), seed)
		f.Add(uint8(1), seed)
		f.Add(uint8(2), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		p := newPort(t)
		path := []string{evaluation, evaluations, searchSubject, searchResource, searchAction}[which%5]
		w := p.post(path, body)
		switch w.Code {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if len(p.records) != 0 {
				t.Error("a request that was refused is recorded as answered")
			}
			return
		case http.StatusOK:
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if len(p.records) != 1 {
			t.Errorf("%d records", len(p.records))
		}
		var out struct {
			Decision    bool
			Evaluations []struct{ Decision bool }
			Results     []json.RawMessage
		}
		p.read(w, &out)
		allowed := len(out.Results)
		for _, d := range out.Evaluations {
			if d.Decision {
				allowed++
			}
		}
		if out.Decision {
			allowed++
		}
		if allowed > len(p.asked) {
			t.Errorf("%d allowed, %d asked", allowed, len(p.asked))
		}
	})
}
