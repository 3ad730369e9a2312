package reason

import (
	"regexp"
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
