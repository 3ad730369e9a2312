package reason

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

var (
	codeShape   = regexp.MustCompile(`^ZT-(KEY|DEV|AGT|TRU|POL|SES|SYS|CFG)-\d{3}$`)
	placeholder = regexp.MustCompile(`\{[a-z_]+\}`)
)

func TestEveryCodeIsWholeInBothLanguages(t *testing.T) {
	all := catalogue()
	if len(all[English]) == 0 {
		t.Fatal("no texts")
	}
	for code, en := range all[English] {
		zh, ok := all[Chinese][code]
		if !ok {
			t.Errorf("%s has no Chinese text", code)
			continue
		}
		if !codeShape.MatchString(code) {
			t.Errorf("%s is not a reason code", code)
		}
		for lang, text := range map[Language]Text{English: en, Chinese: zh} {
			if text.Title == "" || text.What == "" || text.Do == "" {
				t.Errorf("%s (%s): a title, what happened and what to do are needed", code, lang)
			}
			switch text.Side {
			case "you", "key", "device", "policy", "system":
			default:
				t.Errorf("%s (%s): side %q", code, lang, text.Side)
			}
		}
		for _, text := range []Text{en, zh} {
			if len(text.StepsOn) > 0 && len(text.Steps) > 0 {
				t.Errorf("%s: steps for all systems and for each", code)
			}
			for system := range text.StepsOn {
				if !slices.Contains(Systems(), system) {
					t.Errorf("%s: steps for an unknown system %q", code, system)
				}
			}
			for _, system := range Systems() {
				if len(text.StepsOn) > 0 && len(text.StepsOn[system]) == 0 {
					t.Errorf("%s: no steps on %s", code, system)
				}
				if len(en.StepsOn[system]) != len(zh.StepsOn[system]) {
					t.Errorf("%s: the languages have other steps on %s", code, system)
				}
			}
		}
		if en.Side != zh.Side || en.Withheld != zh.Withheld || en.Minutes != zh.Minutes || len(en.Steps) != len(zh.Steps) {
			t.Errorf("%s: the languages disagree", code)
		}
		if !sameSet(placeholder.FindAllString(en.What+en.Do, -1), placeholder.FindAllString(zh.What+zh.Do, -1)) {
			t.Errorf("%s: the languages name different arguments", code)
		}
	}
	for code := range all[Chinese] {
		if _, ok := all[English][code]; !ok {
			t.Errorf("%s has no English text", code)
		}
	}
}

func TestArgumentsAreFilledIn(t *testing.T) {
	got := Of(English, New(TooLarge, "limit", "42")).What
	if got != "The request is larger than 42 bytes." {
		t.Error(got)
	}
	if got := Of(Chinese, wire.Reason{Code: "ZT-DEV-999"}).What; got != "系統回報原因代碼 ZT-DEV-999\uff0c但沒有對應的說明。" {
		t.Error(got)
	}
}

// TestStepsAreThoseOfTheSystem: who runs RHEL is not told of apt, and of a
// system without steps no other's are told.
func TestStepsAreThoseOfTheSystem(t *testing.T) {
	for system, word := range map[System]string{LinuxDebian: "ufw", LinuxRHEL: "firewalld", Windows: "Set-NetFirewallProfile", MacOS: "socketfilterfw"} {
		for _, lang := range []Language{English, Chinese} {
			steps := strings.Join(Of(lang, On(system, New(FirewallOff))).Steps, "\n")
			if !strings.Contains(steps, word) {
				t.Errorf("%s (%s): %s", system, lang, steps)
			}
			for _, other := range []string{"ufw", "firewalld", "Set-NetFirewallProfile", "socketfilterfw"} {
				if other != word && strings.Contains(steps, other) {
					t.Errorf("%s (%s) is told of %s", system, lang, other)
				}
			}
		}
	}
	if text := Of(English, On("", New(FirewallOff))); len(text.Steps) != 0 || text.Do == "" {
		t.Errorf("an unknown system: %v", text.Steps)
	}
	if text := Of(English, New(FirewallOff, "system", "plan9")); len(text.Steps) != 0 {
		t.Errorf("a system without steps: %v", text.Steps)
	}
	first := Of(English, On(MacOS, New(FirewallOff)))
	first.StepsOn[MacOS][0] = "changed"
	if again := Of(English, On(MacOS, New(FirewallOff))); again.Steps[0] == "changed" {
		t.Error("a text is shared with whoever changes it")
	}
}

func TestSystemOf(t *testing.T) {
	for _, c := range []struct {
		id, like string
		want     System
	}{
		{"debian", "", LinuxDebian}, {"ubuntu", "debian", LinuxDebian}, {"linuxmint", "ubuntu debian", LinuxDebian},
		{"rhel", "fedora", LinuxRHEL}, {"rocky", "rhel centos fedora", LinuxRHEL}, {"fedora", "", LinuxRHEL},
		{"windows", "", Windows}, {"macos", "", MacOS}, {"arch", "", ""}, {"", "", ""},
	} {
		if got := SystemOf(c.id, c.like); got != c.want {
			t.Errorf("%s (%s): %q", c.id, c.like, got)
		}
	}
}

func sameSet(a, b []string) bool {
	seen := map[string]int{}
	for _, s := range a {
		seen[s] |= 1
	}
	for _, s := range b {
		seen[s] |= 2
	}
	for _, v := range seen {
		if v != 3 {
			return false
		}
	}
	return true
}
