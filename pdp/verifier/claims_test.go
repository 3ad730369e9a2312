package verifier_test

import (
	"encoding/json"
	"fmt"
	"slices"
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
		"disk plain":          {set(wire.ClaimDiskEncryption, wire.ClaimFail), wire.ClaimDiskEncryption, wire.ClaimFail, "failing/" + reason.DiskNotEncrypted},
		"disk unmeasured":     {set(wire.ClaimDiskEncryption, wire.ClaimError), wire.ClaimDiskEncryption, wire.ClaimError, "failing/" + reason.DiskUnmeasured},
		"disk missing":        {func(all claims) { delete(all, wire.ClaimDiskEncryption) }, wire.ClaimDiskEncryption, "", "missing/" + reason.DiskMissing},
		"firewall off":        {set(wire.ClaimFirewall, wire.ClaimFail), wire.ClaimFirewall, wire.ClaimFail, "failing/" + reason.FirewallOff},
		"firewall unknown":    {set(wire.ClaimFirewall, wire.ClaimError), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"firewall missing":    {func(all claims) { delete(all, wire.ClaimFirewall) }, wire.ClaimFirewall, "", "missing/" + reason.FirewallMissing},
		"secure boot off":     {set(wire.ClaimSecureBoot, wire.ClaimFail), wire.ClaimSecureBoot, wire.ClaimFail, "failing/" + reason.SecureBootOff},
		"legacy boot":         {set(wire.ClaimSecureBoot, wire.ClaimNotApplicable), wire.ClaimSecureBoot, wire.ClaimNotApplicable, "failing/" + reason.SecureBootUnmeasured},
		"manual":              {set(wire.ClaimSecureBoot, wire.ClaimManual), wire.ClaimSecureBoot, wire.ClaimManual, "failing/" + reason.SecureBootUnmeasured},
		"secure boot missed":  {func(all claims) { delete(all, wire.ClaimSecureBoot) }, wire.ClaimSecureBoot, "", "missing/" + reason.SecureBootMissing},
		"own exception":       {set(wire.ClaimFirewall, wire.ClaimException), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"invented state":      {set(wire.ClaimFirewall, "passed"), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"no state":            {set(wire.ClaimFirewall, ""), wire.ClaimFirewall, wire.ClaimError, "failing/" + reason.FirewallUnmeasured},
		"old release":         {release("debian", "9"), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"no version":          {release("debian", ""), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"longer version":      {release("debian", "130"), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"minor release":       {release("rhel", "9.4"), wire.ClaimOSRelease, wire.ClaimPass, ""},
		"unknown system":      {release("", "13"), wire.ClaimOSRelease, wire.ClaimError, "failing/" + reason.OSUnmeasured},
		"release failing":     {set(wire.ClaimOSRelease, wire.ClaimFail), wire.ClaimOSRelease, wire.ClaimFail, "failing/" + reason.OSUnsupported},
		"release unread":      {set(wire.ClaimOSRelease, wire.ClaimError), wire.ClaimOSRelease, wire.ClaimError, "failing/" + reason.OSUnmeasured},
		"release missing":     {func(all claims) { delete(all, wire.ClaimOSRelease) }, wire.ClaimOSRelease, "", "missing/" + reason.OSMissing},
		"updates wait":        {set(wire.ClaimOSUpdates, wire.ClaimFail), wire.ClaimOSUpdates, wire.ClaimFail, "failing/" + reason.UpdatesPending},
		"updates unread":      {set(wire.ClaimOSUpdates, wire.ClaimError), wire.ClaimOSUpdates, wire.ClaimError, "failing/" + reason.UpdatesUnmeasured},
		"updates missing":     {func(all claims) { delete(all, wire.ClaimOSUpdates) }, wire.ClaimOSUpdates, "", "missing/" + reason.UpdatesMissing},
		"no screen lock":      {set(wire.ClaimScreenLock, wire.ClaimFail), wire.ClaimScreenLock, wire.ClaimFail, "failing/" + reason.ScreenLockOff},
		"screen lock unread":  {set(wire.ClaimScreenLock, wire.ClaimError), wire.ClaimScreenLock, wire.ClaimError, "failing/" + reason.ScreenLockUnmeasured},
		"screen lock missing": {func(all claims) { delete(all, wire.ClaimScreenLock) }, wire.ClaimScreenLock, "", "missing/" + reason.ScreenLockMissing},
		"no antivirus":        {set(wire.ClaimAntivirus, wire.ClaimFail), wire.ClaimAntivirus, wire.ClaimFail, "failing/" + reason.AntivirusNotFresh},
		"antivirus unread":    {set(wire.ClaimAntivirus, wire.ClaimError), wire.ClaimAntivirus, wire.ClaimError, "failing/" + reason.AntivirusUnmeasured},
		"antivirus missing":   {func(all claims) { delete(all, wire.ClaimAntivirus) }, wire.ClaimAntivirus, "", "missing/" + reason.AntivirusMissing},
		"no antivirus needed": {set(wire.ClaimAntivirus, wire.ClaimNotApplicable), wire.ClaimAntivirus, wire.ClaimNotApplicable, "failing/" + reason.AntivirusUnmeasured},
		"no automatic update": {set(wire.ClaimAutoUpdates, wire.ClaimFail), wire.ClaimAutoUpdates, wire.ClaimFail, "failing/" + reason.AutoUpdatesOff},
		"automatic unread":    {set(wire.ClaimAutoUpdates, wire.ClaimError), wire.ClaimAutoUpdates, wire.ClaimError, "failing/" + reason.AutoUpdatesUnmeasured},
		"automatic missing":   {func(all claims) { delete(all, wire.ClaimAutoUpdates) }, wire.ClaimAutoUpdates, "", "missing/" + reason.AutoUpdatesMissing},
		"administrators":      {set(wire.ClaimAdministrators, wire.ClaimFail), wire.ClaimAdministrators, wire.ClaimFail, "failing/" + reason.AdministratorsTooMany},
		"admins unread":       {set(wire.ClaimAdministrators, wire.ClaimError), wire.ClaimAdministrators, wire.ClaimError, "failing/" + reason.AdministratorsUnmeasured},
		"admins missing":      {func(all claims) { delete(all, wire.ClaimAdministrators) }, wire.ClaimAdministrators, "", "missing/" + reason.AdministratorsMissing},
		"clock free":          {set(wire.ClaimTimeSync, wire.ClaimFail), wire.ClaimTimeSync, wire.ClaimFail, "failing/" + reason.ClockNotSynchronised},
		"clock unread":        {set(wire.ClaimTimeSync, wire.ClaimError), wire.ClaimTimeSync, wire.ClaimError, "failing/" + reason.TimeSyncUnmeasured},
		"clock missing":       {func(all claims) { delete(all, wire.ClaimTimeSync) }, wire.ClaimTimeSync, "", "missing/" + reason.TimeSyncMissing},
		"no lockdown":         {set(wire.ClaimKernelLockdown, wire.ClaimFail), wire.ClaimKernelLockdown, wire.ClaimFail, "failing/" + reason.LockdownOff},
		"lockdown unread":     {set(wire.ClaimKernelLockdown, wire.ClaimError), wire.ClaimKernelLockdown, wire.ClaimError, "failing/" + reason.LockdownUnmeasured},
		"lockdown missing":    {func(all claims) { delete(all, wire.ClaimKernelLockdown) }, wire.ClaimKernelLockdown, "", "missing/" + reason.LockdownMissing},
		"USB storage":         {set(wire.ClaimUSBStorage, wire.ClaimFail), wire.ClaimUSBStorage, wire.ClaimFail, "failing/" + reason.USBStorageOpen},
		"USB unread":          {set(wire.ClaimUSBStorage, wire.ClaimError), wire.ClaimUSBStorage, wire.ClaimError, "failing/" + reason.USBStorageUnmeasured},
		"USB missing":         {func(all claims) { delete(all, wire.ClaimUSBStorage) }, wire.ClaimUSBStorage, "", "missing/" + reason.USBStorageMissing},
		"no desktop":          {set(wire.ClaimScreenLock, wire.ClaimNotApplicable), wire.ClaimScreenLock, wire.ClaimNotApplicable, ""},
		"no USB":              {set(wire.ClaimUSBStorage, wire.ClaimNotApplicable), wire.ClaimUSBStorage, wire.ClaimNotApplicable, ""},
		"the PDP's own claim": {func(all claims) { all[wire.ClaimBaseline] = &wire.Claim{ID: wire.ClaimBaseline, State: wire.ClaimPass} }, wire.ClaimBaseline, "",
			"unsupported/" + reason.ClaimUnknown},
		"newer agent's": {func(all claims) { all["new"] = &wire.Claim{ID: "new", State: wire.ClaimPass} }, "new", "",
			"unsupported/" + reason.ClaimUnknown},
	} {
		r := verifier.Appraise(d.input(t, goodClaims(t, c.change)))
		got := strings.TrimSpace(strings.TrimSuffix(codes(r), noBoot))
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

// TestWhatIsNotDemandedIsANote: it is judged and told like the others, and what
// is demanded keeps its own weight beside it.
func TestWhatIsNotDemandedIsANote(t *testing.T) {
	d := enrolled(t, machine(t, first))
	fails := func(id wire.ClaimID) func(map[wire.ClaimID]*wire.Claim) {
		return func(all map[wire.ClaimID]*wire.Claim) {
			all[id].State, all[id].Problem = wire.ClaimFail, "three of them"
		}
	}
	appraise := func(raw []byte) wire.Appraised {
		in := d.input(t, raw)
		in.Policy.Required = []wire.ClaimID{wire.ClaimOSRelease, wire.ClaimFirewall}
		return verifier.Appraise(in)
	}
	r := appraise(goodClaims(t, fails(wire.ClaimAntivirus)))
	f := r.Findings[0]
	if f.Claim != wire.ClaimAntivirus || !f.Note || f.Fails() || f.Reason.Code != reason.AntivirusNotFresh || f.Seen != "three of them" {
		t.Errorf("%+v", f)
	}
	if f.Reason.Args["system"] != string(reason.LinuxDebian) {
		t.Errorf("told for %q", f.Reason.Args["system"])
	}
	if !slices.ContainsFunc(r.Claims, func(c wire.Claim) bool { return c.ID == wire.ClaimAntivirus && c.State == wire.ClaimFail }) {
		t.Errorf("the claim is not passed on: %+v", r.Claims)
	}
	r = appraise(goodClaims(t, func(all map[wire.ClaimID]*wire.Claim) { delete(all, wire.ClaimAntivirus) }))
	if got := codes(r); strings.Contains(got, reason.AntivirusMissing) {
		t.Errorf("a claim that nobody demands is missed: %s", got)
	}
	if f := appraise(goodClaims(t, fails(wire.ClaimFirewall))).Findings[0]; f.Note || !f.Fails() {
		t.Errorf("a demanded claim is a note: %+v", f)
	}
}

func TestParseRequired(t *testing.T) {
	if got, err := verifier.ParseRequired([]string{"firewall", "usb-storage"}); err != nil || !slices.Equal(got, []wire.ClaimID{wire.ClaimFirewall, wire.ClaimUSBStorage}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, names := range [][]string{nil, {}, {"fire-wall"}, {""}, {"nothing"}, {"firewall", "firewall"}} {
		if got, err := verifier.ParseRequired(names); err == nil {
			t.Errorf("%q: %v", names, got)
		}
	}
	for _, id := range append(verifier.DefaultRequired(), wire.ClaimBaseline, wire.ClaimVulnerabilities) {
		if _, err := verifier.ParseRequired([]string{string(id)}); err != nil {
			t.Error(err)
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
