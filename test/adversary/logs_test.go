//go:build linux

package adversary

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/firmware"
)

const (
	replayFile    = "pdp/verifier/eventlog/replay.go"
	logFile       = "pdp/verifier/eventlog/log.go"
	readFile      = "pdp/verifier/eventlog/read.go"
	separatorFile = "pdp/verifier/eventlog/separator.go"
	sbPolicyFile  = "pdp/verifier/eventlog/policy.go"
	bootlogFile   = "pdp/verifier/bootlog.go"
)

// bootWith switches the machine off and on and boots it with events that are
// changed: the log tells of just what the TPM holds. The machine boots as usual
// again when the attack is over.
func (s *stage) bootWith(m *machine, change func([]firmware.Event) []firmware.Event) {
	s.Helper()
	s.Cleanup(func() { s.boot(m) })
	s.restart(m)
	banks := must(firmware.Banks(m.chip.TPM))(s)
	events := change(must(firmware.Build(m.pc))(s))
	for _, e := range events {
		s.ok(firmware.Extend(m.chip.TPM, e, banks...))
	}
	m.log = firmware.Marshal(events, banks...)
}

func (s *stage) restart(m *machine) {
	s.Helper()
	s.ok(firmware.Shutdown(m.chip.TPM))
	s.ok(m.soft.Restart(context.Background()))
}

// showing sends another log than the true one, over the true PCRs.
func showing(log func(*stage, []firmware.Event) []byte) func(*stage) attacker.Outcome {
	return changed(func(s *stage, d *device, e *wire.Evidence, _ wire.NonceAnswer) {
		e.EventLog = log(s, must(firmware.Build(s.mine.pc))(s))
	})
}

// lying marshals events that were changed.
func lying(change func([]firmware.Event) []firmware.Event) func(*stage) attacker.Outcome {
	return showing(func(s *stage, events []firmware.Event) []byte {
		return firmware.Marshal(change(events), must(firmware.Banks(s.mine.chip.TPM))(s)...)
	})
}

// booting boots what was changed, log and TPM alike, and attests.
func booting(change func([]firmware.Event) []firmware.Event) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		d := s.enrolled(s.mine)
		s.bootWith(s.mine, change)
		return s.attest(s.booted(d, s.mine), nil)
	}
}

// at finds an event by PCR, type and a part of its data.
func at(events []firmware.Event, pcr int, kind uint32, part string) int {
	return slices.IndexFunc(events, func(e firmware.Event) bool {
		return e.PCR == pcr && e.Type == kind && bytes.Contains(bytes.ReplaceAll(e.Data, []byte{0}, nil), []byte(part))
	})
}

func separator(pcr int) firmware.Event {
	return firmware.Event{PCR: pcr, Type: firmware.Separator, Data: make([]byte, 4), Measured: make([]byte, 4)}
}

func locality(level byte) firmware.Event {
	return firmware.Event{Type: firmware.NoAction, Data: append([]byte("StartupLocality\x00"), level)}
}

func logs() []attack {
	mismatch := check{file: replayFile, code: `problems = append(problems, tampered(reason.EventLogMismatch, quoted.Index, -1, "another value"))`, without: "continue"}
	truncated := check{
		file: logFile, code: "e, err := agileEvent(c, header)\n\t\tif err != nil {\n\t\t\treturn nil, err\n\t\t}",
		without: "e, err := agileEvent(c, header)\n\t\tif err != nil {\n\t\t\treturn l, nil\n\t\t}",
	}
	misplaced := check{file: readFile, code: "r.tampered(reason.EventLogPlace, i, e, describeType(e.Type))", without: "_ = i"}
	return []attack{
		{
			name: "no log", after: "invariant 6: absence never raises trust",
			try:  showing(func(*stage, []firmware.Event) []byte { return nil }),
			want: []string{reason.EventLogAbsent, reason.BootNoLog}, answer: distrusted,
			check: check{file: "pdp/verifier/boot.go", code: "Findings:    []wire.Finding{{Type: wire.FindingMissing, Reason: reason.New(reason.BootNoLog)}},", without: ""},
		},
		{
			name: "log cut short", after: "truncated logs",
			try:  showing(func(s *stage, _ []firmware.Event) []byte { return s.mine.log[:len(s.mine.log)-10] }),
			want: []string{reason.EventLogMalformed, reason.BootNoLog}, answer: distrusted, check: truncated,
		},
		{
			name: "log cut between two events", after: "truncated logs",
			try:  lying(func(e []firmware.Event) []firmware.Event { return e[:len(e)-4] }),
			want: []string{reason.EventLogMismatch, reason.EventLogMismatch, reason.BootNoLog}, answer: distrusted, check: mismatch,
		},
		{
			name: "bytes behind the log", after: "truncated logs",
			try:  showing(func(s *stage, _ []firmware.Event) []byte { return append(bytes.Clone(s.mine.log), 0, 0, 0, 0) }),
			want: []string{reason.EventLogMalformed, reason.BootNoLog}, answer: distrusted, check: truncated,
		},
		{
			name: "garbage as event log", after: "a bound on every length",
			try:  showing(func(*stage, []firmware.Event) []byte { return bytes.Repeat([]byte{0xa5}, wire.MaxEventLogBytes) }),
			want: []string{reason.EventLogMalformed, reason.BootNoLog}, answer: distrusted, check: check{file: logFile, code: "first, err := legacyEvent(&c)\n\tif err != nil {\n\t\treturn nil, err", without: "first, err := legacyEvent(&c)\n\tif err != nil {\n\t\treturn &Log{}, nil"},
		},
		{
			name: "log of 10,000 events", after: "a bound on every length",
			try: showing(func(_ *stage, events []firmware.Event) []byte {
				for len(events) < 10_000 {
					events = append(events, firmware.Event{PCR: 6, Type: firmware.Action})
				}
				return firmware.Marshal(events, crypto.SHA256)
			}), want: []string{reason.EventLogTooLarge, reason.BootNoLog}, answer: distrusted,
			check: check{file: logFile, code: "MaxEvents = 4096", without: "MaxEvents = 40960"},
		},
		{
			name: "log without the bank that was quoted", after: "CVE-2021-42299: a bank that nobody extended",
			try:  showing(func(_ *stage, events []firmware.Event) []byte { return firmware.Marshal(events, crypto.SHA384) }),
			want: []string{reason.EventLogNoBank, reason.BootNoLog}, answer: distrusted,
			check: check{file: readFile, code: "return wire.Boot{}, []Problem{unsupported(reason.EventLogNoBank, -1, -1, \"no digests of this bank\")}", without: "return wire.Boot{}, nil"},
		},
		{
			name: "bank that the firmware did not extend", after: "CVE-2021-42299",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				s.Cleanup(func() { s.boot(s.mine) })
				s.restart(s.mine)
				events := must(firmware.Build(s.mine.pc))(s)
				for _, e := range events {
					s.ok(firmware.Extend(s.mine.chip.TPM, e, crypto.SHA384))
				}
				return s.attest(s.booted(d, s.mine), nil)
			}, want: append(slices.Repeat([]string{reason.EventLogUnextended}, 8), reason.BootNoLog), answer: distrusted,
			check: check{file: replayFile, code: "case bytes.Equal(quoted.Digest, r.reset), bytes.Equal(quoted.Digest, make([]byte, b.size)):", without: "case false:"},
		},
		{
			name: "register that the log is silent about", after: "each quoted PCR is accounted for",
			try: lying(func(e []firmware.Event) []firmware.Event {
				return slices.DeleteFunc(e, func(e firmware.Event) bool { return e.PCR == 14 })
			}), want: []string{reason.EventLogUnlogged, reason.BootNoLog}, answer: distrusted,
			check: check{file: replayFile, code: `problems = append(problems, tampered(reason.EventLogUnlogged, quoted.Index, -1, "no event"))`, without: "continue"},
		},
		{
			name: "log of another machine", after: "a log that nothing binds to the quote",
			try:  showing(func(s *stage, _ []firmware.Event) []byte { return s.others.log }),
			want: []string{reason.EventLogMismatch, reason.BootNoLog}, answer: distrusted, check: mismatch,
		},
		{
			name: "another command line in the log", after: "a log that nothing binds to the quote",
			try: lying(func(e []firmware.Event) []firmware.Event {
				i := at(e, 8, firmware.IPL, "kernel_cmdline")
				e[i].Data, e[i].Measured = []byte("kernel_cmdline: quiet\x00"), []byte("quiet")
				return e
			}), want: []string{reason.EventLogMismatch, reason.BootNoLog}, answer: distrusted, check: mismatch,
		},
		{
			name: "true digest over another command line", after: "data that the digest does not cover",
			try: lying(func(e []firmware.Event) []firmware.Event {
				e[at(e, 8, firmware.IPL, "kernel_cmdline")].Data = []byte("kernel_cmdline: quiet\x00")
				return e
			}), want: []string{reason.EventLogDigest, reason.BootNoLog}, answer: distrusted,
			check: check{file: "pdp/verifier/eventlog/loader.go", code: "if !r.bank.is(digest, text) && !r.bank.is(digest, bytes.TrimSuffix(text, []byte{0})) {", without: "if false && !r.bank.is(digest, bytes.TrimSuffix(text, []byte{0})) {"},
		},
		{
			name: "true digest over another Secure Boot variable", after: "data that the digest does not cover",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				s.bootAs(s.mine, func(m *firmware.Machine) { m.SecureBoot = firmware.SecureBootOff })
				return s.attest(s.booted(d, s.mine), func(e *wire.Evidence, _ wire.NonceAnswer) {
					events := must(firmware.Build(s.mine.pc))(s)
					v := events[at(events, 7, firmware.VariableDriverConfig, "SecureBoot")].Data
					v[len(v)-1] = 1
					on := bytes.Replace(s.mine.log, append(v[:len(v)-1:len(v)-1], 0), v, 1)
					if bytes.Equal(on, s.mine.log) {
						s.Fatal("the log was not changed")
					}
					e.EventLog = on
				})
			}, want: []string{reason.EventLogDigest, reason.BootNoLog}, answer: distrusted,
			check: check{file: sbPolicyFile, code: "case !r.covers(e):\n\t\tr.tampered(reason.EventLogDigest, i, e, v.name)\n\t\treturn\n\tcase r.policy.seen", without: "case r.policy.seen"},
		},
		{
			name: "boot loader written up as an action", after: "an event's type is not authenticated",
			try: lying(func(e []firmware.Event) []firmware.Event {
				e[at(e, 4, firmware.BootServicesApplication, "grubx64")].Type = firmware.SCRTMVersion
				return e
			}), want: []string{reason.EventLogPlace, reason.BootNoLog}, answer: distrusted, check: misplaced,
		},
		{
			name: "separator written up as something else", after: "an event's type is not authenticated",
			try: lying(func(e []firmware.Event) []firmware.Event {
				e[at(e, 7, firmware.Separator, "")].Type = firmware.VariableAuthority
				return e
			}), want: []string{reason.EventLogPlace, reason.BootNoLog}, answer: distrusted, check: misplaced,
		},
		{
			name: "second separator", after: "the firmware's part drawn anew after one's own events",
			try:  booting(func(e []firmware.Event) []firmware.Event { return append(e, separator(7)) }),
			want: []string{reason.EventLogTwice, reason.BootNoLog}, answer: distrusted,
			check: check{file: separatorFile, code: "case r.separated[e.PCR]:\n\t\tr.tampered(reason.EventLogTwice, i, e, \"separator\")", without: "case false:"},
		},
		{
			name: "Secure Boot switched on after its separator", after: "each event has its place",
			try: booting(func(e []firmware.Event) []firmware.Event {
				return append(e, e[at(e, 7, firmware.VariableDriverConfig, "SecureBoot")])
			}), want: []string{reason.EventLogPlace, reason.BootNoLog}, answer: distrusted, check: misplaced,
		},
		{
			name: "Secure Boot's variable twice", after: "two readers, two readings",
			try: booting(func(e []firmware.Event) []firmware.Event {
				i := at(e, 7, firmware.VariableDriverConfig, "SecureBoot")
				return slices.Insert(e, i, e[i])
			}), want: []string{reason.EventLogTwice, reason.BootNoLog}, answer: distrusted,
			check: check{file: sbPolicyFile, code: "case r.policy.seen[v.owner+v.name]:", without: "case false:"},
		},
		{
			name: "Secure Boot of another value", after: "a value that is neither on nor off",
			try: booting(func(e []firmware.Event) []firmware.Event {
				i := at(e, 7, firmware.VariableDriverConfig, "SecureBoot")
				e[i].Data[len(e[i].Data)-1] = 2
				e[i].Measured = e[i].Data
				return e
			}), want: []string{reason.EventLogContent, reason.BootNoLog}, answer: distrusted,
			check: check{file: sbPolicyFile, code: "case len(data) == 1 && data[0] == 1:", without: "case len(data) == 1:"},
		},
		{
			name: "Secure Boot on, and no key that verified anything", after: "Secure Boot is more than a variable",
			try: booting(func(e []firmware.Event) []firmware.Event {
				return slices.DeleteFunc(e, func(e firmware.Event) bool { return e.Type == firmware.VariableAuthority })
			}), want: []string{reason.EventLogSecureBoot, reason.BootNoLog}, answer: distrusted,
			check: check{file: sbPolicyFile, code: "if !r.policy.authority {", without: "if false {"},
		},
		{
			name: "start-up locality forged", after: "StartupLocality is no measured event",
			try:  lying(func(e []firmware.Event) []firmware.Event { return slices.Insert(e, 0, locality(3)) }),
			want: []string{reason.EventLogMismatch, reason.BootNoLog}, answer: distrusted, check: mismatch,
		},
		{
			name: "start-up locality twice", after: "StartupLocality is no measured event",
			try:  lying(func(e []firmware.Event) []firmware.Event { return slices.Insert(e, 0, locality(0), locality(0)) }),
			want: []string{reason.EventLogLocality, reason.BootNoLog}, answer: distrusted,
			check: check{file: replayFile, code: "if !ok || said || extended {", without: "if !ok || extended {"},
		},
		{
			name: "start-up locality after the first event", after: "StartupLocality is no measured event",
			try:  lying(func(e []firmware.Event) []firmware.Event { return slices.Insert(e, 1, locality(0)) }),
			want: []string{reason.EventLogLocality, reason.BootNoLog}, answer: distrusted,
			check: check{file: replayFile, code: "if !ok || said || extended {", without: "if !ok || said {"},
		},
		{
			name: "Secure Boot claimed on and measured off", after: "the log wins over the operating system's word",
			try:  bootedAs(func(m *firmware.Machine) { m.SecureBoot = firmware.SecureBootOff }),
			want: []string{reason.SecureBootDenied, reason.BootSecureBootOff}, answer: distrusted,
			check: check{file: "pdp/verifier/appraise.go", code: "case lie != nil:", without: "case false:"},
		},
		{
			name: "digest of another device's log", after: "delta evidence that nobody holds against what is kept",
			try: func(s *stage) attacker.Outcome {
				d, other := s.enrolled(s.mine), s.enrolled(s.others)
				s.accepted(d)
				s.accepted(other)
				return s.byLogDigest(d, other.Log)
			}, want: []string{reason.EventLogNotKept, reason.BootNoLog}, answer: distrusted,
			check: check{
				file: bootlogFile, code: "!bytes.Equal(before.LogDigest, in.Evidence.EventLogDigest) ||", without: "",
				also: [2]string{"|| !bytes.Equal(before.PCRDigest, wire.BootDigest(p.pcrs)) {", "{"},
			},
		},
		{
			name: "digest of a log that was never sent", after: "delta evidence that nobody holds against what is kept",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				s.accepted(d)
				return s.byLogDigest(d, []byte("a log that was never sent"))
			}, want: []string{reason.EventLogNotKept, reason.BootNoLog}, answer: distrusted,
			check: check{file: bootlogFile, code: "!bytes.Equal(before.LogDigest, in.Evidence.EventLogDigest) ||", without: ""},
		},
		{
			name: "digest of a log from before a boot", after: "a reset asks for a full attestation",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				s.accepted(d)
				s.boot(s.mine)
				return s.byLogDigest(d, d.Log)
			}, want: []string{reason.EventLogNotKept, reason.BootNoLog}, answer: distrusted,
			check: check{file: bootlogFile, code: "before.ResetCount != p.clock.ResetCount ||", without: ""},
		},
		{
			name: "digest of a log that PCRs have left behind", after: "delta evidence that nobody holds against what is kept",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				s.accepted(d)
				s.Cleanup(func() { s.boot(s.mine) })
				s.ok(firmware.Extend(s.mine.chip.TPM, firmware.Event{PCR: 9, Measured: []byte("another kernel")}, crypto.SHA256))
				return s.byLogDigest(d, d.Log)
			}, want: []string{reason.EventLogNotKept, reason.BootNoLog}, answer: distrusted,
			check: check{file: bootlogFile, code: "|| !bytes.Equal(before.PCRDigest, wire.BootDigest(p.pcrs)) {", without: "{"},
		},
		{
			name: "log both whole and by digest", after: "two readers, two readings",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				digest := sha256.Sum256(e.EventLog)
				e.EventLogDigest = digest[:]
			}), want: []string{reason.EvidenceMalformed},
			check: check{file: proofFile, code: "len(e.EventLog) > 0 && len(e.EventLogDigest) > 0,\n", without: "\n"},
		},
	}
}

// byLogDigest attests with the digest of a log alone.
func (s *stage) byLogDigest(d *device, log []byte) attacker.Outcome {
	s.Helper()
	return s.attest(d, func(e *wire.Evidence, _ wire.NonceAnswer) {
		digest := sha256.Sum256(log)
		e.EventLog, e.EventLogDigest = nil, digest[:]
	})
}
