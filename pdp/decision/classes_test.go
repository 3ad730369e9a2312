package decision_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/session"
)

// What policy refuses of one class stays refused however the address is
// written, and the rest of the portal stays open.
func TestEachClassIsDecided(t *testing.T) {
	w := newWorld(t)
	w.set(func() {
		w.routes = []wire.Route{{Path: "/payroll", Class: "payroll"}, {Path: "/root", Action: wire.ActionAdmin}}
	})
	w.forgetPortals()
	cookie := w.enter()
	w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		if s.Request.Class == "payroll" || a == wire.ActionAdmin {
			return w.deny(s, a)
		}
		return w.allow(s, a)
	})
	for original, c := range map[string]struct {
		status int
		code   string
	}{
		"GET /":                 {http.StatusOK, ""},
		"GET /payrolls":         {http.StatusOK, ""},
		"GET /payroll":          {http.StatusForbidden, "ZT-DEV-012"},
		"GET /%70ayroll/1":      {http.StatusForbidden, "ZT-DEV-012"},
		"GET /x/..%2fpayroll":   {http.StatusForbidden, "ZT-DEV-012"},
		"GET /x/..;/root":       {http.StatusForbidden, "ZT-DEV-012"},
		"GET /ROOT":             {http.StatusForbidden, "ZT-DEV-012"},
		"POST /payroll":         {http.StatusForbidden, "ZT-DEV-012"},
		"GET /a%2fb":            {http.StatusOK, ""},
		"GET /%ff":              {http.StatusForbidden, reason.AddressUnreadable},
		"GET /x%00":             {http.StatusForbidden, reason.AddressUnreadable},
		"GET http://hr/payroll": {http.StatusForbidden, reason.AddressUnreadable},
	} {
		got := w.ask(asked{original: original, header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "cors"}})
		if got.StatusCode != c.status || got.Header.Get("Menshen-Reason") != c.code {
			t.Errorf("%s: %s %s", original, got.Status, got.Header.Get("Menshen-Reason"))
		}
		if c.status != http.StatusOK && got.Header.Get("Menshen-Token") != "" {
			t.Errorf("%s: a token beside a refusal", original)
		}
	}
	// The page tells of the class that was refused, and the unreadable address
	// of itself.
	page := map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "navigate"}
	if got := body(t, w.ask(asked{path: "/.menshen/denied", original: "GET /%70ayroll", header: page})); got[:7] != "denied " {
		t.Errorf("%q", got)
	}
	if got := body(t, w.ask(asked{path: "/.menshen/denied", original: "GET /%ff", header: page})); got != "fault "+reason.AddressUnreadable+" again=/%ff" {
		t.Errorf("%q", got)
	}
}

// A check decides again what was refused last, of its class.
func TestCheckDecidesTheRefusedClassAgain(t *testing.T) {
	w := newWorld(t)
	w.set(func() { w.routes = []wire.Route{{Path: "/payroll", Class: "payroll"}} })
	w.forgetPortals()
	cookie := w.enter()
	var decided []session.Subject
	w.decide(func(s session.Subject, a wire.Action) (wire.Facts, wire.Decision) {
		w.set(func() { decided = append(decided, s) })
		if s.Request.Class == "payroll" {
			return w.deny(s, a)
		}
		return w.allow(s, a)
	})
	for _, original := range []string{"GET /payroll", "GET /"} {
		w.ask(asked{original: original, header: map[string]string{"Cookie": cookie, "Sec-Fetch-Mode": "cors"}})
	}
	var begun wire.CheckAnswer
	check(t, json.Unmarshal([]byte(body(t, w.startCheck(cookie))), &begun))
	close(w.answered)
	w.follow(cookie, begun.ID)
	w.set(func() { decided = nil })
	w.follow(cookie, begun.ID)
	if len(decided) != 1 || decided[0].Request.Class != "payroll" {
		t.Errorf("decided again: %+v", decided)
	}
}
