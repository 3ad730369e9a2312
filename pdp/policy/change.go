package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// change is something that a person can do, or wait for, and the facts as they
// would be afterwards. It improves nothing that it does not name: not the
// device's identity or boot, not the score, not what others report.
type change struct {
	action  string // as in wire.Remedy
	claim   wire.ClaimID
	affects func(r *reads) bool // whether it changes anything that is read
	apply   func(f *wire.Facts)
}

// aLittle is how long a change holds at least: longer than its own moment.
const aLittle = time.Hour

// changesOf returns what could be changed about these facts, what costs a
// person least first.
func changesOf(f *wire.Facts, at time.Time) []change {
	all := []change{{action: "sign-in", affects: anyOf(signInChanges[:]), apply: func(f *wire.Facts) { signInAgain(f, at) }}}
	if present(f) && f.Standing.Standing != wire.StandingRefused {
		all = append(all, change{action: "attest", affects: anyOf([]string{"device.standing"}), apply: func(f *wire.Facts) { attest(f, at) }})
	}
	if h := &f.Host; h.Known && h.Standing != wire.StandingRefused {
		all = append(all, change{action: "wait", affects: anyOf([]string{"host.standing"}), apply: awaitHost})
	}
	for _, id := range unfixed(f) {
		all = append(all, change{
			action: "fix-claim", claim: id, affects: anyOf([]string{"claims." + claimName(id)}),
			apply: func(f *wire.Facts) { fixClaim(f, id, at) },
		})
	}
	return append(all, change{action: "register-key", affects: anyOf(keyChanges[:]), apply: func(f *wire.Facts) { registerKey(f, at) }})
}

var (
	signInChanges = [...]string{"signIn.ageSeconds", "binding.ageSeconds", "network.proven"}
	keyChanges    = [...]string{
		"signIn.ageSeconds", "binding.ageSeconds", "network.proven",
		"signIn.aal", "signIn.userVerified", "signIn.hardwareKey", "signIn.testKey", "signIn.keyRevoked",
	}
	// configurationChanges are what follows from claims that pass, all together.
	configurationChanges = [...]string{"attestation.configuration", "attestation.affirming"}
)

func anyOf(names []string) func(*reads) bool {
	return func(r *reads) bool { return slices.ContainsFunc(names, r.attribute) }
}

// signInAgain is a touch of the key, by which the laptop confirms its browser
// too, both from here.
func signInAgain(f *wire.Facts, at time.Time) {
	f.SignIn.At, f.Binding.At, f.Network.Proven = at, at, true
}

// registerKey is a hardware key that the agency issues, and a sign-in with it.
func registerKey(f *wire.Facts, at time.Time) {
	signInAgain(f, at)
	f.Key = wire.KeyFacts{Hardware: true}
	f.SignIn.AAL, f.SignIn.UserVerified, f.SignIn.TestKey = 3, true, false
	f.SignIn.KeyID = cmp.Or(f.SignIn.KeyID, "key-new")
}

// attest is new Evidence that says what the last one said.
func attest(f *wire.Facts, at time.Time) {
	f.Standing.Standing, f.Standing.ChangesAt = wire.StandingFresh, time.Time{}
	f.Standing.Result.IssuedAt, f.Standing.Result.ValidUntil = at, at.Add(aLittle)
}

func awaitHost(f *wire.Facts) {
	f.Host.Standing, f.Host.ChangesAt = wire.StandingFresh, time.Time{}
}

// unfixed are the claims that do not pass, in the schema's order, and then those
// of which the appraisal tells that they lower the configuration.
func unfixed(f *wire.Facts) []wire.ClaimID {
	if !present(f) {
		return nil
	}
	var all []wire.ClaimID
	for _, c := range claims {
		if claimState(&f.Standing.Result, c.id) != wire.ClaimPass {
			all = append(all, c.id)
		}
	}
	for _, id := range lowering(f) {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// lowering are the claims for which the verifier made the configuration a
// warning, each once.
func lowering(f *wire.Facts) []wire.ClaimID {
	v := &f.Standing.Result.Vector
	// A configuration that contradicts the boot, or stands on one that nobody
	// vouches for, is not mended by claims.
	if !present(f) || v.Configuration != wire.Warning || v.Executables != wire.Affirming {
		return nil
	}
	var all []wire.ClaimID
	for i := range f.Standing.Result.Findings {
		finding := &f.Standing.Result.Findings[i]
		if finding.Claim != "" && finding.Fails() && !slices.Contains(all, finding.Claim) {
			all = append(all, finding.Claim)
		}
	}
	return all
}

// fixClaim has a claim pass, as the verifier would judge it: its findings go,
// and with the last claim that lowered the configuration this is affirmed.
func fixClaim(f *wire.Facts, id wire.ClaimID, at time.Time) {
	lowered := slices.Contains(lowering(f), id)
	result := &f.Standing.Result
	result.Claims = slices.DeleteFunc(slices.Clone(result.Claims), func(c wire.Claim) bool { return c.ID == id })
	result.Claims = append(result.Claims, wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: at})
	result.Findings = slices.DeleteFunc(slices.Clone(result.Findings), func(f wire.Finding) bool { return f.Claim == id })
	if lowered && len(lowering(f)) == 0 {
		result.Vector.Configuration = wire.Affirming
	}
}

// claimName is the schema's name of a claim, empty where policies do not see it.
func claimName(id wire.ClaimID) string {
	for _, c := range claims {
		if c.id == id {
			return string(c.name)
		}
	}
	return ""
}
