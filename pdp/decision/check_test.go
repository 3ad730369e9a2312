package decision_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// own is what a browser sends with a POST of the portal's own page.
func own(cookie string) map[string]string {
	return map[string]string{"Cookie": cookie, "Origin": hr.Origin, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
}

func (w *world) startCheck(cookie string) *http.Response {
	w.t.Helper()
	return w.ask(asked{method: http.MethodPost, path: "/.menshen/check", header: own(cookie), body: "{}"})
}

func (w *world) follow(cookie, id string) (wire.CheckAnswer, *http.Response) {
	w.t.Helper()
	got := w.ask(asked{path: "/.menshen/check/" + id, header: map[string]string{"Cookie": cookie}})
	var a wire.CheckAnswer
	if got.StatusCode == http.StatusOK {
		check(w.t, json.Unmarshal([]byte(body(w.t, got)), &a))
	}
	return a, got
}

func TestCheckTellsWhatHasHappened(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.decide(w.deny)
	w.ask(asked{header: map[string]string{"Cookie": cookie}})
	var begun wire.CheckAnswer
	check(t, json.Unmarshal([]byte(body(t, w.startCheck(cookie))), &begun))
	if begun.Stage != wire.CheckSent || begun.ID == "" || w.asked != 1 {
		t.Fatalf("%+v", begun)
	}
	expect := func(stage wire.CheckStage, allowed bool) wire.CheckAnswer {
		t.Helper()
		a, got := w.follow(cookie, begun.ID)
		if a.Stage != stage || a.Allowed != allowed {
			t.Fatalf("%s %+v", got.Status, a)
		}
		return a
	}
	expect(wire.CheckSent, false)
	w.set(func() { w.taken = true })
	expect(wire.CheckMeasuring, false)
	// The firewall is back on, and nobody has told the sessions.
	w.set(func() { w.engine = w.allow })
	expect(wire.CheckMeasuring, false)
	close(w.answered)
	expect(wire.CheckDeciding, false)
	if a := expect(wire.CheckResult, true); wire.CheckID(wire.PrefixDecision, a.Decision) != nil {
		t.Fatal(a)
	}
	if got := w.ask(asked{header: map[string]string{"Cookie": cookie}}); got.StatusCode != http.StatusOK {
		t.Fatal("told allowed, and refused:", got.Status)
	}
}

func TestCheckThatDoesNotHelp(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	w.decide(w.deny)
	var begun wire.CheckAnswer
	check(t, json.Unmarshal([]byte(body(t, w.startCheck(cookie))), &begun))
	close(w.answered)
	w.follow(cookie, begun.ID)
	if a, _ := w.follow(cookie, begun.ID); a.Stage != wire.CheckResult || a.Allowed || a.Code != "ZT-DEV-012" {
		t.Fatalf("%+v", a)
	}
}

func TestCheckWithoutAnAnswer(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	var begun wire.CheckAnswer
	check(t, json.Unmarshal([]byte(body(t, w.startCheck(cookie))), &begun))
	w.set(func() { w.now = w.now.Add(time.Minute) })
	_, got := w.follow(cookie, begun.ID)
	if text := body(t, got); got.StatusCode != http.StatusGatewayTimeout || !strings.Contains(text, reason.AgentDidNotAnswer) {
		t.Fatal(got.Status, text)
	}
	w.set(func() { w.now = w.now.Add(time.Minute) })
	if _, got := w.follow(cookie, begun.ID); got.StatusCode != http.StatusNotFound {
		t.Fatal(got.Status)
	}
}

func TestCheckRefusals(t *testing.T) {
	w := newWorld(t)
	cookie := w.enter()
	post := func(header map[string]string, text string) *http.Response {
		return w.ask(asked{method: http.MethodPost, path: "/.menshen/check", header: header, body: text})
	}
	for name, c := range map[string]struct {
		got    *http.Response
		status int
		code   string
	}{
		"another site":  {post(with(own(cookie), "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), "{}"), http.StatusForbidden, reason.CrossSite},
		"a form":        {post(with(own(cookie), "Content-Type", "application/x-www-form-urlencoded"), "{}"), http.StatusUnsupportedMediaType, reason.WrongType},
		"unknown field": {post(own(cookie), `{"device":"dev-2"}`), http.StatusBadRequest, reason.BadRequest},
		"too much":      {post(own(cookie), strings.Repeat(" ", 300)+"{}"), http.StatusRequestEntityTooLarge, reason.TooLarge},
		"no session":    {post(own("-"), "{}"), http.StatusUnauthorized, reason.SessionNone},
		"other network": {post(with(own(cookie), "X-Real-IP", "198.51.100.7"), "{}"), http.StatusUnauthorized, reason.SessionNone},
		"other portal":  {post(with(own(cookie), "Menshen-Portal-Secret", otherSecret, "Origin", budget.Origin), "{}"), http.StatusUnauthorized, reason.SessionNone},
	} {
		if text := body(t, c.got); c.got.StatusCode != c.status || !strings.Contains(text, c.code) {
			t.Errorf("%s: %s %s", name, c.got.Status, text)
		}
	}
	if w.asked != 0 {
		t.Fatal("an agent was asked all the same")
	}
	if got := w.startCheck(cookie); got.StatusCode != http.StatusOK {
		t.Fatal(got.Status)
	}
	got := w.startCheck(cookie)
	if text := body(t, got); got.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, reason.CheckTooSoon) || got.Header.Get("Retry-After") != "5" {
		t.Fatal(got.Status, text)
	}
	for name, id := range map[string]string{"another id": "cmd-2", "none": ""} {
		if _, got := w.follow(cookie, id); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", name, got.Status)
		}
	}
	if _, got := w.follow(w.enter(), "cmd-1"); got.StatusCode != http.StatusNotFound {
		t.Error("another session follows the check:", got.Status)
	}
}
