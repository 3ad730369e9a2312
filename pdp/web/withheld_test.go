package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Of a withheld finding a person sees the code, and not which measurement it is
// about: that stands in the list as it was measured.
func TestAWithheldFindingNamesNoClaim(t *testing.T) {
	finding := wire.Finding{Type: wire.FindingTampered, Claim: wire.ClaimSecureBoot, Reason: wire.Reason{Code: reason.SecureBootDenied}}
	page := wire.DenialPage{
		Portal: wire.Portal{ID: "por-1", NameEN: "HR Records"}, Device: "LT-2231",
		Decision: wire.Decision{Reasons: []wire.Reason{finding.Reason}, Remedies: []wire.Remedy{{Reason: finding.Reason, Action: "ask-admin"}}},
		Claims:   []wire.Claim{{ID: wire.ClaimSecureBoot, State: wire.ClaimPass}},
	}
	shown := func(p wire.DenialPage) string {
		w := httptest.NewRecorder()
		newSite(t).Denial(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://portal.test/", nil), p)
		return w.Body.String()
	}
	without := shown(page)
	if !strings.Contains(without, `data-claim="secure-boot"`) || !strings.Contains(without, finding.Reason.Code) {
		t.Fatal(without)
	}
	page.Findings = []wire.Finding{finding}
	if with := shown(page); with != without {
		t.Errorf("the finding changes the page:\n%s\n%s", without, with)
	}
	page.Decision.Reasons, page.Decision.Remedies = nil, nil
	with := shown(page)
	line := with[strings.Index(with, `data-code="`+finding.Reason.Code):]
	if !strings.Contains(with, `<li data-state="pass" data-claim="secure-boot">`) || !strings.Contains(with, `<li data-state="warn" data-code="`+finding.Reason.Code) {
		t.Errorf("%.300s", line)
	}
}
