//go:build linux

package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/firmware"
	"github.com/menshen-zt/menshen/test/lab"
)

var shell = firmware.File{Path: "/usr/bin/dash", Content: "dash 0.5.12"}

// TestADeviceAgainstEverything is one laptop, held against reference values, an
// allow list, a baseline, a feed of vulnerabilities, and an administrator.
func TestADeviceAgainstEverything(t *testing.T) {
	s := newStage(t)
	l := s.laptop("LT-1")
	s.open()
	machine := firmware.Laptop(l.name)
	l.powerOn(machine, shell)
	l.enrol(s.code(l.name))
	l.start()
	l.until("without reference values", func(d seen) bool {
		v := d.Standing.Result.Vector
		return v.InstanceIdentity == wire.Affirming && v.Executables == wire.TrustNone && d.has(reason.BootUnreferenced)
	})
	learnt(l)
	allowed(l)
	unlisted(l, machine)
	listed(l)
	exploited(l)
	baseline(l)
	l.until("trustworthy in everything", func(d seen) bool {
		v := d.Standing.Result.Vector
		return v.Executables == wire.Affirming && v.Configuration == wire.Affirming
	})
	l.says(0, l.name, "check")
	quarantined(l)
}

// learnt: what the laptop booted becomes its reference values.
func learnt(l *laptop) {
	l.t.Helper()
	if out := l.admin("reference", "learn", "laptops", "--device", l.name); !strings.Contains(out, "PCR 4 ") {
		l.t.Errorf("the draft has no boot: %s", out)
	}
	if d := l.device(l.name); d.Standing.Result.Vector.Executables != wire.TrustNone {
		l.t.Errorf("a draft counts: %+v", d.Standing.Result)
	}
	l.admin("reference", "approve", "laptops")
	l.until("as approved", func(d seen) bool { return d.Standing.Result.Vector.Executables == wire.Affirming })
}

// allowed: an issuer that the agency trusts signs an allow list of programs,
// where its key is.
func allowed(l *laptop) {
	l.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	l.must(err)
	spki, err := x509.MarshalPKIXPublicKey(public)
	l.must(err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	l.must(err)
	l.write("maker.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})))
	l.write("maker.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	list, err := json.Marshal(wire.Bundle{
		Schema: 1, Issuer: "maker", Agency: wire.AnyAgency, ID: "programs", Version: 1, Created: time.Now().UTC().Truncate(time.Second),
		Files: []wire.BundleFile{{Digest: sha256.Sum256([]byte(shell.Content)), Path: shell.Path}},
	})
	l.must(err)
	l.write("programs.json", string(list))
	signed, err := lab.Run(l.ctl("reference", "sign", l.path("programs.json"), "--key", l.path("maker.key")))
	l.must(err)
	l.write("programs.signed.json", signed)
	if out, err := lab.Run(l.ctl("reference", "import", l.path("programs.signed.json"), "--agency", agency)); err == nil || !strings.Contains(err.Error(), reason.RefSignature) {
		l.t.Errorf("a stranger's bundle: %v %s", err, out)
	}
	l.admin("reference", "signer", "add", l.path("maker.pem"), "--issuer", "maker")
	l.admin("reference", "import", l.path("programs.signed.json"))
	l.admin("reference", "approve", "programs")
}

// unlisted: a program that no bundle has starts, and is gone with the next boot.
func unlisted(l *laptop, machine firmware.Machine) {
	l.t.Helper()
	l.stop()
	l.powerOn(machine, shell, firmware.File{Path: "/usr/local/bin/miner", Content: "a miner"})
	l.start()
	l.until("told of the program", func(d seen) bool {
		return d.has(reason.IMAUnlisted) && d.Standing.Result.Vector.Executables != wire.Affirming
	})
	l.stop()
	l.powerOn(machine, shell)
	l.start()
	l.until("as approved again", func(d seen) bool { return d.Standing.Result.Vector.Executables == wire.Affirming })
}

// listed: the list of software came, and is exported by CPE.
func listed(l *laptop) {
	l.t.Helper()
	if out := l.admin("software", "show", l.name, "--all"); !strings.Contains(out, "\ndpkg ") || !strings.Contains(out, "CVE-2020-0001") {
		l.t.Errorf("the list of software: %.2000s", out)
	}
	if out := l.admin("software", "export"); !strings.Contains(out, ",cpe:2.3:a:") || !strings.Contains(out, ",1,") {
		l.t.Errorf("the export: %.2000s", out)
	}
}

// exploited: what the feed knows of an installed package fails until the feed
// does not any more.
func exploited(l *laptop) {
	l.t.Helper()
	l.until("exploitable", func(d seen) bool {
		return d.claim(wire.ClaimVulnerabilities) == wire.ClaimFail && d.has(reason.ExploitedVulnerability)
	})
	l.write("feed.json", l.feed("no-such-package"))
	l.restartPDP()
	l.until("not exploitable", func(d seen) bool {
		return d.claim(wire.ClaimVulnerabilities) == wire.ClaimPass && !d.has(reason.ExploitedVulnerability)
	})
}

// baseline: one rule fails until it is excepted.
func baseline(l *laptop) {
	l.t.Helper()
	l.says(1, "TEST-01-0002 The other kernel", "baseline")
	if d := l.device(l.name); d.claim(wire.ClaimBaseline) != wire.ClaimFail || d.Standing.Result.Vector.Configuration == wire.Affirming {
		l.t.Errorf("a failing rule passes: %+v", d.Standing.Result)
	}
	l.admin("exception", "add", "--device", l.name, "--baseline", "TEST-01", "--rule", "TEST-01-0002", "--reason", "no other kernel is there", "--days", "30")
	l.until("excepted", func(d seen) bool {
		state := d.claim(wire.ClaimBaseline)
		return state == wire.ClaimPass || state == wire.ClaimException
	})
}

// quarantined: the laptop itself says so, and for as long as it lasts.
func quarantined(l *laptop) {
	l.t.Helper()
	l.admin("device", "quarantine", l.name, "--reason", "lost and found")
	l.says(1, reason.DeviceQuarantined, "status")
	l.admin("device", "release", l.name)
	l.says(0, l.name, "status")
}

// TestDevicesComeAndGo: enrolment by a list, and TPMs that are not what they
// were.
func TestDevicesComeAndGo(t *testing.T) {
	s := newStage(t)
	l := s.laptop("LT-2")
	s.open()
	l.powerOn(firmware.Laptop(l.name), shell)
	expected(l)
	l.start()
	l.until("fresh", func(d seen) bool { return d.Standing.Standing == wire.StandingFresh })
	l.stop()
	cloned(l)
	cleared(l)
}

// expected: a laptop whose endorsement key is listed needs no code, but the
// right CA.
func expected(l *laptop) {
	l.t.Helper()
	refused(l, reason.EnrolNotExpected, l.fingerprint)
	keys, err := lab.Run(l.command(agentUID, "ek"))
	l.must(err)
	list := "ek_sha256,device_name\n"
	for line := range strings.Lines(keys) {
		if _, digest, certified := strings.Cut(line, ",yes,"); certified {
			list += strings.TrimSpace(digest) + "," + l.name + "\n"
			break // the first is the one that it enrols with
		}
	}
	l.write("laptops.csv", list)
	l.admin("expected", "import", l.path("laptops.csv"))
	refused(l, reason.PDPWrongCA, strings.Repeat("0", 64))
	l.enrol("--ca-fingerprint", l.fingerprint)
	if d := l.device(l.name); d.Device.Status != wire.DeviceActive || d.Device.Provenance != wire.ProvenanceTPM {
		l.t.Errorf("%+v", d.Device)
	}
}

// refused is an enrolment by the list that must fail so.
func refused(l *laptop, code, fingerprint string) {
	l.t.Helper()
	out, err := lab.Run(l.command(agentUID, "enrol", "--pdp", l.agents, "--ca-fingerprint", fingerprint))
	if err == nil || !strings.Contains(err.Error(), code) {
		l.t.Errorf("not refused by %s: %v %s", code, err, out)
	}
}

// cloned: the state of one laptop is nothing on another's TPM.
func cloned(l *laptop) {
	l.t.Helper()
	thief := l.laptop("thief")
	thief.powerOn(firmware.Laptop(l.name), shell)
	state, err := os.ReadFile(l.file("state/state.json"))
	l.must(err)
	copied := thief.file("state/state.json")
	l.must(errors.Join(os.WriteFile(copied, state, 0o600), os.Chown(copied, agentUID, agentUID)))
	thief.start()
	thief.says(2, reason.TPMReplaced, "status")
}

// cleared: the keys are gone, and the same laptop comes back under its name.
func cleared(l *laptop) {
	l.t.Helper()
	l.must(firmware.At(l.chip, func(t transport.TPM) error {
		_, err := tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(t)
		return err
	}))
	l.start()
	l.says(2, reason.TPMCleared, "status")
	before := l.device(l.name).Device
	l.stop()
	l.enrol(l.code(l.name), "--replace")
	l.start()
	l.until("fresh with other keys", func(d seen) bool {
		return d.Standing.Standing == wire.StandingFresh && d.Device.Status == wire.DeviceActive &&
			string(d.Device.AK) != string(before.AK) && string(d.Device.EKDigest) == string(before.EKDigest)
	})
}
