package web_test

import (
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// A person registers two keys and signs in, in a real browser.
func TestAPersonRegistersAndSignsIn(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	first := c.key()
	c.language("zh-TW")

	c.open(w.link())
	c.until("!document.getElementById('person').hidden")
	c.looks("register-zh")
	c.do(sendKeys("#nickname", "藍色金鑰"))
	c.click("#person button")
	c.until("!document.getElementById('done').hidden")
	c.looks("registered-zh")
	if text := c.text(); !strings.Contains(text, "藍色金鑰") || !strings.Contains(text, "測試用驗證器") {
		t.Errorf("done: %s", text)
	}

	// The same key again is refused by the browser itself, because it is excluded.
	c.click("#register-second")
	c.until("!document.getElementById('person').hidden")
	c.click("#person button")
	c.until("!document.getElementById('problem').hidden")
	if text := c.text(); !strings.Contains(text, "ZT-KEY-002") {
		t.Errorf("the same key again: %s", text)
	}
	c.looks("register-twice-zh")
	c.unplug(first)
	second := c.key()
	c.click("#again")
	c.until("!document.getElementById('person').hidden")
	c.click("#person button")
	c.until("!document.getElementById('enough').hidden")
	if hash := c.value("location.hash"); hash != "" {
		t.Errorf("a spent secret is left in the address: %q", hash)
	}

	c.open(w.signInAddress())
	c.until("!document.getElementById('use-key').hidden")
	c.looks("sign-in-zh")
	if focus := c.value("document.activeElement.id"); focus != "use-key" {
		t.Errorf("the focus is on %q", focus)
	}
	c.do(pressEnter("#use-key")) // by keyboard alone
	c.until("location.hostname === 'hr.test'")
	login, err := w.login()
	if err != nil {
		t.Fatal(err)
	}
	if s := login.SignIn; s.PersonID != w.person.ID || !s.TestKey || s.AAL != 2 || login.Binding.DeviceID != laptop || !login.Binding.SameNetwork {
		t.Errorf("login %+v", login)
	}

	// A second portal within the time limits asks for no key.
	c.unplug(second)
	c.open(w.signInAddress())
	c.until("location.hostname === 'hr.test'")
	if again, err := w.login(); err != nil || !again.SignIn.At.Equal(login.SignIn.At) {
		t.Errorf("second portal: %+v, %v", again, err)
	}

	// Signing out ends that.
	c.open(w.pdp + "/")
	c.looks("landing-zh")
	c.click("#sign-out")
	c.until("location.pathname === '/signed-out'")
	c.looks("signed-out-zh")
	c.open(w.signInAddress())
	c.until("!document.getElementById('use-key').hidden")
}

// registered returns a world whose person has this browser's key.
func registered(t *testing.T, flags ...string) (*world, *chromium) {
	t.Helper()
	w, c := newWorld(t), openChromium(t, flags...)
	c.key()
	c.open(w.link())
	c.until("!document.getElementById('person').hidden")
	c.click("#person button")
	c.until("!document.getElementById('done').hidden")
	return w, c
}

func TestWhatGoesWrongAtTheKeySaysSo(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	key := c.key()
	c.language("en")
	c.open(w.link())
	c.until("!document.getElementById('person').hidden")
	c.looks("register-en")
	c.click("#person button")
	c.until("!document.getElementById('done').hidden")
	c.looks("registered-en")

	c.verifies(key, false) // no PIN, or a wrong one
	c.open(w.signInAddress())
	c.until("!document.getElementById('use-key').hidden")
	c.looks("sign-in-en")
	c.click("#use-key")
	c.until("!document.getElementById('problem').hidden")
	if text := c.text(); !strings.Contains(text, "ZT-KEY-001") || !strings.Contains(text, "The key was not used") {
		t.Errorf("%s", text)
	}
	if focus := c.value("document.activeElement.id"); focus != "problem" {
		t.Errorf("the focus is on %q", focus)
	}
	c.looks("sign-in-not-used-en")

	c.verifies(key, true)
	c.click("#again")
	c.until("location.hostname === 'hr.test'")
}

func TestALaptopWithoutItsAgentSaysSo(t *testing.T) {
	w, c := registered(t)
	must(t, w.agent.Close())
	c.language("zh-TW")
	c.open(w.signInAddress())
	c.until("!document.getElementById('use-key').hidden")
	c.click("#use-key")
	c.until("!document.getElementById('problem').hidden")
	if text := c.text(); !strings.Contains(text, "ZT-KEY-050") || !strings.Contains(text, "您的金鑰已通過驗證") {
		t.Errorf("%s", text)
	}
	if state := c.value("document.getElementById('step-key').dataset.state + ' ' + document.getElementById('step-device').dataset.state"); state != "done fail" {
		t.Errorf("steps %s", state)
	}
	c.looks("sign-in-no-agent-zh")
}

// A page from the public internet may not reach loopback without a grant.
func TestABrowserThatBlocksLoopbackSaysSo(t *testing.T) {
	w, c := registered(t)
	c2 := openChromium(t, "ip-address-space-overrides=127.0.0.1:"+strings.Split(hostOf(w.pdp), ":")[1]+"=public")
	c2.language("en")
	c2.key()
	c2.open(w.link())
	c2.until("!document.getElementById('person').hidden")
	c2.click("#person button")
	c2.until("!document.getElementById('done').hidden")
	before := w.posts.Load()
	c2.open(w.signInAddress())
	c2.until("!document.getElementById('use-key').hidden")
	c2.click("#use-key")
	c2.until("!document.getElementById('problem').hidden")
	if text := c2.text(); !strings.Contains(text, "ZT-KEY-051") {
		t.Errorf("%s", text)
	}
	if w.posts.Load() != before {
		t.Error("the agent was reached")
	}
	c2.looks("sign-in-blocked-en")
	_ = c
}

func TestRegistrationLinksThatDoNotWorkSaySo(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	c.language("zh-TW")
	for _, link := range []string{"/register", "/register#short", "/register#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		c.open("about:blank")
		c.open(w.pdp + link)
		c.until("!document.getElementById('problem').hidden")
		if text := c.text(); !strings.Contains(text, "ZT-KEY-030") {
			t.Errorf("%s: %s", link, text)
		}
	}
	c.looks("register-no-link-zh")
}

func TestALanguageChangeKeepsTheRegistrationLink(t *testing.T) {
	w, c := newWorld(t), openChromium(t)
	c.key()
	c.language("zh-TW")
	c.open(w.link())
	c.until("!document.getElementById('person').hidden")
	c.click("a.language")
	c.until("document.documentElement.lang === 'en' && !document.getElementById('person').hidden")
	c.open(w.pdp + "/help/ZT-KEY-001") // the choice is kept
	if lang := c.value("document.documentElement.lang"); lang != "en" {
		t.Errorf("the language went back to %s", lang)
	}
}

var denied = wire.DenialPage{
	Person: "王小明", Device: "LT-2231", ReturnPath: "/leave?week=47",
	Decision: wire.Decision{
		ID: "dec-0123456789abcdefghjkmnpqrs", Action: wire.ActionRead, PolicyVersion: "baseline-1",
		Reasons:  []wire.Reason{{Code: "ZT-POL-037"}, {Code: "ZT-POL-038"}},
		Remedies: []wire.Remedy{{Reason: wire.Reason{Code: "ZT-POL-037"}, Claim: wire.ClaimFirewall, Action: "fix-claim"}, {Reason: wire.Reason{Code: "ZT-POL-038"}, Claim: wire.ClaimDiskEncryption, Action: "fix-claim"}},
	},
	Claims: []wire.Claim{
		{ID: wire.ClaimOSRelease, State: wire.ClaimPass, Source: "/etc/os-release"},
		{ID: wire.ClaimFirewall, State: wire.ClaimFail, Source: "nftables"},
		{ID: wire.ClaimDiskEncryption, State: wire.ClaimError, Source: "/sys/block"},
		{ID: wire.ClaimSecureBoot, State: wire.ClaimPass, Source: "efivars"},
	},
}
