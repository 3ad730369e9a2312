package main

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// TestBothLanguagesSayAll: no word is missing, and both take the same values.
func TestBothLanguagesSayAll(t *testing.T) {
	compareWords(t, "words", reflect.ValueOf(*english()), reflect.ValueOf(*chinese()))
}

var verbs = regexp.MustCompile(`%[a-z]`)

func compareWords(t *testing.T, name string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			compareWords(t, a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.String:
		if a.Len() == 0 || b.Len() == 0 {
			t.Errorf("%s is empty", name)
		}
		if x, y := verbs.FindAllString(a.String(), -1), verbs.FindAllString(b.String(), -1); !reflect.DeepEqual(x, y) {
			t.Errorf("%s takes %v and %v", name, x, y)
		}
	case reflect.Slice:
		if a.Len() != b.Len() {
			t.Errorf("%s has %d and %d entries", name, a.Len(), b.Len())
		}
	case reflect.Map:
		for _, key := range a.MapKeys() {
			if other := b.MapIndex(key); !other.IsValid() || other.Len() == 0 {
				t.Errorf("%s[%v] is missing", name, key)
			}
		}
		if a.Len() != b.Len() {
			t.Errorf("%s has %d and %d entries", name, a.Len(), b.Len())
		}
	default:
		t.Errorf("%s is a %v", name, a.Kind())
	}
}

func TestChooseLanguage(t *testing.T) {
	for _, c := range []struct {
		flag        string
		environment map[string]string
		want        reason.Language
	}{
		{"", nil, reason.English},
		{"", map[string]string{"LANG": "C.UTF-8"}, reason.English},
		{"", map[string]string{"LANG": "zh_TW.UTF-8"}, reason.Chinese},
		{"", map[string]string{"LANG": "zh_HK"}, reason.Chinese},
		{"", map[string]string{"LANG": "zh_TW.UTF-8", "LC_ALL": "en_US.UTF-8"}, reason.English},
		{"", map[string]string{"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, reason.Chinese},
		{"en", map[string]string{"LANG": "zh_TW"}, reason.English},
		{"zh-TW", map[string]string{"LANG": "en_US"}, reason.Chinese},
	} {
		if got := chooseLanguage(c.flag, func(name string) string { return c.environment[name] }); got != c.want {
			t.Errorf("%q %v: %s", c.flag, c.environment, got)
		}
	}
}

func TestRender(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	trust := 62
	finding := func(kind wire.FindingType, code string) wire.Finding {
		return wire.Finding{Type: kind, Reason: reason.New(code)}
	}
	result := func(findings ...wire.Finding) *wire.AttestationResult {
		return &wire.AttestationResult{IssuedAt: now.Add(-3 * time.Minute), Findings: findings}
	}
	retired := reason.New(reason.AgentDeviceUnknown, "code_given", reason.DeviceRetired)
	for _, c := range []struct {
		name   string
		status local.Status
		want   []string
		not    string
	}{
		{"healthy", local.Status{Health: local.HealthGood, DeviceName: "LT-2231", Trust: &trust, Result: result(finding(wire.FindingUnsupported, reason.EventLogUnknown))},
			[]string{"Device LT-2231 · trust 62/100 · all checks pass · measured 3 min ago\n"}, reason.EventLogUnknown},
		{"one fault", local.Status{Health: local.HealthFailing, DeviceName: "LT-2231", Result: result(finding(wire.FindingFailing, reason.DiskNotEncrypted))},
			[]string{"Device LT-2231 · 1 check failing: ", " (" + reason.DiskNotEncrypted + ") · measured 3 min ago · fix: ", "    → "}, "trust"},
		{"two faults", local.Status{Health: local.HealthFailing, Result: result(finding(wire.FindingFailing, reason.DiskNotEncrypted), finding(wire.FindingFailing, reason.FirewallOff))},
			[]string{"This device · 2 checks failing: ", reason.DiskNotEncrypted, reason.FirewallOff}, "fix:"},
		{"retired", local.Status{Health: local.HealthFailing, Reason: &retired}, []string{"refused: ", reason.AgentDeviceUnknown, reason.DeviceRetired}, "cannot tell"},
		{"refused Evidence", local.Status{Health: local.HealthFailing, Result: result()}, []string{"the last measurement was refused"}, "pass"},
		{"nothing known", local.Status{}, []string{"This device · cannot tell"}, "pass"},
		{"a problem beside it", local.Status{Health: local.HealthGood, Problems: []wire.Reason{reason.New(reason.LocalPortTaken, "port", "47615")}}, []string{reason.LocalPortTaken, "47615"}, "{port}"},
		{"claims", local.Status{Health: local.HealthGood, Claims: []wire.Claim{{ID: wire.ClaimFirewall, State: wire.ClaimPass}, {ID: wire.ClaimSecureBoot, State: "odd"}}},
			[]string{"✔ passes: firewall", "? cannot be measured: Secure Boot"}, "odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := render(reason.English, c.status, now)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in:\n%s", want, got)
				}
			}
			if strings.Contains(got, c.not) && c.not != "" {
				t.Errorf("%q is in:\n%s", c.not, got)
			}
			if zh := render(reason.Chinese, c.status, now); strings.Contains(zh, "%!") || zh == got {
				t.Errorf("Chinese:\n%s", zh)
			}
		})
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "less than a minute ago", 59 * time.Second: "less than a minute ago", 61 * time.Second: "1 min ago",
		3 * time.Hour: "3 h ago", 49 * time.Hour: "2 days ago",
	} {
		if got := english().ago(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

// TestWithheldReasonsShowTheirCodeAlone: the rest would help an attacker.
func TestWithheldReasonsShowTheirCodeAlone(t *testing.T) {
	for _, code := range reason.Codes() {
		text := reason.Of(reason.English, reason.New(code))
		if !text.Withheld {
			continue
		}
		var b strings.Builder
		explain(&b, reason.English, "✖", reason.New(code))
		if strings.Contains(b.String(), text.What) || !strings.Contains(b.String(), code) {
			t.Error(b.String())
		}
	}
}

func TestUsageNeedsNoConfiguration(t *testing.T) {
	var out, complaints bytes.Buffer
	if code := execute(t.Context(), []string{"run", "--config", "/nonexistent", "too", "many"}, nil, &out, &complaints); code != 64 {
		t.Errorf("%d %s", code, complaints.String())
	}
	if code := execute(t.Context(), []string{"--help"}, nil, &out, &complaints); code != 0 || !strings.Contains(out.String(), "doctor") {
		t.Errorf("%d %s", code, out.String())
	}
}
