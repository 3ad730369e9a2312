package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/helper"
	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// TestHealth: nothing but an accepted, valid result without a fault is healthy.
func TestHealth(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	enrolled := &state.State{}
	answer := func(accepted bool, valid time.Duration, findings ...wire.FindingType) *state.Last {
		l := &state.Last{Accepted: accepted, Result: wire.AttestationResult{ValidUntil: now.Add(valid)}}
		for _, f := range findings {
			l.Result.Findings = append(l.Result.Findings, wire.Finding{Type: f, Reason: reason.New(reason.FirewallOff)})
		}
		return l
	}
	problems := func(p part, code string) map[part]wire.Reason { return map[part]wire.Reason{p: reason.New(code)} }
	for name, c := range map[string]struct {
		view view
		want local.Health
		code string
	}{
		"healthy":               {view{state: enrolled, answer: answer(true, time.Minute)}, local.HealthGood, ""},
		"notes alone":           {view{state: enrolled, answer: answer(true, time.Minute, wire.FindingUnsupported, wire.FindingUnknownUpdate)}, local.HealthGood, ""},
		"a failing claim":       {view{state: enrolled, answer: answer(true, time.Minute, wire.FindingFailing)}, local.HealthFailing, ""},
		"a missing claim":       {view{state: enrolled, answer: answer(true, time.Minute, wire.FindingMissing)}, local.HealthFailing, ""},
		"rolled back":           {view{state: enrolled, answer: answer(true, time.Minute, wire.FindingRolledBack)}, local.HealthFailing, ""},
		"an unheard-of finding": {view{state: enrolled, answer: answer(true, time.Minute, "new")}, local.HealthFailing, ""},
		"refused":               {view{state: enrolled, answer: answer(false, time.Minute)}, local.HealthFailing, ""},
		"in quarantine":         {view{state: enrolled, answer: answer(true, time.Minute), problems: problems(partDevice, reason.DeviceQuarantined)}, local.HealthFailing, reason.DeviceQuarantined},
		"run out":               {view{state: enrolled, answer: answer(true, -time.Second)}, local.HealthUnknown, reason.AgentResultOld},
		"run out, offline":      {view{state: enrolled, answer: answer(true, -time.Second), problems: problems(partAttestation, reason.PDPUnreachable)}, local.HealthUnknown, reason.PDPUnreachable},
		"offline, still valid":  {view{state: enrolled, answer: answer(true, time.Minute), problems: problems(partAttestation, reason.PDPUnreachable)}, local.HealthGood, ""},
		"no answer yet":         {view{state: enrolled}, local.HealthUnknown, reason.AgentNoResult},
		"no TPM":                {view{state: enrolled, problems: problems(partTPM, reason.TPMReplaced)}, local.HealthUnknown, reason.TPMReplaced},
		"not enrolled":          {view{}, local.HealthUnknown, reason.AgentNotEnrolled},
		"retired, still valid":  {view{state: enrolled, answer: answer(true, time.Minute), problems: problems(partAttestation, reason.AgentDeviceUnknown)}, local.HealthFailing, reason.AgentDeviceUnknown},
	} {
		got, why := c.view.health(now)
		if got != c.want || (why == nil) != (c.code == "") || (why != nil && why.Code != c.code) {
			t.Errorf("%s: %s %v", name, got, why)
		}
	}
}

// TestEveryErrorHasItsReasonAndExitCode, as the command's documentation says.
func TestEveryErrorHasItsReasonAndExitCode(t *testing.T) {
	texts := reason.Codes()
	for _, c := range []struct {
		err  error
		code string
		exit int
	}{
		{fmt.Errorf("x: %w", tpm.ErrNotFound), reason.TPMNotFound, 69},
		{tpm.ErrBusy, reason.TPMBusy, 69},
		{tpm.ErrReplaced, reason.TPMReplaced, 1},
		{tpm.ErrClosed, reason.TPMFailed, 1},
		{tpm.ErrMalformed, reason.StateCorrupt, 74},
		{state.ErrNotEnrolled, reason.AgentNotEnrolled, 1},
		{state.ErrExposed, reason.StateExposed, 74},
		{state.ErrCorrupt, reason.StateCorrupt, 74},
		{state.ErrUnreadable, reason.StateUnreadable, 74},
		{state.ErrNotWritten, reason.StateNotWritten, 73},
		{state.ErrLocked, reason.StateHeld, 73},
		{helper.ErrUnreachable, reason.HelperNotAnswering, 1},
		{&yamlfile.Error{File: "f", Err: errors.New("x")}, reason.AgentConfiguration, 78},
		{fault(nil, reason.AgentRunsAsRoot), reason.AgentRunsAsRoot, 78},
		{fault(nil, reason.AgentCannotListen), reason.AgentCannotListen, 73},
		{fault(nil, reason.PDPUnreachable), reason.PDPUnreachable, 69},
		{errors.New("anything"), reason.AgentInternal, 1},
	} {
		if got := ReasonOf(c.err).Code; got != c.code || !slices.Contains(texts, got) {
			t.Errorf("%v: %s", c.err, got)
		}
		if got := ExitCode(c.err); got != c.exit {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.exit)
		}
	}
	if ExitCode(nil) != 0 {
		t.Error("nothing is wrong")
	}
}

// TestTheCAStaysPinned: whoever can write the state could put another CA there,
// but the digest of the enrolment code is held against it.
func TestTheCAStaysPinned(t *testing.T) {
	authority := func() []byte {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	pinned, other := authority(), authority()
	digest := sha256.Sum256(pinned)
	if _, err := pinnedCA(&state.State{CADigest: digest[:], CACertificate: pinned}); err != nil {
		t.Error(err)
	}
	if _, err := pinnedCA(&state.State{CADigest: digest[:], CACertificate: other}); !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("another CA: %v", err)
	}
}

func TestTheRateIsBounded(t *testing.T) {
	b := newBucket(3, time.Second)
	now := time.Unix(1_800_000_000, 0)
	var waits []time.Duration
	for range 5 {
		waits = append(waits, b.wait(now))
	}
	if want := []time.Duration{0, 0, 0, time.Second, 2 * time.Second}; !slices.Equal(waits, want) {
		t.Errorf("%v", waits)
	}
	if d := b.wait(now.Add(time.Hour)); d != 0 {
		t.Errorf("an hour later: %v", d)
	}
}

func newAgent(t *testing.T) *Agent {
	t.Helper()
	c := defaults()
	c.State = filepath.Join(t.TempDir(), "state.json")
	a, err := New(c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func waiting(a *Agent) bool {
	select {
	case <-a.wake:
		return true
	default:
		return false
	}
}

// TestOnlyAChangedClaimIsAReason to attest.
func TestOnlyAChangedClaimIsAReason(t *testing.T) {
	claim := func(id wire.ClaimID, s wire.ClaimState) wire.Claim { return wire.Claim{ID: id, State: s} }
	a := newAgent(t)
	changed := wire.Claims{Claims: []wire.Claim{claim(wire.ClaimFirewall, wire.ClaimFail)}}
	if a.compare(changed, "x"); waiting(a) {
		t.Error("before the first Evidence")
	}
	a.remember(wire.Claims{Claims: []wire.Claim{claim(wire.ClaimOSRelease, wire.ClaimPass), claim(wire.ClaimFirewall, wire.ClaimPass)}})
	if a.compare(wire.Claims{Claims: []wire.Claim{claim(wire.ClaimFirewall, wire.ClaimPass)}}, "x"); waiting(a) {
		t.Error("nothing changed")
	}
	a.compare(changed, "x")
	a.compare(changed, "x") // joined with the first
	if !waiting(a) || waiting(a) {
		t.Error("a change is one reason")
	}
	if a.compare(wire.Claims{Claims: []wire.Claim{claim("new", wire.ClaimPass)}}, "x"); !waiting(a) {
		t.Error("a new claim")
	}
	a.problem(partAttestation, fault(nil, reason.PDPUnreachable), "")
	if a.compare(changed, "x"); waiting(a) {
		t.Error("offline, retries come by themselves")
	}
}

func TestTheConnectionsReturnIsAReasonAfterAFailure(t *testing.T) {
	a := newAgent(t)
	a.connection(errors.New("x"))
	a.connection(nil)
	if waiting(a) {
		t.Error("nothing had failed")
	}
	a.connection(errors.New("x"))
	a.problem(partAttestation, fault(nil, reason.PDPUnreachable), "")
	if a.connection(nil); !waiting(a) {
		t.Error("what failed is tried at once")
	}
	if a.connection(nil); waiting(a) {
		t.Error("it stood already")
	}
}

// TestOnlyATPMsErrorOpensItAnew.
func TestOnlyATPMsErrorOpensItAnew(t *testing.T) {
	for err, want := range map[error]bool{tpm.ErrBusy: false, tpm.ErrClosed: true, errors.New("tpm: it answered nonsense"): true} {
		if got := tpmFailed(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestConfigNamesTheHelpersUser(t *testing.T) {
	c := defaults()
	c.State = filepath.Join(t.TempDir(), "state.json")
	if uid, err := c.HelperUID(); err != nil || uid != os.Geteuid() {
		t.Errorf("the owner of the state's directory: %d, %v", uid, err)
	}
	c.HelperUser = "0"
	if uid, err := c.HelperUID(); err != nil || uid != 0 {
		t.Errorf("by number: %d, %v", uid, err)
	}
	c.HelperUser = "no-such-user"
	if _, err := c.HelperUID(); err == nil {
		t.Error("nobody")
	}
}

func TestTheShippedConfigurationIsGood(t *testing.T) {
	c, err := LoadConfig("../installer/linux/config/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if d := defaults(); c.State != d.State || c.Port != wire.DefaultLoopbackPort || c.Seat != SeatLogind || c.AllowRoot {
		t.Errorf("%+v", c)
	}
}

// TestWhatIsMeasuredIsConfigured: a wrong value is refused, because it would
// measure less than was meant.
func TestWhatIsMeasuredIsConfigured(t *testing.T) {
	for text, good := range map[string]bool{
		"":                             true,
		"administrators: [ann, bob]\n": true,
		"antivirus: {unit: edr.service, signatures: /opt/edr/defs, max_age: 24h}\n": true,
		"antivirus: {process: edrd, signatures: /opt/edr/defs}\n":                   true,
		"remedies: [firewall, automatic-updates, time-sync]\n":                      true,
		"remedies: [disk-encryption]\n":                                             false,
		"remedy: remedy.sock\n":                                                     false,
		"screen_lock_within: 10m\n":                                                 true,
		"screen_lock_within: 0s\n":                                                  false,
		"antivirus: {unit: edr.service}\n":                                          false,
		"antivirus: {unit: edr, signatures: /x}\n":                                  false,
		"antivirus: {unit: \"-x y.service\", signatures: /x}\n":                     false,
		"antivirus: {unit: edr.service, process: edrd, signatures: /x}\n":           false,
		"antivirus: {process: edrd, signatures: x}\n":                               false,
		"antivirus: {signatures: /x}\n":                                             false,
		"antivirus: {max_age: 1m}\n":                                                false,
	} {
		file := filepath.Join(t.TempDir(), "agent.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadConfig(file)
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if s := c.settings(); err == nil && (s.LockWithin == 0 || s.Antivirus.MaxAge == 0) {
			t.Errorf("%q: %+v", text, s)
		}
	}
}
