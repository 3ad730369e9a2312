//go:build linux

package adversary

import (
	"context"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/firmware"
	"github.com/menshen-zt/menshen/test/lab"
)

const bootFile = "pdp/verifier/boot.go"

// references has the PDP learn what the victim's machine boots, and approves it.
func (s *stage) references(id string) {
	s.Helper()
	ctx := context.Background()
	must(s.pdp.Admin.LearnReference(ctx, lab.Agency, wire.LearnRequest{ID: id, Devices: []string{s.mine.name}}))(s)
	must(s.pdp.Admin.ApproveReference(ctx, lab.Agency, id, client.Approval{}))(s)
}

// bootAs boots a machine that is changed; it boots as usual again when the
// attack is over.
func (s *stage) bootAs(m *machine, change func(*firmware.Machine)) {
	s.Helper()
	usual := m.pc
	s.Cleanup(func() {
		m.pc = usual
		s.boot(m)
	})
	m.pc.KEK, m.pc.DB, m.pc.DBX = slices.Clone(usual.KEK), slices.Clone(usual.DB), slices.Clone(usual.DBX)
	m.pc.OptionROMs = slices.Clone(usual.OptionROMs)
	change(&m.pc)
	s.boot(m)
}

// bootedAs is genuine Evidence of a machine that boots something else.
func bootedAs(change func(*firmware.Machine)) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		d := s.enrolled(s.mine)
		s.accepted(d)
		s.bootAs(s.mine, change)
		return s.attest(s.booted(d, s.mine), nil)
	}
}

func boots() []attack {
	unknown := check{file: bootFile, code: "return wire.FindingTampered, reason.BootUnknownValue", without: "return wire.FindingUnknownUpdate, reason.BootUnknownUpdate"}
	keys := check{file: bootFile, code: "case wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB:\n\t\treturn wire.FindingTampered, reason.BootKeysChanged", without: "case wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB:\n\t\tupdate = true"}
	return []attack{
		{
			name: "Secure Boot off", after: "Firmware Profile 1.06, 3.3.4.8",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				s.bootAs(s.mine, func(m *firmware.Machine) { m.SecureBoot = firmware.SecureBootOff })
				s.booted(d, s.mine)
				told := s.claims(func(c *wire.Claims) {
					i := slices.IndexFunc(c.Claims, func(c wire.Claim) bool { return c.ID == wire.ClaimSecureBoot })
					c.Claims[i].State = wire.ClaimFail
				})
				return must(d.Attest(context.Background(), told, nil))(s)
			}, want: []string{reason.SecureBootOff, reason.BootSecureBootOff}, answer: distrusted,
			check: check{file: bootFile, code: "return wire.FindingTampered, reason.BootSecureBootOff", without: "return wire.FindingUnknownUpdate, reason.BootUnknownUpdate"},
		},
		{
			name: "foreign key in db", after: "whoever writes db decides what boots",
			try:  bootedAs(func(m *firmware.Machine) { m.DB = append(m.DB, "Mallory") }),
			want: []string{reason.BootKeysChanged}, answer: distrusted, check: keys,
		},
		{
			name: "foreign platform key", after: "whoever holds PK decides what boots",
			try:  bootedAs(func(m *firmware.Machine) { m.PK = "Mallory" }),
			want: []string{reason.BootKeysChanged}, answer: distrusted, check: keys,
		},
		{
			name: "revocations put back", after: "a boot loader that was revoked starts again",
			try:  bootedAs(func(m *firmware.Machine) { m.DBX = m.DBX[:1] }),
			want: []string{reason.BootRevocationsLost}, answer: distrusted,
			check: check{file: bootFile, code: "if shrunk {", without: "if false && shrunk {"},
		},
		{
			name: "boot loader signed by a key of the attacker's", after: "shim's machine owner keys",
			try: bootedAs(func(m *firmware.Machine) {
				m.MOK, m.Loader.Signer, m.Loader.Content = append(m.MOK, "Mallory"), "Mallory", "grub of Mallory"
			}),
			want: []string{reason.BootUnknownValue, reason.BootUnknownValue, reason.BootUnknownValue}, answer: distrusted,
			check: unknown,
		},
		{
			name: "another command line", after: "lockdown switched off by a word",
			try:  bootedAs(func(m *firmware.Machine) { m.CommandLine += " lockdown=none init=/bin/sh" }),
			want: []string{reason.BootUnknownValue}, answer: distrusted, check: unknown,
		},
		{
			name: "another option ROM", after: "code on a card runs before everything",
			try:  bootedAs(func(m *firmware.Machine) { m.OptionROMs[0].Content = "network boot of Mallory" }),
			want: []string{reason.BootUnknownValue}, answer: distrusted, check: unknown,
		},
		{
			name: "other firmware", after: "code that runs first",
			try:  bootedAs(func(m *firmware.Machine) { m.FirmwareVersion = "9.9.9" }),
			want: []string{reason.BootUnknownValue, reason.BootUnknownValue, reason.BootUnknownValue}, answer: distrusted, check: unknown,
		},
		{
			name: "kernel that nobody approved yet", after: "brittle reference values: an update is no attack",
			try:  bootedAs(func(m *firmware.Machine) { *m = m.UpdateKernel("6.12.49-amd64", "linux 6.12.49-1") }),
			want: []string{reason.BootUnknownUpdate}, answer: told,
			check: check{file: bootFile, code: "return wire.FindingUnknownUpdate, reason.BootUnknownUpdate", without: "return \"\", \"\""},
		},
		{
			name: "kernel rolled back", after: "signed, and known to be old",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				s.Cleanup(func() { // runs last: the usual machine is approved again
					s.accepted(s.enrolled(s.mine))
					s.references("laptops")
				})
				s.bootAs(s.mine, func(m *firmware.Machine) { *m = m.UpdateKernel("6.12.49-amd64", "linux 6.12.49-1") })
				s.accepted(s.booted(d, s.mine))
				s.references("laptops") // what was current is superseded
				s.bootAs(s.mine, func(m *firmware.Machine) { *m = firmware.Laptop("mine") })
				return s.attest(s.booted(d, s.mine), nil)
			}, want: []string{reason.BootRolledBack, reason.BootRolledBack}, answer: distrusted,
			check: check{file: bootFile, code: "case e.Demanded && e.state == wire.ReferenceSuperseded:", without: "case false:"},
		},
	}
}
