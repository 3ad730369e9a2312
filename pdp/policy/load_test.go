package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestRefusedPolicies(t *testing.T) {
	forbid := func(body string) string {
		return "// first line\n@id(\"x\")\n@reason(\"ZT-POL-010\")\nforbid (principal, action, resource) " + body + ";\n"
	}
	tests := map[string]struct {
		text string
		line int
		says string
	}{
		"syntax":                  {"// a\n// b\npermit (principal, action);", 3, "syntax"},
		"unterminated string":     {"// a\n@id(\"x", 2, "not terminated"},
		"unknown attribute":       {forbid("when { context.signIn.aaal >= 3 }"), 2, "aaal"},
		"unknown context":         {forbid("when { context.weather == \"rain\" }"), 2, "weather"},
		"unknown person fact":     {forbid("when { principal.rank > 3 }"), 2, "rank"},
		"unknown entity type":     {forbid("when { principal in Team::\"x\" }"), 2, "Team"},
		"unknown action":          {"@id(\"x\")\npermit (principal, action == Action::\"fly\", resource);", 1, "fly"},
		"type error":              {forbid("when { context.signIn.aal == \"3\" }"), 2, ""},
		"not a condition":         {forbid("when { context.signIn.aal }"), 2, ""},
		"wrong principal":         {"@id(\"x\")\npermit (principal is Portal, action, resource);", 1, ""},
		"no id":                   {"permit (principal, action, resource);", 1, "@id"},
		"id of odd letters":       {"@id(\"Über\")\npermit (principal, action, resource);", 1, "@id"},
		"forbid without a reason": {"@id(\"x\")\nforbid (principal, action, resource);", 1, "told why"},
		"reason without a text":   {"@id(\"x\")\n@reason(\"ZT-POL-999\")\nforbid (principal, action, resource);", 1, "without a text"},
		"reason on a permit":      {"@id(\"x\")\n@reason(\"ZT-POL-010\")\npermit (principal, action, resource);", 1, "belong to a forbid"},
		"unknown annotation":      {"@id(\"x\")\n@raeson(\"ZT-POL-010\")\nforbid (principal, action, resource);", 1, "raeson"},
		"unknown remedy":          {"@id(\"x\")\n@reason(\"ZT-POL-010\")\n@remedy(\"pray\")\nforbid (principal, action, resource);", 1, "pray"},
		"unknown claim":           {"@id(\"x\")\n@reason(\"ZT-POL-010\")\n@claim(\"horoscope\")\nforbid (principal, action, resource);", 1, "horoscope"},
		"unknown findings":        {"@id(\"x\")\n@reason(\"ZT-POL-010\")\n@findings(\"all\")\nforbid (principal, action, resource);", 1, "findings"},
		"word of no meaning":      {forbid("when { context.risk.device == \"High\" }"), 2, `risk.device is never "High": it is one of ["none" "low" "medium" "high"]`},
		"word on the other side":  {forbid("when { \"passed\" != context.claims.firewall }"), 2, `claims.firewall is never "passed"`},
		"word in a set":           {forbid("unless { [\"affirming\", \"fine\"].contains(context.host.hardware) }"), 2, `host.hardware is never "fine"`},
		"id twice":                {"@id(\"x\")\npermit (principal, action, resource);\n@id(\"x\")\npermit (principal, action, resource);", 3, "already"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(map[string][]byte{"agency.cedar": []byte(tt.text)})
			var load *LoadError
			if !errors.As(err, &load) {
				t.Fatalf("got %v", err)
			}
			if load.File != "agency.cedar" || load.Line != tt.line || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("line %d, want %d: %v", load.Line, tt.line, err)
			}
		})
	}
}

func TestEveryFaultIsToldWithItsPlace(t *testing.T) {
	one := "@id(\"%s\") @reason(\"ZT-POL-010\") forbid (principal, action, resource) when { context.signIn.aaal >= 3 };\n"
	_, err := Load(map[string][]byte{
		"a.cedar": []byte(fmt.Sprintf(one, "first") + fmt.Sprintf(one, "second")),
		"b.cedar": []byte("permit"),
		"c.txt":   nil,
		"d.cedar": []byte(strings.Repeat(fmt.Sprintf(one, "same"), 100)),
	})
	for _, says := range []string{"a.cedar:1: policy first: ", "a.cedar:2: policy second: ", "b.cedar:1: syntax", "c.txt: ", "d.cedar:20: "} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not in %v", says, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "d.cedar:21") {
		t.Error("more is told than anybody reads")
	}
}

func TestPoliciesThatNeverApplyAreToldOf(t *testing.T) {
	e, err := Load(map[string][]byte{"a.cedar": []byte(`@id("in") permit (principal, action, resource) when { principal.active };
@id("false") permit (principal, action, resource) when { false };
@id("unless") @reason("ZT-POL-010") forbid (principal, action, resource) unless { true };
@id("both") permit (principal, action == Action::"read", resource) when { action == Action::"write" && principal.active };
@id("one") permit (principal, action, resource) when { action == Action::"write" && principal.active };`)})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, warning := range e.Warnings() {
		told = append(told, warning.Error())
	}
	never := func(line int, id string) string {
		return fmt.Sprintf("access policy a.cedar:%d: policy %s: this policy can never apply: its conditions contradict themselves", line, id)
	}
	if want := []string{never(2, "false"), never(3, "unless"), never(4, "both")}; !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
	if all := baseline(t).Warnings(); len(all) > 0 {
		t.Errorf("the baseline: %v", all)
	}
}

// What the schema's comments promise is what the engine makes of facts.
func TestWordsAreThoseOfTheSchema(t *testing.T) {
	f := healthy(at)
	for section, inner := range newRequest(&f, at).context.All() {
		for name, v := range inner.(types.Record).All() {
			can := wordsOf(string(section) + "." + string(name))
			for _, word := range can {
				if !strings.Contains(string(schemaText), `"`+word+`"`) {
					t.Errorf("%s.%s: the schema knows no %q", section, name, word)
				}
			}
			if text, is := v.(types.String); is && can != nil && !slices.Contains(can, string(text)) {
				t.Errorf("%s.%s says %q, which is none of %q", section, name, text, can)
			}
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	permit := []byte("@id(\"x\")\npermit (principal, action, resource);")
	many := map[string][]byte{}
	for i := range MaxFiles + 1 {
		many[strings.Repeat("a", i+1)+".cedar"] = nil
	}
	for name, files := range map[string]map[string][]byte{
		"no files":       {},
		"wrong name":     {"policy.txt": permit},
		"own schema":     {"schema.cedarschema": permit},
		"too large":      {"a.cedar": make([]byte, MaxFileBytes+1)},
		"too many":       many,
		"id across":      {"a.cedar": permit, "b.cedar": permit},
		"not UTF-8":      {"a.cedar": []byte("@id(\"x\xff\")\npermit (principal, action, resource);")},
		"bytes of chaos": {"a.cedar": []byte("\x00\x01\x02")},
	} {
		if _, err := Load(files); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
}

// A policy that errors is skipped by Cedar, a forbid too: the engine must deny.
// Overflow is an error that no validation can foresee.
func TestAnyEvaluationErrorDenies(t *testing.T) {
	for name, text := range map[string]string{
		"forbid": "@id(\"x\")\n@reason(\"ZT-POL-010\")\nforbid (principal, action, resource) when { context.trust.score * 9223372036854775807 > 0 };",
		"permit": "@id(\"x\")\npermit (principal, action, resource) when { context.trust.score * 9223372036854775807 > 0 };",
	} {
		files := Baseline()
		files["agency.cedar"] = []byte(text)
		e, err := Load(files)
		if err != nil {
			t.Fatal(err)
		}
		d := e.Decide(good(wire.PortalNormal), wire.ActionRead, at)
		if d.Effect != wire.Deny || !slices.Equal(codes(d.Reasons), []string{reason.PolicyFailed}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// An error that only a fresh sign-in would bring is no step-up.
func TestStepUpNeedsACleanEvaluation(t *testing.T) {
	files := Baseline()
	files["agency.cedar"] = []byte("@id(\"x\")\n@reason(\"ZT-POL-010\")\nforbid (principal, action, resource) when { context.signIn.ageSeconds == 0 && context.trust.score * 9223372036854775807 > 0 };")
	e, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	f := good(wire.PortalNormal)
	f.Network.Proven = false
	if d := e.Decide(f, wire.ActionRead, at); d.Effect != wire.Deny {
		t.Errorf("%+v", d)
	}
}

func TestAnAgencyMayLetOthersInButNotPastTheGuards(t *testing.T) {
	files := Baseline()
	files["agency.cedar"] = []byte(`@id("guests") permit (principal in Group::"mof/audit", action == Action::"read", resource == Portal::"por-1");`)
	e, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	f := good(wire.PortalNormal)
	f.Person.Agency, f.Device.Agency, f.Person.Groups = "mof", "mof", []string{"audit"}
	if d := e.Decide(f, wire.ActionRead, at); d.Effect != wire.Allow || !slices.Equal(d.Policies, []string{"guests"}) {
		t.Errorf("guest: %+v", d)
	}
	if d := e.Decide(f, wire.ActionWrite, at); d.Effect != wire.Deny {
		t.Errorf("guest writes: %+v", d)
	}
	other := f
	other.Portal.ID = "por-2"
	if d := e.Decide(other, wire.ActionRead, at); d.Effect != wire.Deny {
		t.Errorf("guest elsewhere: %+v", d)
	}
	f.Standing.Standing = wire.StandingStale
	if d := e.Decide(f, wire.ActionRead, at); d.Effect != wire.Deny {
		t.Errorf("guest past the guards: %+v", d)
	}
}

func TestVersionCoversEveryByteAndName(t *testing.T) {
	seen := map[string]string{}
	load := func(name string, change func(map[string][]byte)) {
		files := Baseline()
		change(files)
		e, err := Load(files)
		if err != nil {
			t.Fatal(name, err)
		}
		if other, twice := seen[e.Version()]; twice {
			t.Errorf("%s and %s share version %s", name, other, e.Version())
		}
		seen[e.Version()] = name
	}
	load("baseline", func(map[string][]byte) {})
	load("a comment", func(f map[string][]byte) { f["10-access.cedar"] = append(f["10-access.cedar"], "//\n"...) })
	load("a file renamed", func(f map[string][]byte) { f["11-access.cedar"] = f["10-access.cedar"]; delete(f, "10-access.cedar") })
	load("a byte moved", func(f map[string][]byte) { f["99.cedar"] = []byte("//\n") })
	a, b := baseline(t), baseline(t)
	if a.Version() != b.Version() {
		t.Error("the same files give two versions")
	}
}

func TestEveryBaselinePolicyDecidesSomething(t *testing.T) {
	if n := baseline(t).Policies(); n < 30 {
		t.Errorf("only %d policies: is a file missing?", n)
	}
}

func FuzzLoad(f *testing.F) {
	for _, text := range Baseline() {
		f.Add(text)
	}
	f.Add([]byte("permit (principal, action, resource);"))
	f.Add([]byte("@id(\"x\") forbid (principal, action, resource) when { principal == resource };"))
	check, err := newChecker()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := check.load(map[string][]byte{"a.cedar": text})
		if err != nil {
			return
		}
		// Whatever loads decides without a panic, and zero facts stay out
		// unless the text itself permits everybody.
		_ = e.Decide(wire.Facts{}, wire.ActionRead, at)
	})
}

func withPolicy(t *testing.T, text string) *Engine {
	t.Helper()
	files := Baseline()
	files["agency.cedar"] = []byte(text)
	e, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPoliciesSeeOnlyTwoClassesOfPortals(t *testing.T) {
	e := withPolicy(t, `@id("x") @reason("ZT-POL-010") forbid (principal, action, resource) when { resource.sensitivity == "sensitive" };`)
	for _, class := range []wire.Sensitivity{"", "secret", wire.PortalSensitive} {
		if d := e.Decide(good(class), wire.ActionRead, at); d.Effect != wire.Deny {
			t.Errorf("class %q: %+v", class, d)
		}
	}
	if d := e.Decide(good(wire.PortalNormal), wire.ActionRead, at); d.Effect != wire.Allow {
		t.Errorf("%+v", d)
	}
}

// A limit that an agency writes ends a decision in time, whichever way it is
// compared.
func TestAnAgencysOwnLimitEndsADecision(t *testing.T) {
	for _, condition := range []string{"context.signIn.ageSeconds <= 3660", "context.signIn.ageSeconds < 3660"} {
		e := withPolicy(t, `@id("x") @reason("ZT-POL-012") forbid (principal, action, resource) unless { `+condition+` };`)
		f := good(wire.PortalNormal)
		f.SignIn.At, f.Binding.At = at.Add(-time.Hour), at.Add(-3*time.Hour)
		for now := at; ; {
			f.Standing.ChangesAt, f.Standing.Result.ValidUntil, f.Trust.ValidUntil = now.Add(time.Hour), now.Add(time.Hour), now.Add(time.Hour)
			d := e.Decide(f, wire.ActionRead, now)
			if d.Effect != wire.Allow {
				break
			}
			if last := e.Decide(f, wire.ActionRead, d.ValidUntil.Add(-time.Nanosecond)); last.Effect != wire.Allow {
				t.Errorf("%s: allowed at %v until %v, and denied before", condition, now.Sub(at), d.ValidUntil.Sub(at))
			}
			if now = d.ValidUntil; now.Sub(at) > 10*time.Minute {
				t.Fatalf("%s: never denied", condition)
			}
		}
	}
}
