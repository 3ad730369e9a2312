package verifier_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

func TestClaims(t *testing.T) {
	d := enrolled(t, machine(t, first))
	type claims = map[wire.ClaimID]*wire.Claim
	set := func(id wire.ClaimID, state wire.ClaimState) func(claims) {
		return func(all claims) { all[id].State = state }
	}
	release := func(id, version string) func(claims) {
		return func(all claims) {
			all[wire.ClaimOSRelease].Value = map[string]string{"id": id, "version_id": version}
		}
	}
	for name, c := range map[string]struct {
		change func(claims)
		claim  wire.ClaimID
		state  wire.ClaimState // as passed on
		want   string
	}{
		"disk plain":         {set(wire.ClaimDiskEncryption, wire.ClaimFail), wire.ClaimDiskEncryption, wire.ClaimFail, "failing/" + reason.DiskNotEncrypted},
		"disk unmeasured":    {set(wire.ClaimDiskEncryption, wire.ClaimError), wire.ClaimDiskEncryption, wire.ClaimError, "failing/" + reason.DiskUnmeasured},
		"disk missing":       {func(all claims) { delete(all, wire.ClaimDiskEncryption) }, wire.ClaimDiskEncryption, "", "missing/" + reason.DiskMissing},
		"firewall off":       {set(wire.ClaimFirewall, wire.ClaimFail), wire.ClaimFirewall, wire.ClaimFail, "failing/" + reason.FirewallOff},
		"firewall unknown":   {set(wire.ClaimFirewall, wire.ClaimError), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"firewall missing":   {func(all claims) { delete(all, wire.ClaimFirewall) }, wire.ClaimFirewall, "", "missing/" + reason.FirewallMissing},
		"secure boot off":    {set(wire.ClaimSecureBoot, wire.ClaimFail), wire.ClaimSecureBoot, wire.ClaimFail, "failing/" + reason.SecureBootOff},
		"legacy boot":        {set(wire.ClaimSecureBoot, wire.ClaimNotApplicable), wire.ClaimSecureBoot, wire.ClaimNotApplicable, "failing/" + reason.SecureBootUnmeasured},
		"manual":             {set(wire.ClaimSecureBoot, wire.ClaimManual), wire.ClaimSecureBoot, wire.ClaimManual, "failing/" + reason.SecureBootUnmeasured},
		"secure boot missed": {func(all claims) { delete(all, wire.ClaimSecureBoot) }, wire.ClaimSecureBoot, "", "missing/" + reason.SecureBootMissing},
		"own exception":      {set(wire.ClaimFirewall, wire.ClaimException), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"invented state":     {set(wire.ClaimFirewall, "passed"), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"no state":           {set(wire.ClaimFirewall, ""), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"old release":        {release("debian", "9"), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"no version":         {release("debian", ""), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"longer version":     {release("debian", "130"), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"minor release":      {release("rhel", "9.4"), wire.ClaimOSRelease, wire.ClaimPass, ""},
		"unknown system":     {release("", "13"), wire.ClaimOSRelease, wire.ClaimError, "failing/" + reason.OSUnmeasured},
		"release failing":    {set(wire.ClaimOSRelease, wire.ClaimFail), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"release unread":     {set(wire.ClaimOSRelease, wire.ClaimError), wire.ClaimOSRelease, wire.ClaimError, "failing/" + reason.OSUnmeasured},
		"release missing":    {func(all claims) { delete(all, wire.ClaimOSRelease) }, wire.ClaimOSRelease, "", "missing/" + reason.OSMissing},
		"newer agent's": {func(all claims) { all["new"] = &wire.Claim{ID: "new", State: wire.ClaimPass} }, "new", "",
			"unsupported/" + reason.ClaimUnknown},
	} {
		r := verifier.Appraise(d.input(t, goodClaims(t, c.change)))
		got := strings.TrimSpace(strings.TrimSuffix(codes(r), "unsupported/"+reason.BootNotAppraised+" "))
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if r.Vector.InstanceIdentity != wire.Affirming || r.Vector.Configuration != wire.Warning {
			t.Errorf("%s: %+v", name, r.Vector)
		}
		state := wire.ClaimState("")
		for _, claim := range r.Claims {
			if claim.ID == c.claim {
				state = claim.State
			}
		}
		if state != c.state {
			t.Errorf("%s: passed on as %q, want %q", name, state, c.state)
		}
		for _, f := range r.Findings {
			if text := reason.Of(reason.Chinese, f.Reason); strings.Contains(text.What+text.Do, "{") {
				t.Errorf("%s: an argument is missing: %s", name, text.What)
			}
		}
	}
}

func TestUnreadableClaims(t *testing.T) {
	d := enrolled(t, machine(t, first))
	good := string(goodClaims(t))
	many, err := json.Marshal(wire.Claims{Claims: make([]wire.Claim, 300)})
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"empty":          "",
		"not JSON":       "x",
		"unknown field":  strings.Replace(good, `"claims"`, `"more":1,"claims"`, 1),
		"trailing data":  good + "{}",
		"duplicate key":  strings.Replace(good, `"state":"pass"`, `"state":"fail","state":"pass"`, 1),
		"other case":     strings.Replace(good, `"claims"`, `"Claims"`, 1),
		"too many":       string(many),
		"invalid UTF-8":  strings.Replace(good, "test", "te\xffst", 1),
		"a list instead": "[]",
	} {
		r := verifier.Appraise(d.input(t, []byte(raw)))
		if r.Vector.Configuration != wire.TrustNone || len(r.Claims) != 0 || !strings.HasPrefix(codes(r), "unsupported/"+reason.ClaimsUnreadable) {
			t.Errorf("%s: %+v %s", name, r.Vector, codes(r))
		}
	}
	twice := strings.Replace(good, `{"claims":[`, `{"claims":[{"id":"firewall","state":"fail","measured_at":"2026-11-22T12:00:00Z","source":"x"},`, 1)
	refused(t, "the same claim twice", verifier.Appraise(d.input(t, []byte(twice))), reason.ClaimTwice)
}

// What a device says of itself reaches people as one short plain line.
func TestDevicesWordsAreTamed(t *testing.T) {
	d := enrolled(t, machine(t, first))
	raw := goodClaims(t, func(all map[wire.ClaimID]*wire.Claim) {
		all[wire.ClaimFirewall].State = wire.ClaimError
		all[wire.ClaimDiskEncryption].Source = "\x07"
		all[wire.ClaimDiskEncryption].Value = map[string]string{"\x1b": "\u202e"}
		for i := range 100 {
			all[wire.ClaimDiskEncryption].Value[fmt.Sprint("/", i)] = "x"
		}
		all[wire.ClaimFirewall].Problem = "a\x1b[31m\nb" + strings.Repeat("長", 500)
	})
	r := verifier.Appraise(d.input(t, raw))
	problem := r.Findings[0].Reason.Args["problem"]
	if strings.ContainsAny(problem, "\x1b\n") || len([]rune(problem)) > 201 || !strings.HasPrefix(problem, "a [31m b") {
		t.Errorf("%q", problem)
	}
	for _, c := range r.Claims {
		words := fmt.Sprint(c.Value, c.Source, c.Problem)
		if strings.ContainsAny(words, "\x1b\x07\u202e\n") || len(c.Value) > 64 {
			t.Errorf("%s: %q", c.ID, words)
		}
	}
}
