package eventlog

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/wire"
)

func seeds(f *testing.F) {
	f.Helper()
	raw := twoBanks().Marshal()
	f.Add(raw)
	f.Add(logOf(genuine()).Marshal())
	f.Add(logOf(windowsOff()).Marshal())
	f.Add(logOf(insert(genuine(), 0, step{0, NoAction, []byte(localitySignature + "\x03"), nil})).Marshal())
	f.Add(legacyOf(3))
	f.Add(raw[:len(raw)/2])
	f.Add([]byte(nil))
}

// FuzzParse: what parses marshals to itself, and is within the bounds.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(l.Marshal(), raw) {
			t.Fatal("marshals to other bytes")
		}
		if len(raw) > MaxBytes || len(l.Events) > MaxEvents {
			t.Fatalf("%d bytes, %d events", len(raw), len(l.Events))
		}
	})
}

// FuzzRead: whatever a log holds, and a TPM quotes just what it leads to,
// reading does not panic, passes on nothing of what it refuses, and keeps its
// promises of names and bounds.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		pcrs := quoted(&Log{}, sha256Bank(), 0)
		events := 0
		if l, err := Parse(raw); err == nil && sha256Bank().in(l) {
			start, _ := startup(l.Events)
			pcrs = quoted(l, sha256Bank(), start)
			events = len(l.Events)
		}
		boot, problems := Read(raw, pcrs)
		fatal := false
		for _, p := range problems {
			fatal = fatal || p.Fatal
			if p.Type == "" || p.Code == "" || utf8.RuneCountInString(p.Seen) > maxText+1 {
				t.Errorf("%+v", p)
			}
		}
		if len(problems) > 2*maxProblems || fatal != (len(boot.PCRDigest) == 0) {
			t.Errorf("%d problems, fatal %v, read %x", len(problems), fatal, boot.PCRDigest)
		}
		if fatal && (len(boot.Measurements) > 0 || boot.SecureBoot != "") {
			t.Errorf("something of what was refused is passed on: %+v", boot)
		}
		if len(boot.Measurements) > events {
			t.Errorf("%d measurements of %d events", len(boot.Measurements), events)
		}
		plausible(t, boot)
	})
}

func plausible(t *testing.T, boot wire.Boot) {
	t.Helper()
	seen := map[wire.ReferenceKey]bool{}
	authority := false
	for _, m := range boot.Measurements {
		if seen[wire.KeyOf(m)] {
			t.Errorf("%+v stands twice", wire.KeyOf(m))
		}
		seen[wire.KeyOf(m)] = true
		authority = authority || m.PCR == 7 && m.Kind == wire.MeasuredAuthority
		if m.Kind == "" || m.Name == "" || len(m.Digest) != 32 || utf8.RuneCountInString(m.Name) > maxText+32 {
			t.Errorf("%+v", m)
		}
		switch m.Kind {
		case wire.MeasuredSecureBoot, wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB, wire.MeasuredDBX, wire.MeasuredAction,
			wire.MeasuredLoaderCommand, wire.MeasuredSeparator:
			if !m.Verified {
				t.Errorf("%s is not verified", m.Name)
			}
		case wire.MeasuredCommandLine:
			if m.Detail != "" && (!m.Verified || commandLine(m.Detail) != m.Detail) {
				t.Errorf("command line %q, verified %v", m.Detail, m.Verified)
			}
		}
	}
	if boot.SecureBoot == wire.SecureBootOn && !authority {
		t.Error("Secure Boot is on and verified nothing")
	}
}
