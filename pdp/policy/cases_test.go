package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/wire"
)

func shippedCases(t testing.TB) []Case {
	t.Helper()
	var all []Case
	for name, text := range BaselineCases() {
		cases, err := ParseCases(name, text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cases...)
	}
	return all
}

func TestTheBaselineAnswersItsCases(t *testing.T) {
	e, cases := baseline(t), shippedCases(t)
	for _, c := range cases {
		if _, problem := e.Check(c); problem != "" {
			t.Errorf("%s, %s: %s", c.File, c.Name, problem)
		}
	}
	if silent := e.Unspoken(cases); len(silent) > 0 {
		t.Errorf("no case is about %q", silent)
	}
}

// Each policy of the baseline is needed by a case.
func TestACaseNoticesEachPolicyTakenOut(t *testing.T) {
	cases := shippedCases(t)
	for id := range baseline(t).rules.byID {
		files := Baseline()
		for name, text := range files {
			files[name] = without(text, string(id))
		}
		e, err := Load(files)
		if err != nil {
			t.Fatal(err)
		}
		noticed := false
		for _, c := range cases {
			_, problem := e.Check(c)
			noticed = noticed || problem != ""
		}
		if !noticed {
			t.Errorf("no case notices that %s is gone", id)
		}
	}
}

func one(text string) ([]Case, error) {
	return ParseCases("agency.yaml", []byte("cases:\n  - name: x\n    action: read\n    effect: allow\n"+text))
}

func TestACaseSaysWhatDiffers(t *testing.T) {
	e := baseline(t)
	for text, says := range map[string]string{
		"    set: {context.claims.firewall: fail}":                                    "effect is deny, want allow; reasons are [\"ZT-POL-037\"]",
		"    reasons: [ZT-POL-001]":                                                   "reasons are [], want [\"ZT-POL-001\"]",
		"    needs: [sign-in]":                                                        "what helps is [], want [\"sign-in\"]",
		"    set: {context.device.standing: silent}\n    reasons: []":                 "effect is read-only, want allow; reasons are [\"ZT-POL-030\"], want []",
		"    set: {context.network.proven: false, context.risk.person: high}":         "effect is step-up, want allow",
		"    set: {context.device.standing: silent, context.trust.score: 29}":         "effect is read-only",
		"    reasons: []\n    set: {}\n    groups: [a]\n    person: p\n    portal: q": "",
	} {
		cases, err := one(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, problem := e.Check(cases[0]); !strings.Contains(problem, says) || (says == "") != (problem == "") {
			t.Errorf("%q: %q, want %q", text, problem, says)
		}
	}
}

func TestWhatIsNoCaseIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                                       "1 to",
		"cases: []":                              "1 to",
		"cases:\n  - name: x\n    weather: rain": "weather",
		"cases:\n  - action: read\n    effect: allow":                                                                                   "needs a name",
		"cases:\n  - name: x\n    action: fly\n    effect: allow":                                                                       `action "fly"`,
		"cases:\n  - name: x\n    action: read\n    effect: perhaps":                                                                    `effect "perhaps"`,
		"cases:\n  - name: x\n    action: write\n    effect: read-only":                                                                 "only reading",
		"cases:\n  - {name: x, action: read, effect: allow}\n  - {name: x, action: read, effect: allow}":                                "twice",
		"cases:\n  - {name: x, action: read, effect: allow, at: noon}":                                                                  "2026-11-23",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.weather.rain: true}}":                                         "not in the schema",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.attestation.affirming: true}}":                                "concluded from others",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.time.weekday: 7}}":                                            "concluded from others",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.signIn.aal: three}}":                                          "reads as 0",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.signIn.aal: 1.5}}":                                            "neither",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.signIn.ageSeconds: -1}}":                                      "neither",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.signIn.hardwareKey: yes please}}":                             "reads as false",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.attestation.hardware: afirming}}":                             "reads as",
		"cases:\n  - {name: x, action: read, effect: allow, set: {context.attestation.present: false, context.device.standing: fresh}}": "no session",
		strings.Repeat(" ", MaxCaseBytes+1):                                                                                             "larger",
	} {
		_, err := ParseCases("agency.yaml", []byte(text))
		var bad *CaseError
		if !errors.As(err, &bad) || bad.File != "agency.yaml" || !strings.Contains(err.Error(), says) {
			t.Errorf("%.200q: %v, want %q", text, err, says)
		}
	}
}

func TestACaseThatWasNotParsedPassesNothing(t *testing.T) {
	if _, problem := baseline(t).Check(Case{Name: "x", Action: wire.ActionRead, Effect: "deny"}); problem == "" {
		t.Error("it passes")
	}
}

// Every attribute that can be set reads as it was set.
func TestEveryAttributeOfTheSchemaCanBeSetOrIsConcluded(t *testing.T) {
	concluded := map[string]bool{
		"context.device.active": true, "context.attestation.affirming": true, "context.attestation.contraindicated": true,
		"context.host.affirming": true, "context.host.contraindicated": true, "context.time.minuteOfDay": true, "context.time.weekday": true,
	}
	f := healthy(at)
	r := newRequest(&f, at)
	names := []string{}
	for name := range r.person.Attributes.Keys() {
		names = append(names, "principal."+string(name))
	}
	for name := range r.portal.Attributes.Keys() {
		names = append(names, "resource."+string(name))
	}
	for section := range r.context.Keys() {
		inner, _ := r.context.Get(section)
		for name := range inner.(types.Record).Keys() {
			names = append(names, "context."+string(section)+"."+string(name))
		}
	}
	for _, name := range names {
		if (setterOf(name) == nil) != concluded[name] {
			t.Errorf("%s: set %v, concluded %v", name, setterOf(name) != nil, concluded[name])
		}
	}
}

func FuzzParseCases(f *testing.F) {
	for _, text := range BaselineCases() {
		f.Add(text)
	}
	e := baseline(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		cases, err := ParseCases("a.yaml", text)
		if err != nil {
			return
		}
		for _, c := range cases {
			if got, problem := e.Check(c); problem == "" && effectOf(got) != c.Effect {
				t.Errorf("%+v: %+v", c, got)
			}
		}
	})
}
