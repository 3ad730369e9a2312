package contract

import "testing"

func TestSettings(t *testing.T) {
	type settings struct {
		Days int `json:"days"`
	}
	for text, want := range map[string]int{
		"": 7, `{"days":3}`: 3, `{}`: 7, `{"day":3}`: -1, `{"days":"3"}`: -1, `{"days":3}{}`: -1, `{"days":3`: -1,
	} {
		t.Setenv(SettingsVariable, text)
		got := settings{Days: 7}
		err := Settings(&got)
		if refused := want == -1; refused != (err != nil) || (!refused && got.Days != want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
