package enrolment_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestACodeIsKeptAsADigestAlone(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	parts := strings.Split(code, ".")
	if len(parts) != 3 || parts[0] != "menshen1" {
		t.Fatalf("code %q", code)
	}
	authority, _ := base64.RawURLEncoding.DecodeString(parts[1])
	secret, _ := base64.RawURLEncoding.DecodeString(parts[2])
	if want := sha256.Sum256([]byte("ca")); !bytes.Equal(authority, want[:]) || len(secret) != 32 {
		t.Errorf("authority %x, %d secret bytes", authority, len(secret))
	}
	kept := f.contents(t)
	for _, r := range f.audit.records {
		kept = append(kept, r.Detail...)
	}
	for _, form := range [][]byte{secret, []byte(parts[2]), []byte(hex.EncodeToString(secret)), []byte(base64.StdEncoding.EncodeToString(secret))} {
		if bytes.Contains(kept, form) {
			t.Error("the secret is kept")
		}
	}
	if r := f.audit.last(t); r.Step != "code-issued" || r.DeviceName != "LT-2231" {
		t.Errorf("recorded %+v", r)
	}
}

func TestCodesThatAreNotIssued(t *testing.T) {
	f := open(t)
	for _, life := range []time.Duration{0, -time.Hour, time.Minute - 1, 7*24*time.Hour + 1} {
		_, err := f.IssueCode(t.Context(), "moda", "LT-1", "uid:0", life)
		refusedWith(t, err, reason.CfgLife)
	}
	if _, err := f.IssueCode(t.Context(), "none", "LT-1", "uid:0", time.Hour); err == nil {
		t.Error("a code for an agency that is not there")
	}
	_, err := f.IssueCode(t.Context(), "moda", "LT 1/", "uid:0", time.Hour)
	refusedWith(t, err, reason.CfgDeviceName)
	f.audit.full = true
	_, err = f.IssueCode(t.Context(), "moda", "LT-1", "uid:0", time.Hour)
	refusedWith(t, err, reason.AuditClosed)
	if bytes.Contains(f.contents(t), []byte("/enrol-code/")) {
		t.Error("a code is kept that was not issued")
	}
}

func TestEveryWrongCodeHasItsOwnRefusal(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	start := func(code string) error {
		_, err := f.Start(t.Context(), laptop.start(code), laptop.spki, "192.0.2.7")
		return err
	}
	records := len(f.audit.records)
	refusedWith(t, start(""), reason.EnrolNotExpected)
	for _, text := range []string{"x", code + ".x", code + "x", code[:len(code)-1], strings.Replace(code, "menshen1", "menshen2", 1), " " + code, code + "="} {
		refusedWith(t, start(text), reason.EnrolMalformed)
	}
	other := *f
	config := f.config
	config.Authority[0] ^= 1
	other.use(t, config)
	refusedWith(t, start(other.code(t, "moda", "LT-3")), reason.EnrolCodeForeign)
	unknown := code[:len(code)-43] + strings.Repeat("A", 43)
	refusedWith(t, start(unknown), reason.EnrolCodeUnknown)
	if f.Strangers() != 10 {
		t.Errorf("%d strangers counted", f.Strangers())
	}
	if len(f.audit.records) != records+1 { // the other's code alone
		t.Error("strangers fill the audit log")
	}
	f.now = f.now.Add(time.Hour)
	refusedWith(t, start(code), reason.EnrolCodeExpired)
	if r := f.audit.last(t); r.Refused != reason.EnrolCodeExpired {
		t.Errorf("recorded %+v", r)
	}
}

func TestACodeBindsToTheFirstTPMThatUsesIt(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	first := f.begin(t, laptop, code)
	_, err := f.Start(t.Context(), second.start(code), second.spki, "192.0.2.8")
	refusedWith(t, err, reason.EnrolCodeBound)
	f.begin(t, laptop.again(t), code) // the same TPM may begin again, with new keys too
	if _, err := f.Finish(t.Context(), laptop.finish(t, first), laptop.spki); err != nil {
		t.Error(err)
	}
	refusedWith(t, f.startError(t, laptop, code), reason.EnrolCodeUnknown) // consumed
}

func (f *fixture) startError(t *testing.T, m *machine, code string) error {
	t.Helper()
	_, err := f.Start(t.Context(), m.start(code), m.spki, "192.0.2.7")
	return err
}

func TestACodeExpiresBetweenStartAndFinish(t *testing.T) {
	f := open(t)
	code, err := f.IssueCode(t.Context(), "moda", "LT-2231", "uid:0", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c := f.begin(t, laptop, code)
	f.now = f.now.Add(time.Minute)
	_, err = f.Finish(t.Context(), laptop.finish(t, c), laptop.spki)
	refusedWith(t, err, reason.EnrolCodeExpired)
	if all, _ := f.directory.Devices(t.Context(), "moda"); len(all) != 0 {
		t.Error("a device was made")
	}
}

func TestWhatTheAgentSaysOfItselfIsBounded(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	for name, spoil := range map[string]func(*wire.EnrolStart){
		"control character": func(in *wire.EnrolStart) { in.Hostname = "a\x1b[2J" },
		"direction":         func(in *wire.EnrolStart) { in.Hostname = "a\u202e" },
		"not UTF-8":         func(in *wire.EnrolStart) { in.Hostname = "\xff" },
		"long":              func(in *wire.EnrolStart) { in.Hostname = strings.Repeat("a", 254) },
		"system":            func(in *wire.EnrolStart) { in.OS = "plan9" },
		"no AK":             func(in *wire.EnrolStart) { in.AK = nil },
		"AK":                func(in *wire.EnrolStart) { in.AK = make([]byte, 1025) },
		"certificate":       func(in *wire.EnrolStart) { in.EKCertificate = make([]byte, 8<<10+1) },
		"no EK at all":      func(in *wire.EnrolStart) { in.EKCertificate = nil },
		"two EKs":           func(in *wire.EnrolStart) { in.EKKey = []byte{1} },
	} {
		in := laptop.start(code)
		spoil(&in)
		_, err := f.Start(t.Context(), in, laptop.spki, "192.0.2.7")
		t.Run(name, func(t *testing.T) { refusedWith(t, err, reason.EnrolMalformed) })
	}
}

func TestTheHolderOfACodeCannotFillTheAuditLog(t *testing.T) {
	f := open(t)
	code := f.code(t, "moda", "LT-2231")
	spoiled := laptop.start(code)
	spoiled.OS = "plan9"
	finish := laptop.finish(t, f.begin(t, laptop, code))
	finish.Secret = nil
	before := len(f.audit.records)
	for i := range 40 {
		_, startErr := f.Start(t.Context(), spoiled, laptop.spki, "192.0.2.7")
		_, finishErr := f.Finish(t.Context(), finish, laptop.spki)
		if i >= 10 {
			refusedWith(t, startErr, reason.TooMany)
			refusedWith(t, finishErr, reason.TooMany)
		}
	}
	if got := len(f.audit.records) - before; got != 19 { // of 20, with the honest start
		t.Errorf("%d attempts are recorded", got)
	}
	f.now = f.now.Add(10 * time.Second)
	f.begin(t, laptop, code)
}
