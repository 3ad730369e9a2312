package policy

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// at is a Monday, 17:00 in Taiwan.
var at = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// good is a session that the baseline lets into portal, whatever it does.
func good(sensitivity wire.Sensitivity) wire.Facts {
	claim := func(id wire.ClaimID) wire.Claim {
		return wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: at.Add(-time.Minute), Source: "test"}
	}
	return wire.Facts{
		Person: wire.Person{ID: "per-1", Agency: "moda", Name: "王小明", Account: "wang.xm", Groups: []string{"hr"}},
		Key:    wire.KeyFacts{Hardware: true},
		SignIn: wire.SignIn{PersonID: "per-1", KeyID: "key-1", At: at.Add(-12 * time.Minute), AAL: 3, UserVerified: true},
		Device: wire.Device{ID: "dev-1", Agency: "moda", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM},
		Binding: wire.DeviceBinding{
			DeviceID: "dev-1", At: at.Add(-time.Hour), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true,
		},
		Standing: wire.DeviceStanding{
			DeviceID: "dev-1", Standing: wire.StandingFresh, ChangesAt: at.Add(4 * time.Minute),
			Result: wire.AttestationResult{
				DeviceID: "dev-1", ValidUntil: at.Add(10 * time.Minute), IssuedAt: at.Add(-time.Minute),
				Vector: wire.TrustVector{
					InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming,
				},
				Claims: []wire.Claim{
					claim(wire.ClaimOSRelease), claim(wire.ClaimDiskEncryption), claim(wire.ClaimFirewall), claim(wire.ClaimSecureBoot),
				},
			},
		},
		Trust:   wire.TrustAssessment{Score: 90, Coverage: 1, ValidUntil: at.Add(90 * time.Second)},
		Portal:  wire.Portal{ID: "por-1", Agency: "moda", Sensitivity: sensitivity, Origin: "https://hr.moda.test"},
		Network: wire.NetworkFacts{Network: "192.0.2.0/24", Proven: true},
		At:      at,
	}
}

// onADay moves everything to a time of Taiwan in November 2026.
func onADay(f *wire.Facts, day, hour, minute int) {
	moved := time.Date(2026, 11, day, hour, minute, 0, 0, taiwan).Sub(f.At)
	for _, t := range []*time.Time{
		&f.At, &f.SignIn.At, &f.Binding.At, &f.Standing.ChangesAt, &f.Standing.Result.ValidUntil, &f.Standing.Result.IssuedAt, &f.Trust.ValidUntil,
	} {
		*t = t.Add(moved)
	}
}

// hosted makes the portal name its host, which is well.
func hosted(f *wire.Facts) {
	f.Portal.Hosts = []string{"dev-9"}
	f.Host = wire.HostFacts{Known: true, Standing: wire.StandingFresh, ChangesAt: at.Add(time.Minute), Vector: wire.TrustVector{
		InstanceIdentity: wire.Affirming, Hardware: wire.Warning, Configuration: wire.Warning,
	}}
}

func baseline(t testing.TB) *Engine {
	t.Helper()
	e, err := Load(Baseline())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func codes(reasons []wire.Reason) []string {
	var list []string
	for _, r := range reasons {
		list = append(list, r.Code)
	}
	slices.Sort(list)
	return list
}

func setClaim(f *wire.Facts, id wire.ClaimID, s wire.ClaimState) {
	for i := range f.Standing.Result.Claims {
		if f.Standing.Result.Claims[i].ID == id {
			f.Standing.Result.Claims[i].State = s
		}
	}
}

func dropClaim(f *wire.Facts, id wire.ClaimID) {
	f.Standing.Result.Claims = slices.DeleteFunc(f.Standing.Result.Claims, func(c wire.Claim) bool { return c.ID == id })
}

func TestGoodSessionsAreLetIn(t *testing.T) {
	e := baseline(t)
	for _, s := range []wire.Sensitivity{wire.PortalNormal, wire.PortalSensitive} {
		for _, a := range []wire.Action{wire.ActionRead, wire.ActionWrite} {
			d := e.Decide(good(s), a, at)
			if d.Effect != wire.Allow || d.Obligations.ReadOnly || len(d.Reasons) > 0 {
				t.Errorf("%s %s: %+v", s, a, d)
			}
			if !slices.Equal(d.Policies, []string{"baseline.same-agency"}) {
				t.Errorf("determining policies: %q", d.Policies)
			}
		}
	}
	f := good(wire.PortalNormal)
	f.Person.Admin, f.SignIn.At = true, at.Add(-time.Minute)
	if d := e.Decide(f, wire.ActionAdmin, at); d.Effect != wire.Allow {
		t.Errorf("administrator: %+v", d)
	}
}

// flip is one fact changed, with the one effect and the one code it must have.
type flip struct {
	name   string
	portal wire.Sensitivity
	action wire.Action
	flip   func(*wire.Facts)
	effect wire.Effect
	code   string
}

func flips() []flip {
	const normal, sensitive = wire.PortalNormal, wire.PortalSensitive
	const read, write, admin = wire.ActionRead, wire.ActionWrite, wire.ActionAdmin
	return []flip{
		{"person disabled", normal, read, func(f *wire.Facts) { f.Person.Disabled = true }, wire.Deny, reason.PersonNotActive},
		{"other agency", normal, read, func(f *wire.Facts) { f.Portal.Agency = "mof" }, wire.Deny, reason.NoPermit},
		{"AAL2 of no test key", normal, read, func(f *wire.Facts) { f.SignIn.AAL = 2 }, wire.Deny, reason.SignInTooWeak},
		{"AAL1 of a test key", normal, read, func(f *wire.Facts) { f.SignIn.AAL, f.SignIn.TestKey = 1, true }, wire.Deny, reason.SignInTooWeak},
		{"sign-in of somebody else", normal, read, func(f *wire.Facts) { f.SignIn.PersonID = "per-2" }, wire.Deny, reason.SignInTooWeak},
		{"sign-in without a key", normal, read, func(f *wire.Facts) { f.SignIn.KeyID = "" }, wire.Deny, reason.SignInTooWeak},
		{"sign-in of 12 h ago", normal, read, func(f *wire.Facts) { f.SignIn.At = at.Add(-12 * time.Hour) }, wire.StepUp, reason.SignInTooOld},
		{"sign-in of the future", normal, read, func(f *wire.Facts) { f.SignIn.At = at.Add(time.Minute) }, wire.StepUp, reason.SignInTooOld},
		{"sign-in of never", normal, read, func(f *wire.Facts) { f.SignIn.At = time.Time{} }, wire.StepUp, reason.SignInTooOld},
		{"key revoked", normal, read, func(f *wire.Facts) { f.Key.Revoked = true }, wire.Deny, reason.KeyRevoked},
		{"user not verified", normal, read, func(f *wire.Facts) { f.SignIn.UserVerified = false }, wire.Deny, reason.UserNotVerified},
		{"software key", normal, read, func(f *wire.Facts) { f.Key.Hardware = false }, wire.Deny, reason.KeyNotHardware},
		{"test key on a sensitive portal", sensitive, read, func(f *wire.Facts) { f.SignIn.TestKey = true }, wire.Deny, reason.TestKeyRefused},
		{"unknown class is sensitive", "secret", read, func(f *wire.Facts) { f.SignIn.TestKey = true }, wire.Deny, reason.TestKeyRefused},
		{"no class is sensitive", "", read, func(f *wire.Facts) { f.SignIn.TestKey = true }, wire.Deny, reason.TestKeyRefused},
		{"device retired", normal, read, func(f *wire.Facts) { f.Device.Status = wire.DeviceRetired }, wire.Deny, reason.DeviceNotActive},
		{"device pending", normal, read, func(f *wire.Facts) { f.Device.Status = wire.DevicePending }, wire.Deny, reason.DeviceNotActive},
		{"device quarantined", normal, read, func(f *wire.Facts) { f.Device.Status = wire.DeviceQuarantined }, wire.Deny, reason.DeviceInQuarantine},
		{"device quarantined and another's", normal, read, func(f *wire.Facts) { f.Device.Status, f.Device.Owner = wire.DeviceQuarantined, "per-2" }, wire.Deny, reason.DeviceInQuarantine},
		{"status unheard of", normal, read, func(f *wire.Facts) { f.Device.Status = "splendid" }, wire.Deny, reason.DeviceNotActive},
		{"device of another person", normal, read, func(f *wire.Facts) { f.Device.Owner = "per-2" }, wire.Deny, reason.DeviceOfAnother},
		{"host unknown", normal, read, func(f *wire.Facts) { hosted(f); f.Host.Known = false }, wire.Deny, reason.HostUnknown},
		{"nothing known of hosts", normal, read, func(f *wire.Facts) { hosted(f); f.Host = wire.HostFacts{} }, wire.Deny, reason.HostUnknown},
		{"host silent", normal, read, func(f *wire.Facts) { hosted(f); f.Host.Standing = wire.StandingSilent }, wire.Deny, reason.HostNotFresh},
		{"host stale", normal, read, func(f *wire.Facts) { hosted(f); f.Host.Standing = wire.StandingStale }, wire.Deny, reason.HostNotFresh},
		{"host never measured", normal, read, func(f *wire.Facts) { hosted(f); f.Host.Standing = wire.StandingUnknown }, wire.Deny, reason.HostNotFresh},
		{"host past its change", normal, read, func(f *wire.Facts) { hosted(f); f.Host.ChangesAt = at }, wire.Deny, reason.HostNotFresh},
		{"host refused", normal, read, func(f *wire.Facts) { hosted(f); f.Host.Standing = wire.StandingRefused }, wire.Deny, reason.HostContraindicated},
		{"host contraindicated", normal, read, func(f *wire.Facts) { hosted(f); f.Host.Vector.Executables = wire.Contraindicated }, wire.Deny, reason.HostContraindicated},
		{"host's identity not affirmed", normal, read, func(f *wire.Facts) { hosted(f); f.Host.Vector.InstanceIdentity = wire.Warning }, wire.Deny, reason.HostContraindicated},
		{"binding of another device", normal, read, func(f *wire.Facts) { f.Binding.DeviceID = "dev-2" }, wire.Deny, reason.DeviceNotActive},
		{"device of another agency", normal, read, func(f *wire.Facts) { f.Device.Agency = "mof" }, wire.Deny, reason.DeviceOtherAgency},
		{"provenance unknown", normal, read, func(f *wire.Facts) { f.Device.Provenance = "" }, wire.Deny, reason.ProvenanceUnknown},
		{"unendorsed TPM, sensitive", sensitive, read, func(f *wire.Facts) { f.Device.Provenance = wire.ProvenanceTPMUnendorsed }, wire.Deny, reason.ProvenanceTooWeak},
		{"software keys, sensitive", sensitive, read, func(f *wire.Facts) { f.Device.Provenance = wire.ProvenanceSoftware }, wire.Deny, reason.ProvenanceTooWeak},
		{"no binding", normal, read, func(f *wire.Facts) { f.Binding.Way = "" }, wire.Deny, reason.BindingMissing},
		{"binding by code, sensitive", sensitive, read, func(f *wire.Facts) { f.Binding.Way = wire.BindingCode }, wire.Deny, reason.BindingByCode},
		{"binding of 12 h ago", normal, read, func(f *wire.Facts) { f.Binding.At = at.Add(-12 * time.Hour) }, wire.StepUp, reason.BindingTooOld},
		{"seat unknown", normal, read, func(f *wire.Facts) { f.Binding.Seat = "" }, wire.Deny, reason.SeatUnknown},
		{"no seat, sensitive", sensitive, read, func(f *wire.Facts) { f.Binding.Seat = wire.SeatNone }, wire.Deny, reason.SeatNone},
		{"networks differ, sensitive", sensitive, read, func(f *wire.Facts) { f.Binding.SameNetwork = false }, wire.Deny, reason.OtherNetwork},
		{"silent, write", normal, write, func(f *wire.Facts) { f.Standing.Standing = wire.StandingSilent }, wire.Deny, reason.DeviceSilent},
		{"silent, sensitive", sensitive, read, func(f *wire.Facts) { f.Standing.Standing = wire.StandingSilent }, wire.Deny, reason.DeviceSilent},
		{"stale", normal, read, func(f *wire.Facts) { f.Standing.Standing = wire.StandingStale }, wire.Deny, reason.DeviceStale},
		{"standing unknown", normal, read, func(f *wire.Facts) { f.Standing.Standing = wire.StandingUnknown }, wire.Deny, reason.DeviceStale},
		{"standing of a word unheard of", normal, read, func(f *wire.Facts) { f.Standing.Standing = "splendid" }, wire.Deny, reason.DeviceStale},
		{"standing past its change", normal, read, func(f *wire.Facts) { f.Standing.ChangesAt = at }, wire.Deny, reason.DeviceStale},
		{"result ended", normal, read, func(f *wire.Facts) { f.Standing.Result.ValidUntil = at }, wire.Deny, reason.DeviceStale},
		{"result of another device", normal, read, func(f *wire.Facts) { f.Standing.Result.DeviceID = "dev-2" }, wire.Deny, reason.DeviceStale},
		{"standing of another device", normal, read, func(f *wire.Facts) { f.Standing.DeviceID = "dev-2" }, wire.Deny, reason.DeviceStale},
		{"refused", normal, read, func(f *wire.Facts) { f.Standing.Standing = wire.StandingRefused }, wire.Deny, reason.DeviceRefused},
		{"contraindicated", normal, read, func(f *wire.Facts) { f.Standing.Result.Vector.Executables = wire.Contraindicated }, wire.Deny, reason.DeviceContraindicated},
		{"identity contraindicated", normal, read, func(f *wire.Facts) { f.Standing.Result.Vector.InstanceIdentity = wire.Contraindicated }, wire.Deny, reason.DeviceContraindicated},
		{"identity not affirmed", normal, read, func(f *wire.Facts) { f.Standing.Result.Vector.InstanceIdentity = wire.TrustNone }, wire.Deny, reason.DeviceUnproven},
		{"a warning, sensitive", sensitive, read, func(f *wire.Facts) { f.Standing.Result.Vector.Configuration = wire.Warning }, wire.Deny, reason.DeviceNotAffirming},
		{"a tier unknown, sensitive", sensitive, read, func(f *wire.Facts) { f.Standing.Result.Vector.Hardware = "" }, wire.Deny, reason.DeviceNotAffirming},
		{"OS fails", normal, read, func(f *wire.Facts) { setClaim(f, wire.ClaimOSRelease, wire.ClaimFail) }, wire.Deny, reason.OSNotSupported},
		{"firewall fails", normal, read, func(f *wire.Facts) { setClaim(f, wire.ClaimFirewall, wire.ClaimFail) }, wire.Deny, reason.FirewallNotPassing},
		{"firewall not measured", normal, read, func(f *wire.Facts) { setClaim(f, wire.ClaimFirewall, wire.ClaimError) }, wire.Deny, reason.FirewallNotPassing},
		{"firewall not applicable", normal, read, func(f *wire.Facts) { setClaim(f, wire.ClaimFirewall, wire.ClaimNotApplicable) }, wire.Deny, reason.FirewallNotPassing},
		{"firewall missing", normal, read, func(f *wire.Facts) { dropClaim(f, wire.ClaimFirewall) }, wire.Deny, reason.FirewallNotPassing},
		{"firewall of no state", normal, read, func(f *wire.Facts) { setClaim(f, wire.ClaimFirewall, "PASS") }, wire.Deny, reason.FirewallNotPassing},
		{"firewall said twice", normal, read, func(f *wire.Facts) {
			f.Standing.Result.Claims = append(f.Standing.Result.Claims, wire.Claim{ID: wire.ClaimFirewall, State: wire.ClaimPass})
		}, wire.Deny, reason.FirewallNotPassing},
		{"firewall passes but has a finding", normal, read, func(f *wire.Facts) {
			f.Standing.Result.Findings = []wire.Finding{{Type: wire.FindingFailing, Claim: wire.ClaimFirewall, Reason: wire.Reason{Code: "ZT-DEV-012"}}}
		}, wire.Deny, "ZT-DEV-012"},
		{"disk not encrypted, sensitive", sensitive, read, func(f *wire.Facts) { setClaim(f, wire.ClaimDiskEncryption, wire.ClaimFail) }, wire.Deny, reason.DiskNotPassing},
		{"Secure Boot off, sensitive", sensitive, read, func(f *wire.Facts) { setClaim(f, wire.ClaimSecureBoot, wire.ClaimFail) }, wire.Deny, reason.BootNotPassing},
		{"network not proven", normal, read, func(f *wire.Facts) { f.Network.Proven = false }, wire.StepUp, reason.NetworkNotProven},
		{"network unknown", normal, read, func(f *wire.Facts) { f.Network.Network = "" }, wire.Deny, reason.NetworkNotProven},
		{"low score, read", normal, read, func(f *wire.Facts) { f.Trust.Score = 29 }, wire.StepUp, reason.TrustLow},
		{"middling score, write", normal, write, func(f *wire.Facts) { f.Trust.Score = 59 }, wire.StepUp, reason.TrustMiddling},
		{"middling score, sensitive", sensitive, read, func(f *wire.Facts) { f.Trust.Score = 59 }, wire.StepUp, reason.TrustSensitive},
		{"low score after the key, write", normal, write, func(f *wire.Facts) { f.Trust.Score, f.SignIn.At = 29, at }, wire.Deny, reason.TrustReadOnly},
		{"assessment ended", normal, read, func(f *wire.Facts) { f.Trust.ValidUntil = at }, wire.StepUp, reason.TrustLow},
		{"score beyond its scale", normal, read, func(f *wire.Facts) { f.Trust.Score = 101 }, wire.StepUp, reason.TrustLow},
		{"little coverage, sensitive", sensitive, read, func(f *wire.Facts) { f.Trust.Coverage = 0.49 }, wire.StepUp, reason.CoverageTooLow},
		{"coverage beyond its scale", sensitive, read, func(f *wire.Facts) { f.Trust.Coverage = 2 }, wire.StepUp, reason.CoverageTooLow},
		{"admin who is none", normal, admin, func(f *wire.Facts) { f.SignIn.At = at }, wire.Deny, reason.NoPermit},
		{"admin of another agency", normal, admin, func(f *wire.Facts) { f.Person.Admin, f.SignIn.At, f.Portal.Agency = true, at, "mof" }, wire.Deny, reason.NoPermit},
		{"admin after ten minutes", normal, admin, func(f *wire.Facts) { f.Person.Admin, f.SignIn.At = true, at.Add(-10*time.Minute) }, wire.StepUp, reason.AdminFreshSignIn},
		{"change after 15 min, sensitive", sensitive, write, func(f *wire.Facts) { f.SignIn.At = at.Add(-15 * time.Minute) }, wire.StepUp, reason.ChangeNeedsTouch},
		{"change early on Monday, sensitive", sensitive, write, func(f *wire.Facts) { onADay(f, 23, 6, 59) }, wire.StepUp, reason.ChangeOutsideHours},
		{"change late on Friday, sensitive", sensitive, write, func(f *wire.Facts) { onADay(f, 27, 21, 0) }, wire.StepUp, reason.ChangeOutsideHours},
		{"change on Saturday noon, sensitive", sensitive, write, func(f *wire.Facts) { onADay(f, 28, 12, 0) }, wire.StepUp, reason.ChangeOutsideHours},
		{"change on Sunday noon, sensitive", sensitive, write, func(f *wire.Facts) { onADay(f, 29, 12, 0) }, wire.StepUp, reason.ChangeOutsideHours},
		{"device of high risk", normal, read, func(f *wire.Facts) { f.Risk.Device = wire.RiskHigh }, wire.Deny, reason.DeviceRiskHigh},
		{"device of a risk unheard of", normal, read, func(f *wire.Facts) { f.Risk.Device = "extreme" }, wire.Deny, reason.DeviceRiskHigh},
		{"device of medium risk, sensitive", sensitive, write, func(f *wire.Facts) { f.Risk.Device = wire.RiskMedium }, wire.Deny, reason.DeviceRiskMedium},
		{"person of high risk, read", normal, read, func(f *wire.Facts) { f.Risk.Person = wire.RiskHigh }, wire.StepUp, reason.PersonRiskHigh},
		{"person of a risk unheard of", normal, read, func(f *wire.Facts) { f.Risk.Person = "HIGH" }, wire.StepUp, reason.PersonRiskHigh},
		{"person of high risk after the key, write", normal, write, func(f *wire.Facts) { f.Risk.Person, f.SignIn.At = wire.RiskHigh, at }, wire.Deny, reason.PersonRiskReadOnly},
		{"person of medium risk, write", normal, write, func(f *wire.Facts) { f.Risk.Person = wire.RiskMedium }, wire.StepUp, reason.PersonRiskForChanges},
		{"action unheard of", normal, "delete", func(*wire.Facts) {}, wire.Deny, reason.NoPermit},
		{"no action", normal, "", func(*wire.Facts) {}, wire.Deny, reason.NoPermit},
	}
}

// One fact flipped, one effect, exactly one code.
func TestEachRule(t *testing.T) {
	e := baseline(t)
	for _, tt := range flips() {
		t.Run(tt.name, func(t *testing.T) {
			f := good(tt.portal)
			tt.flip(&f)
			d := e.Decide(f, tt.action, f.At)
			if d.Effect != tt.effect {
				t.Errorf("effect %v, want %v (%q)", d.Effect, tt.effect, codes(d.Reasons))
			}
			if got := codes(d.Reasons); !slices.Equal(got, []string{tt.code}) {
				t.Errorf("reasons %q, want exactly %s", got, tt.code)
			}
			if len(d.Remedies) != 1 {
				t.Errorf("remedies %+v", d.Remedies)
			}
			if tt.effect == wire.StepUp && d.Remedies[0].Action != "sign-in" {
				t.Errorf("a step-up's remedy is a sign-in, got %+v", d.Remedies)
			}
		})
	}
}

// Every policy of the baseline matters: without it, some line of the table no
// longer holds.
func TestTakingARuleOutIsFelt(t *testing.T) {
	whole := baseline(t)
	for id := range whole.rules.byID {
		files := Baseline()
		for name, text := range files {
			files[name] = without(text, string(id))
		}
		e, err := Load(files)
		if err != nil {
			t.Fatal(id, err)
		}
		if e.Policies() != whole.Policies()-1 {
			t.Fatalf("%s was not taken out", id)
		}
		felt := false
		for _, tt := range flips() {
			f := good(tt.portal)
			tt.flip(&f)
			d := e.Decide(f, tt.action, f.At)
			felt = felt || d.Effect != tt.effect || !slices.Equal(codes(d.Reasons), []string{tt.code})
		}
		if f := good(wire.PortalNormal); e.Decide(f, wire.ActionRead, at).Effect != wire.Allow {
			felt = true // a permit
		}
		f := good(wire.PortalNormal)
		f.Person.Admin, f.SignIn.At = true, at
		felt = felt || e.Decide(f, wire.ActionAdmin, at).Effect != wire.Allow
		if !felt {
			t.Errorf("nothing tests %s", id)
		}
	}
}

// without takes the policy with that @id out of a file.
func without(text []byte, id string) []byte {
	start := bytes.Index(text, []byte("@id(\""+id+"\")"))
	if start < 0 {
		return text
	}
	end := start + bytes.Index(text[start:], []byte("};")) + len("};")
	return slices.Concat(text[:start], text[end:])
}

func TestLessThanEverythingIsStillEnoughForANormalPortal(t *testing.T) {
	tests := map[string]func(*wire.Facts){
		"a permitted test key":    func(f *wire.Facts) { f.SignIn.AAL, f.SignIn.TestKey, f.Key.Hardware = 2, true, false },
		"a host that is well":     hosted,
		"the person's own laptop": func(f *wire.Facts) { f.Device.Owner = f.Person.ID },
		"software keys":           func(f *wire.Facts) { f.Device.Provenance = wire.ProvenanceSoftware },
		"unendorsed TPM":          func(f *wire.Facts) { f.Device.Provenance = wire.ProvenanceTPMUnendorsed },
		"binding by code":         func(f *wire.Facts) { f.Binding.Way = wire.BindingCode },
		"no seat":                 func(f *wire.Facts) { f.Binding.Seat = wire.SeatNone },
		"configuration a warning": func(f *wire.Facts) { f.Standing.Result.Vector.Configuration = wire.Warning },
		"disk not encrypted":      func(f *wire.Facts) { setClaim(f, wire.ClaimDiskEncryption, wire.ClaimFail) },
		"nobody has answered":     func(f *wire.Facts) { f.Trust.Coverage = 0 },
		"risks that are low":      func(f *wire.Facts) { f.Risk = wire.RiskFacts{Person: wire.RiskLow, Device: wire.RiskLow} },
		"device of medium risk":   func(f *wire.Facts) { f.Risk.Device = wire.RiskMedium },
		"a change long after":     func(f *wire.Facts) { f.SignIn.At = at.Add(-11 * time.Hour) },
		"middling but fresh key":  func(f *wire.Facts) { f.Trust.Score, f.SignIn.At = 45, at.Add(-time.Minute) },
	}
	e := baseline(t)
	for name, flip := range tests {
		f := good(wire.PortalNormal)
		flip(&f)
		if d := e.Decide(f, wire.ActionWrite, at); d.Effect != wire.Allow {
			t.Errorf("%s: %v %q", name, d.Effect, codes(d.Reasons))
		}
	}
}

func TestReadOnlySaysWhy(t *testing.T) {
	tests := map[string]struct {
		flip func(*wire.Facts)
		code string
	}{
		"silent":   {func(f *wire.Facts) { f.Standing.Standing = wire.StandingSilent }, reason.DeviceSilent},
		"middling": {func(f *wire.Facts) { f.Trust.Score = 40 }, reason.TrustMiddling},
		"very low": {func(f *wire.Facts) { f.Trust.Score, f.SignIn.At = 3, at }, reason.TrustReadOnly},
		"reported": {func(f *wire.Facts) { f.Risk.Person, f.SignIn.At = wire.RiskHigh, at }, reason.PersonRiskReadOnly},
	}
	e := baseline(t)
	for name, tt := range tests {
		f := good(wire.PortalNormal)
		tt.flip(&f)
		d := e.Decide(f, wire.ActionRead, at)
		if d.Effect != wire.Allow || !d.Obligations.ReadOnly || !slices.Equal(codes(d.Reasons), []string{tt.code}) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestFindingsExplainARefusedDevice(t *testing.T) {
	f := good(wire.PortalNormal)
	f.Standing.Standing = wire.StandingRefused
	f.Standing.Result.Vector = wire.TrustVector{InstanceIdentity: wire.Contraindicated}
	f.Standing.Result.Findings = []wire.Finding{
		{Type: wire.FindingTampered, Reason: wire.Reason{Code: "ZT-DEV-030"}},
		{Type: wire.FindingFailing, Claim: wire.ClaimFirewall, Reason: wire.Reason{Code: "ZT-DEV-012"}},
		// No rule of a normal portal asks for it, and it is not why.
		{Type: wire.FindingFailing, Claim: wire.ClaimDiskEncryption, Reason: wire.Reason{Code: "ZT-DEV-014"}},
	}
	d := baseline(t).Decide(f, wire.ActionRead, at)
	if d.Effect != wire.Deny || !slices.Equal(codes(d.Reasons), []string{"ZT-DEV-012", "ZT-DEV-030"}) {
		t.Errorf("%+v", d)
	}
	want := []wire.Remedy{
		{Reason: wire.Reason{Code: "ZT-DEV-030"}, Action: "attest"},
		{Reason: wire.Reason{Code: "ZT-DEV-012"}, Claim: wire.ClaimFirewall, Action: "fix-claim"},
	}
	if diff := cmp.Diff(want, d.Remedies); diff != "" {
		t.Error(diff)
	}
}

func TestZeroFactsDeny(t *testing.T) {
	e := baseline(t)
	for _, a := range []wire.Action{wire.ActionRead, wire.ActionWrite, wire.ActionAdmin, ""} {
		if d := e.Decide(wire.Facts{}, a, at); d.Effect != wire.Deny || len(d.Reasons) == 0 {
			t.Errorf("%q: %+v", a, d)
		}
	}
	if d := e.Decide(wire.Facts{}, wire.ActionRead, time.Time{}); d.Effect != wire.Deny {
		t.Errorf("at the zero time: %+v", d)
	}
}

// Empty ids match each other and still are nobody.
func TestNobodyOfNowhereIsNotLetIn(t *testing.T) {
	e := baseline(t)
	for name, empty := range map[string]func(*wire.Facts){
		"person":   func(f *wire.Facts) { f.Person.ID, f.SignIn.PersonID = "", "" },
		"agencies": func(f *wire.Facts) { f.Person.Agency, f.Portal.Agency, f.Device.Agency = "", "", "" },
		"device": func(f *wire.Facts) {
			f.Device.ID, f.Binding.DeviceID, f.Standing.DeviceID, f.Standing.Result.DeviceID = "", "", "", ""
		},
	} {
		f := good(wire.PortalNormal)
		empty(&f)
		d := e.Decide(f, wire.ActionRead, at)
		if d.Effect != wire.Deny {
			t.Errorf("%s: %+v", name, d)
		}
		if name != "device" && !slices.Contains(codes(d.Reasons), reason.PersonNotActive) {
			t.Errorf("%s: %q", name, codes(d.Reasons))
		}
	}
}

// Trust never rises because something is absent: taking any one fact away, or
// any whole group of them, makes no decision better.
func TestAbsenceNeverHelps(t *testing.T) {
	e := baseline(t)
	better := func(t *testing.T, path string, before, after wire.Facts) {
		for _, a := range []wire.Action{wire.ActionRead, wire.ActionWrite, wire.ActionAdmin} {
			b, n := e.Decide(before, a, at), e.Decide(after, a, at)
			if n.Effect > b.Effect || (b.Obligations.ReadOnly && n.Effect == wire.Allow && !n.Obligations.ReadOnly) {
				t.Errorf("%s %s: without %s %v becomes %v", before.Portal.Sensitivity, a, path, b.Effect, n.Effect)
			}
		}
	}
	// What speaks against somebody is a fact, too, and must not be zeroed here:
	// its own absence is the good case.
	against := map[string]bool{
		".Person.Disabled": true, ".Key.Revoked": true, ".SignIn.TestKey": true, ".Standing.ChangesAt": true,
	}
	starts := map[string]func(*wire.Facts){
		"good":     func(*wire.Facts) {},
		"fresh":    func(f *wire.Facts) { f.SignIn.At, f.Person.Admin = at, true },
		"silent":   func(f *wire.Facts) { f.Standing.Standing = wire.StandingSilent },
		"middling": func(f *wire.Facts) { f.Trust.Score = 40 },
		"firewall": func(f *wire.Facts) { setClaim(f, wire.ClaimFirewall, wire.ClaimFail) },
		"warning":  func(f *wire.Facts) { f.Standing.Result.Vector.Configuration = wire.Warning },
		"refused":  func(f *wire.Facts) { f.Standing.Standing = wire.StandingRefused },
		"tampered": func(f *wire.Facts) { f.Standing.Result.Vector.InstanceIdentity = wire.Contraindicated },
		"stranger": func(f *wire.Facts) { f.Portal.Agency = "mof" },
	}
	for name, start := range starts {
		for _, s := range []wire.Sensitivity{wire.PortalNormal, wire.PortalSensitive} {
			before := good(s)
			start(&before)
			eachField(reflect.ValueOf(&before).Elem(), "", func(path string, zero func(*wire.Facts)) {
				if against[path] {
					return
				}
				after := before
				zero(&after)
				better(t, name+path, before, after)
			})
		}
	}
}

// eachField calls f for each field of the facts, at every depth.
func eachField(v reflect.Value, path string, f func(string, func(*wire.Facts)), index ...int) {
	for i := range v.NumField() {
		at := append(slices.Clone(index), i)
		name := path + "." + v.Type().Field(i).Name
		f(name, func(facts *wire.Facts) {
			field := reflect.ValueOf(facts).Elem().FieldByIndex(at)
			field.SetZero()
		})
		if field := v.Field(i); field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]() {
			eachField(field, name, f, at...)
		}
	}
}

func TestPoliciesSeeWhatIsAskedFor(t *testing.T) {
	e := withPolicy(t, `@id("x") @reason("ZT-POL-060") @remedy("sign-in") forbid (principal, action, resource) when { context.request.class == "payroll" && context.signIn.ageSeconds >= 120 };`)
	f := good(wire.PortalNormal)
	if d := e.Decide(f, wire.ActionRead, at); d.Effect != wire.Allow {
		t.Errorf("no class: %+v", d)
	}
	f.Request.Class = "payroll"
	if d := e.Decide(f, wire.ActionRead, at); d.Effect != wire.StepUp {
		t.Errorf("payroll: %+v", d)
	}
}
