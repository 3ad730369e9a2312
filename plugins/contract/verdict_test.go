package contract

import (
	"reflect"
	"testing"
)

func TestReasonsPairNamesAndValues(t *testing.T) {
	for want, got := range map[string]Verdict{
		"":  Abstain("code"),
		"1": Say(-2, 0.5, "code", "a", "1"),
		"2": Abstain("code", "a", "2", "b"),
	} {
		var args map[string]string
		switch want {
		case "1":
			args = map[string]string{"a": "1"}
		case "2":
			args = map[string]string{"a": "2", "b": ""}
		}
		if r := got.Reasons[0]; r.Code != "code" || !reflect.DeepEqual(r.Args, args) || got.TTL != VerdictTTL || got.Abstained == (want == "1") {
			t.Errorf("%q: %+v", want, got)
		}
	}
}
