package attestation_test

import (
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
	"github.com/menshen-zt/menshen/test/firmware"
)

// laptop is a machine that was booted by a PC's firmware, and what a PDP keeps.
type laptop struct {
	machine
	keys   *tpm.Keys
	device wire.Device
	log    []byte
	kept   *wire.Kept
	boot   *wire.Boot
	last   *wire.TPMClock
}

func (l *laptop) appraise(t *testing.T, set *wire.ReferenceSet, change func(e *wire.Evidence)) wire.Appraised {
	t.Helper()
	issued := time.Now()
	in := verifier.Input{
		Device: l.device, Nonce: sha256.Sum256([]byte(issued.String())), IssuedAt: issued, Now: issued.Add(time.Second), ValidFor: time.Minute,
		Rules:    verifier.Rules{References: set, Policy: verifier.Policy{Boot: verifier.DefaultBootPolicy()}},
		Previous: l.last, Recall: func() *wire.Kept { return l.kept }, RecallBoot: func() *wire.Boot { return l.boot },
	}
	in.Evidence = attest(t, l.keys, in.Nonce)
	in.Evidence.EventLog = l.log
	change(&in.Evidence)
	out := verifier.Appraise(in)
	if out.Kept != nil {
		l.kept, l.last = out.Kept, &out.Clock
	}
	if out.Boot != nil {
		l.boot = out.Boot
	}
	return out
}

func has(r wire.Appraised, code string) bool {
	return slices.ContainsFunc(r.Findings, func(f wire.Finding) bool { return f.Reason.Code == code })
}

// approved is a reference set of everything that a boot showed.
func approved(boot *wire.Boot) *wire.ReferenceSet {
	set := &wire.ReferenceSet{Version: "1", Values: map[wire.ReferenceKey][]wire.ReferenceValue{}}
	for _, m := range boot.Measurements {
		key := wire.KeyOf(m)
		set.Values[key] = append(set.Values[key], wire.ReferenceValue{Digest: [32]byte(m.Digest), State: wire.ReferenceCurrent, Members: m.Members})
	}
	return set
}

func newLaptop(t *testing.T) *laptop {
	t.Helper()
	ca, err := swtpm.NewCA(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	l := &laptop{machine: newMachine(t, ca, "a")}
	roots, intermediates, err := ca.Pools()
	if err != nil {
		t.Fatal(err)
	}
	e, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := l.tpm.EKCertificates()
	if err != nil {
		t.Fatal(err)
	}
	l.keys, l.device = enrol(t, e, l.machine, certificates[0])
	l.reboot(t)
	return l
}

// reboot cuts the power and starts the machine again.
func (l *laptop) reboot(t *testing.T) {
	t.Helper()
	log, err := firmware.PowerOn(t.Context(), l.soft, firmware.Laptop("LT-1"), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	l.log = log
}

func (l *laptop) runs(t *testing.T, first bool, files ...firmware.File) (list []byte) {
	t.Helper()
	err := firmware.At(l.soft, func(chip transport.TPM) (err error) {
		if first {
			list, err = firmware.IMA(chip, files...)
		} else {
			list, err = firmware.MeasureIMA(chip, firmware.IMAEntries(files...)...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func nothing(*wire.Evidence) {}

func byDigest(l *laptop) func(e *wire.Evidence) {
	return func(e *wire.Evidence) {
		claims, log := sha256.Sum256(e.Claims), sha256.Sum256(l.log)
		e.Claims, e.ClaimsDigest, e.EventLog, e.EventLogDigest = nil, claims[:], nil, log[:]
	}
}

func TestABootIsJudgedAndKept(t *testing.T) {
	l := newLaptop(t)
	r := l.appraise(t, nil, nothing)
	if r.Boot == nil || r.Boot.SecureBoot != wire.SecureBootOn || r.Vector.Executables != wire.TrustNone || !has(r, reason.BootUnreferenced) {
		t.Fatalf("%+v", r)
	}
	set := approved(l.boot)
	r = l.appraise(t, set, byDigest(l))
	if r.Vector.Executables != wire.Affirming || r.Boot != nil || len(r.Wants) != 0 {
		t.Fatalf("by digest: %+v", r)
	}
	// Judged anew by other values, without Evidence.
	other := approved(l.boot)
	for key := range other.Values {
		if key.Kind == wire.MeasuredBootApplication {
			other.Values[key] = []wire.ReferenceValue{{Digest: [32]byte{1}, State: wire.ReferenceCurrent}}
		}
	}
	again := verifier.Review(verifier.Rules{References: other, Policy: verifier.Policy{Boot: verifier.DefaultBootPolicy()}},
		l.device, time.Now(), r.AttestationResult, *l.kept, func() *wire.Boot { return l.boot })
	if again.Vector.Executables == wire.Affirming || again.Vector.InstanceIdentity != wire.Affirming || !again.IssuedAt.Equal(r.IssuedAt) {
		t.Errorf("judged anew: %+v", again)
	}
	// Without its log, with one of other bytes, or with none kept, nothing affirms.
	for name, change := range map[string]func(e *wire.Evidence){
		"no log":        func(e *wire.Evidence) { e.EventLog = nil },
		"another log's": func(e *wire.Evidence) { e.EventLog, e.EventLogDigest = nil, make([]byte, 32) },
		"one byte":      func(e *wire.Evidence) { e.EventLog = append(slices.Clone(e.EventLog), 0) },
	} {
		one := *l
		if r := one.appraise(t, set, change); r.Vector.Executables == wire.Affirming || r.Vector.InstanceIdentity != wire.Affirming {
			t.Errorf("%s: %+v", name, r.Vector)
		} else if wants := slices.Contains(r.Wants, wire.WantEventLog); wants != (name == "another log's") {
			t.Errorf("%s: wants %v", name, r.Wants)
		}
	}
	older := *l
	read := *l.boot
	read.Reading--
	older.boot = &read
	if r := older.appraise(t, set, byDigest(l)); r.Vector.Executables == wire.Affirming || !slices.Contains(r.Wants, wire.WantEventLog) {
		t.Errorf("a boot that an older version read: %+v", r)
	}
	lost := *l
	lost.boot = nil
	if r := lost.appraise(t, set, byDigest(l)); r.Vector.Executables == wire.Affirming || !has(r, reason.EventLogNotKept) {
		t.Errorf("a boot that is lost: %+v", r)
	}
	// After a reset nothing that was kept stands for anything.
	l.reboot(t)
	if r := l.appraise(t, set, byDigest(l)); !r.Incomplete {
		t.Errorf("claims from before the reset: %+v", r)
	}
	r = l.appraise(t, set, func(e *wire.Evidence) {
		digest := sha256.Sum256(l.log)
		e.EventLog, e.EventLogDigest = nil, digest[:]
	})
	if r.Vector.Executables == wire.Affirming || !slices.Contains(r.Wants, wire.WantEventLog) {
		t.Errorf("a log from before the reset: %+v", r)
	}
	if r := l.appraise(t, set, nothing); r.Vector.Executables != wire.Affirming || r.Fallen {
		t.Errorf("sent whole: %+v", r)
	}
}

func TestTheRunTimeListExplainsPCR10(t *testing.T) {
	l := newLaptop(t)
	l.appraise(t, nil, nothing)
	set := approved(l.boot)
	list := l.runs(t, true, firmware.File{Path: "/usr/bin/true", Content: "true"}, firmware.File{Path: "/usr/bin/false", Content: "false"})
	piece := func(from int, log []byte, more bool) func(e *wire.Evidence) {
		return func(e *wire.Evidence) { e.IMA = &wire.IMAPiece{From: from, Log: log, More: more} }
	}
	for name, c := range map[string]struct {
		change func(e *wire.Evidence)
		code   string
	}{
		"no list":        {nothing, reason.IMAUnexplained},
		"a changed byte": {piece(0, append(slices.Clone(list[:len(list)-1]), 1), false), reason.IMAMalformed},
		"one entry left out": {func(e *wire.Evidence) {
			at := len(list) - len(firmware.IMAEntries(firmware.File{Path: "/usr/bin/false"})[0].Marshal())
			e.IMA = &wire.IMAPiece{Log: list[:at]}
		}, reason.IMAUnexplained},
		"from the middle": {piece(1, list, false), reason.IMAPending},
	} {
		one := *l
		if r := one.appraise(t, set, c.change); r.Vector.Executables != wire.Warning || !has(r, c.code) {
			t.Errorf("%s: %s %+v", name, r.Vector.Executables, r.Findings)
		}
	}
	r := l.appraise(t, set, piece(0, list, false))
	if r.Vector.Executables != wire.Affirming || r.IMAFrom != 3 || l.kept.IMA.Aggregate != wire.AggregateMatches {
		t.Fatalf("%+v %+v", r, l.kept.IMA)
	}
	// The list goes on, and is ahead of the quote.
	quoted := l.runs(t, false, firmware.File{Path: "/usr/bin/id", Content: "id"})
	ahead := firmware.IMAEntries(firmware.File{Path: "/usr/bin/later", Content: "later"})[0].Marshal()
	if r := l.appraise(t, set, piece(3, append(quoted, ahead...), false)); r.Vector.Executables != wire.Affirming || r.IMAFrom != 4 {
		t.Errorf("ahead: %+v", r)
	}
	// Held against an allow list it is read from its beginning.
	set.Version, set.Files = "2", map[[32]byte]string{
		sha256.Sum256([]byte("true")): "/usr/bin/true", sha256.Sum256([]byte("another")): "/usr/bin/false", sha256.Sum256([]byte("id")): "/usr/bin/id",
	}
	if r := l.appraise(t, set, nothing); !slices.Contains(r.Wants, wire.WantIMA) || r.IMAFrom != 0 || r.Vector.Executables != wire.Warning {
		t.Errorf("a new allow list: %+v", r)
	}
	r = l.appraise(t, set, piece(0, append(slices.Clone(list), quoted...), false))
	if r.Vector.Executables != wire.Warning || !has(r, reason.IMAChanged) || has(r, reason.IMAUnlisted) {
		t.Errorf("%s %+v", r.Vector.Executables, r.Findings)
	}
	for _, f := range r.Findings {
		if f.Reason.Code == reason.IMAChanged && !strings.Contains(f.Seen, "/usr/bin/false") {
			t.Errorf("%+v", f)
		}
	}
	// A reset empties PCR 10: no list, no fault.
	l.reboot(t)
	set.Version, set.Files = "1", nil
	if r := l.appraise(t, set, nothing); r.Vector.Executables != wire.Affirming || l.kept.IMA != nil {
		t.Errorf("after a reset: %+v", r)
	}
}
