package verifier

import (
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// BootPlace is a kind of measurement in one PCR.
type BootPlace struct {
	PCR  int
	Kind wire.MeasurementKind
}

// BootPolicy is the part of the appraisal policy that is about the boot. The
// zero value demands nothing and affirms nothing.
type BootPolicy struct {
	// Demanded are the places whose every measurement must be a known one.
	Demanded []BootPlace
	// Required are the places that a boot must have.
	Required []BootPlace
	// Reported are the places that may hold anything. A measurement that is
	// neither demanded nor reported counts as one of an unknown kind.
	Reported []BootPlace
	// DenyUnknown makes a measurement of an unknown kind contraindicate the
	// boot, wherever it is.
	DenyUnknown bool
}

// DefaultBootPolicy demands what code and which keys started the machine, and
// lets be what differs from machine to machine or from day to day: settings,
// the boot order, partitions, fixed actions, the boot loader's own commands,
// and files such as an initrd, which is made on the machine. A file is demanded
// where the reference values have that very file. Actions in PCR 7 are demanded:
// they say that a debugger or unprotected DMA was let in (TCG PC Client Platform
// Firmware Profile 1.06, 3.3.4.8).
//
// Required is what any machine measures that starts by UEFI, so that one set
// of reference values can be for machines of several models.
func DefaultBootPolicy() BootPolicy {
	return BootPolicy{
		Demanded: []BootPlace{
			{0, wire.MeasuredFirmware},
			{2, wire.MeasuredOptionROM},
			{4, wire.MeasuredBootApplication},
			{7, wire.MeasuredSecureBoot}, {7, wire.MeasuredPK}, {7, wire.MeasuredKEK}, {7, wire.MeasuredDB}, {7, wire.MeasuredDBX},
			{7, wire.MeasuredPolicy}, {7, wire.MeasuredAuthority}, {7, wire.MeasuredMOK}, {7, wire.MeasuredAction},
			{8, wire.MeasuredCommandLine},
			{9, wire.MeasuredFile},
			{14, wire.MeasuredMOK},
		},
		Required: []BootPlace{
			{0, wire.MeasuredFirmware},
			{4, wire.MeasuredBootApplication},
			{7, wire.MeasuredSecureBoot}, {7, wire.MeasuredPK}, {7, wire.MeasuredKEK}, {7, wire.MeasuredDB}, {7, wire.MeasuredDBX},
			{7, wire.MeasuredAuthority},
		},
		Reported: []BootPlace{
			{1, wire.MeasuredSetting}, {3, wire.MeasuredSetting}, {5, wire.MeasuredSetting}, {6, wire.MeasuredSetting},
			{5, wire.MeasuredPartitions},
			{0, wire.MeasuredAction}, {1, wire.MeasuredAction}, {2, wire.MeasuredAction}, {3, wire.MeasuredAction},
			{4, wire.MeasuredAction}, {5, wire.MeasuredAction}, {6, wire.MeasuredAction},
			{8, wire.MeasuredLoaderCommand},
			{9, wire.MeasuredCommandLine}, // the kernel's own record of it, which has no text
		},
	}
}

// judges reports whether the PCR holds something that is demanded of every
// machine. There a measurement of an unknown kind cannot be let be: an event's
// type is not authenticated, and a boot loader may be written up as anything.
func (p BootPolicy) judges(pcr int) bool {
	return slices.ContainsFunc(p.Demanded, func(d BootPlace) bool { return d.PCR == pcr && d.Kind != wire.MeasuredFile })
}

// demandsIn reports whether any place in the PCR is demanded.
func (p BootPolicy) demandsIn(pcr int) bool {
	return slices.ContainsFunc(p.Demanded, func(d BootPlace) bool { return d.PCR == pcr })
}

// Wants reports whether a known value is asked for at this place: whatever a
// machine measures there is worth learning.
func (p BootPolicy) Wants(place BootPlace) bool {
	return slices.Contains(p.Demanded, place) || p.judges(place.PCR) && !slices.Contains(p.Reported, place)
}

func placeOf(m wire.Measurement) BootPlace { return BootPlace{m.PCR, m.Kind} }

// AppraiseBoot holds a boot, whose log replays to the quoted PCRs, against an
// agency's reference values. A boot without measurements stands for a machine
// that sent no log.
//
// Each measurement is judged by itself. A value that is current or next is
// fine. A superseded one was rolled back to. A boot application, a Secure Boot
// policy or a longer list of revocations that nobody knows is taken for an
// update where Secure Boot is on and all keys that stand behind it are known:
// a warning. All else that is unknown counts as tampered with. The tier is the
// worst that any measurement deserves, so it never rises because something is
// absent (design: invariant 6): nor by leaving out the log.
func AppraiseBoot(boot wire.Boot, set *wire.ReferenceSet, policy BootPolicy) wire.BootAppraisal {
	if set == nil || len(set.Values) == 0 || len(policy.Demanded) == 0 {
		return wire.BootAppraisal{
			Findings: []wire.Finding{{Type: wire.FindingMissing, Reason: reason.New(reason.BootUnreferenced), Note: true}},
			Hardware: wire.Affirming, // nothing is said against it
		}
	}
	if len(boot.Measurements) == 0 {
		return wire.BootAppraisal{
			Findings:    []wire.Finding{{Type: wire.FindingMissing, Reason: reason.New(reason.BootNoLog)}},
			Executables: wire.Contraindicated, Hardware: wire.Affirming,
		}
	}
	b := bootJudge{boot: boot, set: set, policy: policy}
	b.look()
	b.trusted = b.keysStand()
	for i := range b.seen {
		b.judge(&b.seen[i])
	}
	b.require()
	return b.result()
}

// bootJudge holds one boot's appraisal while it is made.
type bootJudge struct {
	boot   wire.Boot
	set    *wire.ReferenceSet
	policy BootPolicy
	seen   []seenEvent
	// trusted says that the boot was under the control of known keys.
	trusted bool
	indexed *bootIndex // what index returns
}

// seenEvent is one measurement and what became of it.
type seenEvent struct {
	wire.BootEvent
	state   wire.ReferenceState // what it matches, empty if nothing
	unknown bool                // of a kind that the policy does not know there
	code    string
}

// fine reports whether the measurement has a value that is accepted.
func (e *seenEvent) fine() bool {
	return accepts(e.state)
}

// look matches every measurement and says whether a known value is demanded.
func (b *bootJudge) look() {
	for _, m := range b.boot.Measurements {
		if m.Kind == wire.MeasuredSeparator {
			continue // the parser holds each to its one value and place
		}
		e := seenEvent{BootEvent: wire.BootEvent{Measurement: m}}
		e.state = b.match(m)
		switch {
		case e.state == wire.ReferenceSuperseded && b.policy.demandsIn(m.PCR):
			e.Demanded = true // no other kind or name hides a value that is known to be old
		case m.Kind == wire.MeasuredFile:
			_, named := b.set.Values[wire.KeyOf(m)]
			e.Demanded = named && slices.Contains(b.policy.Demanded, placeOf(m))
		case slices.Contains(b.policy.Demanded, placeOf(m)):
			e.Demanded = true
		default:
			e.unknown = !slices.Contains(b.policy.Reported, placeOf(m))
			e.Demanded = e.unknown && (b.policy.DenyUnknown || b.policy.judges(m.PCR))
		}
		b.seen = append(b.seen, e)
	}
}

// keysStand reports whether Secure Boot was on and every key that decides what
// may start is a known one, so that whatever started was signed by such a key.
func (b *bootJudge) keysStand() bool {
	authorities := 0
	for i := range b.seen {
		e := &b.seen[i]
		switch m := e.Measurement; m.Kind {
		case wire.MeasuredSecureBoot, wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB, wire.MeasuredMOK:
			if !e.fine() {
				return false
			}
		case wire.MeasuredAuthority:
			if m.PCR != 7 {
				continue
			}
			if !e.fine() && !b.entryOfDB(m) {
				return false
			}
			authorities++
		case wire.MeasuredAction, wire.MeasuredUnknown:
			if m.PCR == 7 && !e.fine() {
				return false
			}
		}
	}
	return b.boot.SecureBoot == wire.SecureBootOn && authorities > 0
}

// entryOfDB reports whether the key that verified an image is an entry of this
// boot's db. Whether that db is a known one, keysStand sees for itself.
func (b *bootJudge) entryOfDB(authority wire.Measurement) bool {
	if len(authority.Members) != 1 {
		return false
	}
	return slices.ContainsFunc(b.seen, func(e seenEvent) bool {
		return e.Measurement.Kind == wire.MeasuredDB && contains(e.Measurement.Members, authority.Members[0])
	})
}

// judge gives a measurement that is not fine its type and code.
func (b *bootJudge) judge(e *seenEvent) {
	if e.fine() {
		return
	}
	m := e.Measurement
	e.Expected, e.Seen = b.expected(wire.KeyOf(m)), seenText(m)
	switch {
	case e.Demanded && e.state == wire.ReferenceSuperseded:
		e.Type, e.code = wire.FindingRolledBack, reason.BootRolledBack
	case e.unknown && e.Demanded && b.worse(m.PCR):
		e.Type, e.code = wire.FindingTampered, reason.BootUnknownValue
	case e.unknown:
		e.Type, e.code = wire.FindingUnsupported, reason.BootUnknownEvents
	case !e.Demanded && m.Kind == wire.MeasuredFile && b.approvedOpen():
		// No key verified what the boot loader read, and what the log calls an
		// initrd may be a kernel.
		e.Demanded, e.Type, e.code = true, wire.FindingUnsupported, reason.BootUnknownEvents
	case e.Demanded:
		e.Type, e.code = b.unknownValue(m)
	}
}

// approvedOpen reports whether the agency approved a boot without Secure Boot:
// then nothing but reference values says what may start.
func (b *bootJudge) approvedOpen() bool {
	return b.boot.SecureBoot == wire.SecureBootOff && !slices.ContainsFunc(b.seen, func(e seenEvent) bool {
		return e.Measurement.Kind == wire.MeasuredSecureBoot && !e.fine()
	})
}

// worse reports whether a measurement of an unknown kind in this PCR counts as
// tampered with, because under its own kind it would: whoever writes the log
// could else call it what he likes. In PCR 4 it may be an update, where keys
// stand for one; what is unknown in PCRs 7 and 14 makes no key stand for
// anything, or says nothing of what was started.
func (b *bootJudge) worse(pcr int) bool {
	switch pcr {
	case 0, 2, 8:
		return true
	case 4:
		return !b.trusted
	}
	return false
}

// unknownValue types a demanded measurement whose value nobody knows.
func (b *bootJudge) unknownValue(m wire.Measurement) (wire.FindingType, string) {
	update := false
	switch m.Kind {
	case wire.MeasuredSecureBoot:
		if b.boot.SecureBoot == wire.SecureBootOff {
			return wire.FindingTampered, reason.BootSecureBootOff
		}
	case wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB:
		return wire.FindingTampered, reason.BootKeysChanged
	case wire.MeasuredDBX:
		grown, shrunk := b.revocations(m)
		if shrunk {
			return wire.FindingRolledBack, reason.BootRevocationsLost
		}
		update = grown
	case wire.MeasuredBootApplication, wire.MeasuredPolicy, wire.MeasuredFile:
		update = true
	case wire.MeasuredAuthority:
		update = b.entryOfDB(m)
	}
	if update && b.trusted {
		return wire.FindingUnknownUpdate, reason.BootUnknownUpdate
	}
	return wire.FindingTampered, reason.BootUnknownValue
}

// require finds the required places that the boot lacks. Without Secure Boot
// nothing was verified, so that no key is missing.
func (b *bootJudge) require() {
	for _, place := range b.policy.Required {
		if slices.ContainsFunc(b.boot.Measurements, func(m wire.Measurement) bool { return placeOf(m) == place }) {
			continue
		}
		if place.Kind == wire.MeasuredAuthority && b.boot.SecureBoot == wire.SecureBootOff {
			continue
		}
		key := b.firstOf(place)
		e := seenEvent{BootEvent: wire.BootEvent{
			Measurement: wire.Measurement{PCR: key.PCR, Kind: key.Kind, Name: key.Name},
			Demanded:    true, Type: wire.FindingMissing, Expected: b.expected(key),
		}, code: reason.BootEventMissing}
		switch place.Kind {
		case wire.MeasuredDBX:
			e.Type, e.code = wire.FindingRolledBack, reason.BootRevocationsLost
		case wire.MeasuredSecureBoot, wire.MeasuredPK, wire.MeasuredKEK, wire.MeasuredDB:
			e.Type, e.code = wire.FindingTampered, reason.BootKeysChanged
		}
		b.seen = append(b.seen, e)
	}
}
