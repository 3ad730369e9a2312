package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// deny shows the denial page with a test's changes.
func (w *world) deny(change func(*wire.DenialPage)) {
	page := denied
	page.Portal, page.Decision.At = w.portal, time.Date(2026, 11, 22, 6, 3, 21, 0, time.UTC)
	if change != nil {
		change(&page)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denial = page
}

func TestTheDenialPage(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	w.deny(nil)
	for _, tt := range []struct {
		language, name string
		want           []string
	}{
		{"zh-TW", "denial-zh", []string{"目前無法存取「人事資料系統」。", "您的登入沒有問題", "您的筆電 LT-2231 未符合", "未符合", "無法量測", "符合", "2026年11月22日 14:03:21", "dec-0123456789abcdefghjkmnpqrs", "ZT-POL-037"}},
		{"en", "denial-en", []string{"You cannot open “HR Records” at the moment.", "Your sign-in is fine;", "your laptop LT-2231 does not meet", "Not met", "Could not be measured", "Met", "22 November 2026, 14:03:21 (UTC+8)"}},
	} {
		c.language(tt.language)
		c.open(w.portalURL + "/leave")
		text := c.text()
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", tt.name, want, text)
			}
		}
		states := c.value("[...document.querySelectorAll('.checks > li')].map((e) => e.dataset.state).join(' ')")
		if states != "fail unknown pass pass" {
			t.Errorf("checklist %q", states)
		}
		c.looks(tt.name)
	}
	// The language is switched on a host whose server keeps nothing.
	c.language("zh-TW")
	c.open(w.portalURL + "/leave")
	c.click("button.language")
	c.until("document.documentElement.lang === 'en'")
	if at := c.value("location.pathname + location.search"); at != "/leave?week=47" {
		t.Errorf("the switch led to %s", at)
	}
}

func TestCheckAgainUntilAllowed(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	w.deny(nil)
	w.checks, w.allowed = []string{"sent", "measuring", "deciding"}, true
	c.language("zh-TW")
	c.open(w.portalURL + "/leave")
	c.click("#check-again")
	c.until("document.querySelector('#stages [data-stage=measuring][aria-current=step]')")
	c.looks("denial-checking-zh")
	c.until("!document.getElementById('continue').hidden")
	if focus := c.value("document.activeElement.id"); focus != "continue" {
		t.Errorf("the focus is on %q", focus)
	}
	if to := c.value("document.getElementById('continue').getAttribute('href')"); to != "/leave?week=47" {
		t.Errorf("continues to %s", to)
	}
	c.looks("denial-allowed-zh")
}

func TestCheckAgainStillDenied(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	w.deny(nil)
	w.checks = []string{"sent"}
	c.language("en")
	c.open(w.portalURL + "/leave")
	c.click("#check-again")
	c.until("location.search === '?week=47' && !document.querySelector('[data-result=denied]').hidden")
	c.looks("denial-still-en")
	c.open(w.portalURL + "/leave")
	if hidden := c.value("document.querySelector('[data-result=denied]').hidden"); hidden != "true" {
		t.Error("an old result is told again")
	}
}

func TestOtherDenials(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	for name, tt := range map[string]struct {
		change func(*wire.DenialPage)
		want   []string
		not    []string
	}{
		"read-only": {func(p *wire.DenialPage) {
			p.ReadAllowed, p.Decision.Action = true, wire.ActionWrite
			p.Decision.Reasons, p.Decision.Remedies = []wire.Reason{{Code: "ZT-POL-030"}}, nil
		}, []string{"You cannot change anything in “HR Records”", "reading still works", "Back to reading"}, nil},
		"step-up": {func(p *wire.DenialPage) {
			p.Decision.Effect = wire.StepUp
			p.Decision.Reasons = []wire.Reason{{Code: "ZT-POL-041"}}
			p.Decision.Remedies = []wire.Remedy{{Reason: wire.Reason{Code: "ZT-POL-041"}, Action: "sign-in"}}
		}, []string{"asks for a new touch of your key", "Sign in again with your key"}, nil},
		"no-device": {func(p *wire.DenialPage) {
			p.Device, p.Claims = "", nil
			p.Decision.Reasons = []wire.Reason{{Code: "ZT-POL-020"}}
			p.Decision.Remedies = nil
		}, []string{"no enrolled laptop has confirmed this browser"}, []string{"Check again"}},
		"hostile": {func(p *wire.DenialPage) {
			p.Person, p.Device, p.ReturnPath = `<img src=x onerror=alert(1)>`, `"><script>alert(1)</script>`, "//evil.example/"
			p.Portal.NameEN = `</title><script>alert(1)</script>`
		}, []string{`<img src=x onerror=alert(1)>`}, nil},
	} {
		w.deny(tt.change)
		c.language("en")
		c.open(w.portalURL + "/leave")
		text := c.text()
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(text, not) {
				t.Errorf("%s has %q:\n%s", name, not, text)
			}
		}
		if to := c.value("document.getElementById('continue').href"); name == "hostile" && to != w.portalURL+"/" {
			t.Errorf("a return path leads to %s", to)
		}
		c.looks("denial-" + name)
	}
}

func TestFaultHelpAndOtherPages(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	for language, tag := range map[string]string{"zh-TW": "zh", "en": "en"} {
		c.language(language)
		for name, address := range map[string]string{
			"fault": w.portalURL + "/fault", "out": w.portalURL + "/out", "landing": w.pdp + "/",
			"help": w.pdp + "/help/", "help-code": w.pdp + "/help/zt-key-050", "not-found": w.pdp + "/nothing",
			"no-handle": w.pdp + "/sign-in?h=x",
		} {
			c.open(address)
			if got := c.value("document.documentElement.lang"); got != language {
				t.Errorf("%s is in %s", name, got)
			}
			if headings := c.value("document.querySelectorAll('h1').length"); headings != "1" {
				t.Errorf("%s has %s first headings", name, headings)
			}
			if text := c.text(); !strings.Contains(text, "測試設定") || !strings.Contains(text, "Test setting") {
				t.Errorf("%s does not say in both languages that test keys are permitted", name)
			}
			c.looks(name + "-" + tag)
		}
	}
}
