package reason

import (
	"fmt"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

func TestWithheldReasonsShowTheirCodeAlone(t *testing.T) {
	withheld := 0
	for _, code := range Codes() {
		r := wire.Reason{Code: code, Args: map[string]string{"detail": "hint", "why": "hint", "place": "hint"}}
		for _, lang := range []Language{English, Chinese} {
			whole, shown := Of(lang, r), Shown(lang, r)
			if whole.Withheld != Withheld(r) {
				t.Errorf("%s: withheld %v", code, Withheld(r))
			}
			told := strings.Join(append([]string{shown.Title, shown.What, shown.Do}, shown.Steps...), " ")
			switch {
			case !whole.Withheld && shown.What != whole.What:
				t.Errorf("%s is shown as %q", code, shown.What)
			case !whole.Withheld:
			case shown.Title == whole.Title, shown.What == whole.What, shown.Do == whole.Do, strings.Contains(told, "hint"), !strings.Contains(told, code),
				shown.Side != whole.Side, !shown.Withheld, len(shown.StepsOn) > 0:
				t.Errorf("%s: %+v", code, shown)
			default:
				withheld++
			}
		}
	}
	if withheld == 0 {
		t.Error("nothing is withheld")
	}
}

// TestWhatIsBlindIsNotTold: which part of the inference does not see at the
// moment, or sees by an old list, is an officer's to know.
func TestWhatIsBlindIsNotTold(t *testing.T) {
	for _, code := range []string{PluginDown, PluginLate, PluginExpired, PluginNonsense, ListsStale} {
		for _, lang := range []Language{English, Chinese} {
			if told := fmt.Sprint(Shown(lang, New(code, "plugin", "threatlist"))); !Withheld(New(code)) || strings.Contains(told, "threatlist") {
				t.Errorf("%s: %s", code, told)
			}
		}
	}
}
