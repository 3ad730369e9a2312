package wire

import (
	"encoding/json"
	"testing"
)

// TestZeroValuesAreSafe is the package's promise (design: invariant 1).
func TestZeroValuesAreSafe(t *testing.T) {
	var d Decision
	if d.Effect != Deny || d.Effect.String() != "deny" {
		t.Errorf("a zero Decision: %v", d.Effect)
	}
	if (ClaimState("")).Valid() || ClaimState("") == ClaimPass {
		t.Error("a zero ClaimState is a state")
	}
	if v := (TrustVector{}); v.InstanceIdentity == Affirming || v.Hardware == Affirming || v.Executables == Affirming || v.Configuration == Affirming {
		t.Error("a zero TrustVector affirms")
	}
	if (DeviceStanding{}).Standing == StandingFresh {
		t.Error("a zero DeviceStanding is fresh")
	}
	if (Portal{}).Sensitivity == PortalNormal {
		t.Error("a zero Portal is not sensitive")
	}
	if (Device{}).Status == DeviceActive {
		t.Error("a zero Device is active")
	}
	if (SignIn{}).AAL != 0 || (KeyFacts{}).Hardware || (NetworkFacts{}).Proven {
		t.Error("zero facts prove something")
	}
}

func TestEffectText(t *testing.T) {
	for effect, text := range map[Effect]string{Deny: "deny", StepUp: "step-up", Allow: "allow", 3: "deny", 255: "deny"} {
		if got := effect.String(); got != text {
			t.Errorf("%d: %s", effect, got)
		}
		raw, err := json.Marshal(effect)
		if err != nil || string(raw) != `"`+text+`"` {
			t.Errorf("%d: %s, %v", effect, raw, err)
		}
	}
	for text, effect := range map[string]Effect{
		`"deny"`: Deny, `"step-up"`: StepUp, `"allow"`: Allow,
		`"Allow"`: Deny, `"allow "`: Deny, `""`: Deny, `"yes"`: Deny,
	} {
		got := Allow
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != effect {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	got := Deny
	if err := json.Unmarshal([]byte("2"), &got); err == nil || got != Deny {
		t.Errorf("a number: %v, %v", got, err)
	}
}

func FuzzEffect(f *testing.F) {
	for _, seed := range []string{"allow", "deny", "step-up", "ALLOW", "allow\x00", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := Allow
		if err := e.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if (e == Allow) != (text == "allow") || (e == StepUp) != (text == "step-up") {
			t.Fatalf("%q reads as %v", text, e)
		}
	})
}

func TestResultStates(t *testing.T) {
	for _, s := range []ClaimState{ClaimPass, ClaimFail, ClaimError, ClaimNotApplicable, ClaimManual, ClaimException} {
		if !s.Valid() {
			t.Errorf("%s is a state (requirements 27)", s)
		}
	}
	for _, s := range []ClaimState{"", "Pass", "pass ", "passed", "ok"} {
		if s.Valid() {
			t.Errorf("%q is a state", s)
		}
	}
}
