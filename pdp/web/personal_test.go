package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// aLife is what a person may be shown: a laptop, two keys, decisions of every
// effect, an objection that was answered and one that was not.
func (w *world) aLife() wire.Personal {
	at := time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)
	trust := wire.RecordedTrust{Score: 41, Weights: "1-2f0c", Terms: []wire.TrustTerm{
		{Name: "sign-in", Nats: 1.62, State: "gate", Reasons: []wire.Reason{reason.New(reason.TrustSignIn, "minutes", "74")}},
		{Name: "networknovelty", Cluster: wire.ClusterNetwork, Nats: -2.4, State: "answered", Reasons: []wire.Reason{reason.New(reason.NetworkNew, "sign_ins", "31")}},
		{Name: "network", Cluster: wire.ClusterNetwork, Nats: -2.4, State: "cluster"},
	}}
	one := func(n string, effect wire.Effect, more func(*wire.PersonalDecision)) wire.PersonalDecision {
		d := wire.PersonalDecision{
			ID: "dec-0000000000000000000000000" + n, At: at, Portal: w.portal, Device: "LT-2231", Network: "203.0.113.0/24",
			Effect: effect, Action: wire.ActionWrite, Policy: "3f2a91c07b55", Trust: trust,
		}
		more(&d)
		return d
	}
	return wire.Personal{
		AgencyZH: "數位發展部", AgencyEN: "MODA",
		Devices: []wire.PersonalDevice{
			{Name: "LT-2231", Standing: wire.StandingFresh, EvidenceAt: at, Failing: 2, Here: true},
			{Name: "LT-0007", Standing: wire.StandingStale, EvidenceAt: at.Add(-72 * time.Hour)}, {Name: "LT-0009"},
		},
		Keys: []wire.PersonalKey{
			{Nickname: "識別證上的金鑰", Model: "Example Key 5", AddedAt: at.Add(-900 * time.Hour), LastUsedAt: at, Here: true},
			{Nickname: "抽屜裡的金鑰", Model: "Example Key 5 Nano", AddedAt: at.Add(-900 * time.Hour), Revoked: true},
		},
		Decisions: []wire.PersonalDecision{
			one("0", wire.StepUp, func(d *wire.PersonalDecision) { d.Reasons = []wire.Reason{reason.New(reason.FreshKeyNeeded)} }),
			one("1", wire.Deny, func(d *wire.PersonalDecision) {
				d.Reasons = []wire.Reason{reason.New(reason.DeviceInQuarantine), reason.New("ZT-POL-037")}
			}),
			one("2", wire.Allow, func(d *wire.PersonalDecision) { d.ReadOnly, d.Appealed = true, wire.AppealWrong }),
			one("3", wire.Allow, func(d *wire.PersonalDecision) { d.Action = wire.ActionRead }),
		},
		Partial: true,
		Appeals: []wire.Appeal{
			{Kind: wire.AppealNotMe, Decision: "dec-00000000000000000000000009", At: at, Text: "我當天請假"},
			{
				Kind: wire.AppealWrong, Decision: "dec-00000000000000000000000002", At: at, Text: "<b>筆電</b>已修好", Outcome: wire.AppealUpheld,
				Answer: "已確認您的筆電於當日修復，抱歉造成不便。", AnsweredAt: at.Add(time.Hour),
			},
		},
	}
}

func TestMyPage(t *testing.T) {
	w, c := registered(t)
	w.mu.Lock()
	w.personal = w.aLife()
	w.mu.Unlock()
	w.signsIn(c)
	for _, tt := range []struct {
		language, name string
		want           []string
	}{
		{"zh-TW", "me-zh", []string{"我的頁面", "王小明", "數位發展部", "LT-2231", "目前使用", "有 2 項檢查未符合", "尚未證明其健康狀態", "已註銷", "要求再次觸碰金鑰", "僅可讀取", "異議成立", "處理中", "<b>筆電</b>已修好", "可能還有更早的紀錄", "從不保存"}},
		{"en", "me-en", []string{"My page", "MODA", "LT-2231", "2 checks are not met", "key asked for again", "reading only", "upheld", "being looked at", "There may be older ones", "Never kept"}},
	} {
		c.language(tt.language)
		c.open(w.pdp + "/me")
		c.value("document.querySelector('details').open = true")
		text := c.text()
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", tt.name, want, text)
			}
		}
		if !strings.Contains(text, "+1.62") || !strings.Contains(text, "−2.40") || !strings.Contains(text, "3f2a91c07b55") {
			t.Errorf("%s does not say what counted:\n%s", tt.name, text)
		}
		c.looks(tt.name)
	}
}

// TestAnObjectionIsSentOnce also shows that of a decision that was called wrong one
// can still say that it was somebody else, and nothing else.
func TestAnObjectionIsSentOnce(t *testing.T) {
	w, c := registered(t)
	w.mu.Lock()
	w.personal = w.aLife()
	w.mu.Unlock()
	w.signsIn(c)
	c.language("en")
	c.open(w.pdp + "/me")
	if forms := c.value("[...document.querySelectorAll('form.appeal')].map((e) => e.closest('li').dataset.decision.slice(-1)).join('')"); forms != "0123" {
		t.Errorf("one can object to %s", forms)
	}
	if left := c.value("[...document.querySelectorAll('li:nth-child(3) form.appeal button')].map((e) => e.value).join(' ')"); left != "not-me" {
		t.Errorf("of a decision that was called wrong one can say %s", left)
	}
	c.value("document.querySelector('details').open = true")
	c.do(sendKeys("textarea", "I was on leave"))
	c.click(`form.appeal button[value="not-me"]`)
	c.until("document.querySelector('form.appeal').hidden")
	w.mu.Lock()
	sent := w.objection
	w.mu.Unlock()
	if sent != `{"decision":"dec-00000000000000000000000000","kind":"not-me","text":"I was on leave"}` {
		t.Errorf("sent %s", sent)
	}
	if text := c.text(); !strings.Contains(text, "The answer will stand on this page") {
		t.Error(text)
	}
	// A refusal is shown, and nothing is lost.
	c.value("document.querySelectorAll('details')[1].open = true")
	c.click(`li:nth-child(2) form.appeal button[value="wrong"]`)
	c.until("!document.getElementById('problem').hidden")
	if text := c.text(); !strings.Contains(text, reason.AppealTooMany) {
		t.Error(text)
	}
}

// TestMyPageIsForWhoeverIsSignedIn also looks at the page that says how to get there.
func TestMyPageIsForWhoeverIsSignedIn(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	for language, want := range map[string]string{"zh-TW": "尚未登入本服務", "en": "not signed in to this service"} {
		c.language(language)
		c.open(w.pdp + "/me")
		if text := c.text(); !strings.Contains(text, want) || strings.Contains(text, "LT-2231") || !strings.Contains(text, reason.PersonalSignIn) {
			t.Errorf("%s: %s", language, text)
		}
		c.looks("me-out-" + language)
	}
}

// TestADoubtIsTold: who is asked again because of the score reads what lowered
// it, and of what is withheld the code alone.
func TestADoubtIsTold(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	w.deny(func(p *wire.DenialPage) {
		p.Decision.Effect, p.Decision.Suffices = wire.StepUp, true
		p.Decision.Reasons = []wire.Reason{reason.New(reason.TrustLow)}
		p.Decision.Remedies = []wire.Remedy{{Reason: reason.New(reason.TrustLow), Action: "sign-in"}}
		p.Doubts = []wire.Reason{reason.New("ZT-TRU-120"), reason.New(reason.NetworkNew, "sign_ins", "31"), reason.New("ZT-DEV-103")}
	})
	for language, want := range map[string][]string{
		"zh-TW": {"情境為何看似異常", "威脅清單", "從未登入過的網路"}, "en": {"Why the situation looks unusual", "Network address on a threat list", "never signed in from (31"},
	} {
		c.language(language)
		c.open(w.portalURL + "/leave")
		text := c.text()
		for _, one := range want {
			if !strings.Contains(text, one) {
				t.Errorf("%s lacks %q:\n%s", language, one, text)
			}
		}
		if withheld := reason.Of(reason.Language(language), reason.New("ZT-DEV-103")).What; strings.Contains(text, withheld) || !strings.Contains(text, "ZT-DEV-103") {
			t.Errorf("%s tells what is withheld:\n%s", language, text)
		}
		c.looks("denial-doubts-" + language)
	}
}

// TestWhyTheKeyIsAskedForAgain stands on the sign-in page, where the person is
// sent at once.
func TestWhyTheKeyIsAskedForAgain(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	w.why = []wire.Reason{reason.New(reason.TrustLow), reason.New("ZT-TRU-120"), reason.New("ZT-DEV-103")}
	for language, want := range map[string][]string{
		"zh-TW": {"為何再次要求觸碰金鑰", "威脅清單", "ZT-DEV-103"}, "en": {"Why your key is asked for again", "Network address on a threat list", "ZT-DEV-103"},
	} {
		c.language(language)
		c.open(w.signInAddress())
		text := c.text()
		for _, one := range want {
			if !strings.Contains(text, one) {
				t.Errorf("%s lacks %q:\n%s", language, one, text)
			}
		}
		if strings.Contains(text, reason.Of(reason.Language(language), reason.New("ZT-DEV-103")).What) {
			t.Errorf("%s tells what is withheld:\n%s", language, text)
		}
		c.looks("sign-in-why-" + language)
	}
}
