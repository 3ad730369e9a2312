package web_test

import (
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// twoThings is a denial with two things wrong, and a third that follows from one.
func twoThings(p *wire.DenialPage) {
	p.Claims = append([]wire.Claim{}, p.Claims...)
	p.Findings = []wire.Finding{{Claim: wire.ClaimOSUpdates, Reason: reason.New("ZT-DEV-060")}}
	p.Decision.Suffices = true
	p.Decision.Reasons = []wire.Reason{reason.New(reason.FreshKeyNeeded), reason.New("ZT-POL-037"), reason.New("ZT-POL-038")}
	p.Decision.Remedies = []wire.Remedy{
		{Reason: reason.New(reason.FreshKeyNeeded), Action: "sign-in"},
		{Reason: reason.New("ZT-POL-037"), Claim: wire.ClaimFirewall, Action: "fix-claim"},
	}
}

const lines = "[...document.querySelectorAll('%s > li')].map((e) => [e.dataset.state, e.dataset.action ?? '', e.dataset.claim ?? '', e.dataset.code ?? ''].join('/')).join(' ')"

func TestTheSmallestSetComesFirst(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	w.deny(twoThings)
	for _, tt := range []struct {
		language, name string
		want           []string
	}{
		{"zh-TW", "denial-set-zh", []string{"您已登入，但這項存取須重新觸碰安全金鑰；您的筆電 LT-2231", "完成以下 2 件事，即可存取", "不需其他變更，也不能更少", "所有檢查項目", "完成上述步驟後即一併符合"}},
		{"en", "denial-set-en", []string{"Your sign-in worked, but this access needs a fresh touch of your key; your laptop LT-2231", "Do these 2 things, and you are in", "nothing less is enough", "Everything that was looked at", "Put right by the steps above", "Sign in again with your key"}},
	} {
		c.language(tt.language)
		c.open(w.portalURL + "/leave")
		text := c.text()
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", tt.name, want, text)
			}
		}
		// The repair comes before the touch of the key, which is to be fresh.
		if set := c.value(strings.Replace(lines, "%s", ".set", 1)); set != "fail/fix-claim/firewall/ZT-POL-037 fail/sign-in//"+reason.FreshKeyNeeded {
			t.Errorf("the set is %q", set)
		}
		if rest := c.value(strings.Replace(lines, "%s", "ul.checks", 1)); !strings.HasPrefix(rest, "fail///ZT-POL-038 ") || strings.Contains(rest, "ZT-POL-037") {
			t.Errorf("the rest is %q", rest)
		}
		if fresh := c.value("document.getElementById('fresh').getAttribute('href')"); fresh != "/.menshen/start?fresh=1&rd=%2Fleave%3Fweek%3D47" && !strings.HasPrefix(fresh, "/.menshen/start?fresh=1&rd=") {
			t.Errorf("the key is touched at %s", fresh)
		}
		// What the decision did not ask for is opened by whoever wants to know.
		if folded := c.value("[...document.querySelectorAll('details')].map((e) => e.closest('li').dataset.code + e.open).join(' ')"); folded != "ZT-DEV-060false" {
			t.Errorf("folded: %q", folded)
		}
		c.looks(tt.name)
	}
	// Where nobody tried, nothing is promised.
	w.deny(func(p *wire.DenialPage) { twoThings(p); p.Decision.Suffices = false })
	c.open(w.portalURL + "/leave")
	if text := c.text(); strings.Contains(text, "you are in") || !strings.Contains(text, "Checklist") || !strings.Contains(text, "3 to put right") {
		t.Error(text)
	}
	w.deny(func(p *wire.DenialPage) {
		twoThings(p)
		p.Decision.Remedies = p.Decision.Remedies[1:]
	})
	c.open(w.portalURL + "/leave")
	if text := c.text(); !strings.Contains(text, "Do this one thing, and you are in") || c.value("document.getElementById('fresh') === null") != "true" {
		t.Error(text)
	}
}
