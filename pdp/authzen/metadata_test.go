package authzen

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
)

func TestMetadata(t *testing.T) {
	p := newPort(t)
	get := func(host, path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Host = host
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w
	}
	for host, base := range map[string]string{
		"pdp.example": "https://pdp.example", "PDP.example:8445": "https://PDP.example:8445", "127.0.0.1:8445": "https://127.0.0.1:8445", "[::1]:8445": "https://[::1]:8445", "[::1]": "https://[::1]",
	} {
		var m map[string]string
		p.read(get(host, pathMetadata), &m)
		if m["policy_decision_point"] != base || m["search_action_endpoint"] != base+"/access/v1/search/action" || len(m) != 6 {
			t.Errorf("%s: %q", host, m)
		}
	}
	for _, host := range []string{"evil.example", "pdp.example.evil", "", "pdp.example:99999", "pdp.example:x", "pdp.example/x", "a@pdp.example"} {
		want(t, host, get(host, pathMetadata), http.StatusMisdirectedRequest, reason.AuthzenHost)
	}
	var m map[string]string
	p.read(get("pdp.example", pathMetadata+"/"+hr), &m)
	if m["policy_decision_point"] != "https://pdp.example/"+hr || m["access_evaluation_endpoint"] != "https://pdp.example/"+hr+evaluation {
		t.Errorf("%q", m)
	}
	// Who proves one portal is told of that one; who proves none learns nothing
	// about which there are.
	p.read(get("pdp.example", pathMetadata+"/"+hr, "Authorization", "Bearer hr-secret"), &m)
	want(t, "another's", get("pdp.example", pathMetadata+"/"+hr, "Authorization", "Bearer other-secret"), http.StatusNotFound, reason.AuthzenTenant)
	want(t, "a guess", get("pdp.example", pathMetadata+"/"+hr, "Authorization", "Bearer guess"), http.StatusUnauthorized, reason.ProxyUnknown)
	if known, unknown := get("pdp.example", pathMetadata+"/"+hr).Code, get("pdp.example", pathMetadata+"/por-0000000000000000000000000r").Code; known != unknown {
		t.Errorf("%d, %d", known, unknown)
	}
	for _, tenant := range []string{"x", "por-", hr + "/x", "../x"} {
		want(t, tenant, get("pdp.example", pathMetadata+"/"+tenant), http.StatusNotFound, reason.AuthzenTenant)
	}
	want(t, "POST", p.post(pathMetadata, "{}"), http.StatusMethodNotAllowed, reason.WrongMethod)
	if w := p.send(http.MethodHead, pathMetadata, ""); w.Code != http.StatusOK || strings.Contains(w.Header().Get("Content-Type"), "problem") {
		t.Errorf("HEAD: %d", w.Code)
	}
}
