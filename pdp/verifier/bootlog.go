package verifier

import (
	"bytes"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/eventlog"
)

// maxLogFindings bounds what a result tells of the log itself.
const maxLogFindings = 8

// readBoot takes note in k of the event log that came or of the one that is
// meant, and returns the boot that it tells of, nil if none. A log is meant by
// digest only where it was read in this boot over the same PCR values: else it
// counts as not sent, and is wanted. That a log is wanting is a note: what
// lowers the tier is that the boot shows nothing that is demanded.
func readBoot(in Input, p proof, before, k *wire.Kept) (boot *wire.Boot, read bool, wanted bool) {
	e := in.Evidence
	switch {
	case len(e.EventLog) > 0:
		now, problems := eventlog.Read(e.EventLog, p.pcrs)
		k.LogDigest, k.PCRDigest = now.LogDigest, wire.BootDigest(p.pcrs)
		k.LogFindings, k.Unread = logFindings(problems), now.PCRDigest == nil
		if k.Unread {
			return nil, false, false
		}
		return &now, true, false
	case len(e.EventLogDigest) > 0:
		if boot, ok := meant(in, p, before); ok {
			k.LogDigest, k.PCRDigest, k.LogFindings, k.Unread = before.LogDigest, before.PCRDigest, before.LogFindings, before.Unread
			return boot, false, false
		}
		k.LogFindings = []wire.Finding{{Type: wire.FindingMissing, Reason: reason.New(reason.EventLogNotKept), Note: true}}
		return nil, false, true
	case p.pcrs != nil:
		k.LogFindings = []wire.Finding{{Type: wire.FindingMissing, Reason: reason.New(reason.EventLogAbsent), Note: true}}
	}
	return nil, false, false
}

// meant is the boot that a digest stands for; false where it stands for none, as
// one does that an older version read.
func meant(in Input, p proof, before *wire.Kept) (*wire.Boot, bool) {
	if before == nil || before.ResetCount != p.clock.ResetCount || len(before.LogDigest) == 0 ||
		!bytes.Equal(before.LogDigest, in.Evidence.EventLogDigest) || !bytes.Equal(before.PCRDigest, wire.BootDigest(p.pcrs)) {
		return nil, false
	}
	if before.Unread {
		return nil, true
	}
	boot := keptBoot(in.RecallBoot, before)
	return boot, boot != nil && boot.Reading == eventlog.Reading
}

// keptBoot is the boot that k was judged by, nil if it is not kept any more.
func keptBoot(recall func() *wire.Boot, k *wire.Kept) *wire.Boot {
	if recall == nil || k.Unread || len(k.LogDigest) == 0 {
		return nil
	}
	boot := recall()
	if boot == nil || !bytes.Equal(boot.LogDigest, k.LogDigest) || !bytes.Equal(boot.PCRDigest, k.PCRDigest) {
		return nil
	}
	return boot
}

// logFindings tells of a log's problems, forgeries first.
func logFindings(problems []eventlog.Problem) []wire.Finding {
	rank := func(p eventlog.Problem) int {
		return slices.Index([]wire.FindingType{wire.FindingTampered, wire.FindingFailing, wire.FindingUnsupported}, p.Type)
	}
	slices.SortStableFunc(problems, func(a, b eventlog.Problem) int { return rank(a) - rank(b) })
	var findings []wire.Finding
	for _, p := range problems[:min(len(problems), maxLogFindings)] {
		findings = append(findings, p.Finding())
	}
	return findings
}

// appraiseLog is the best tier of executables that what the log showed permits.
func appraiseLog(findings []wire.Finding) wire.Trustworthiness {
	best := wire.Affirming
	for _, f := range findings {
		switch f.Type {
		case wire.FindingTampered:
			return wire.Contraindicated
		case wire.FindingFailing:
			best = wire.Warning
		}
	}
	return best
}

// worst returns the worst of the tiers where a contraindication counts more
// than not knowing.
func worst(a, b wire.Trustworthiness) wire.Trustworthiness {
	if a == wire.Contraindicated || b == wire.Contraindicated {
		return wire.Contraindicated
	}
	return worse(a, b)
}

// contradicted has the log win over the operating system's word on Secure Boot:
// PCR 7 cannot be talked out of what the firmware measured there. A claim that
// passes over a boot without Secure Boot is a lie.
func contradicted(boot *wire.Boot, claims []wire.Claim) *wire.Finding {
	if boot == nil || boot.SecureBoot != wire.SecureBootOff {
		return nil
	}
	at := slices.IndexFunc(claims, func(c wire.Claim) bool { return c.ID == wire.ClaimSecureBoot && c.State == wire.ClaimPass })
	if at < 0 {
		return nil
	}
	claims[at].State = wire.ClaimFail
	return &wire.Finding{
		Type: wire.FindingTampered, Claim: wire.ClaimSecureBoot, Reason: reason.New(reason.SecureBootDenied),
		Expected: string(wire.SecureBootOff), Seen: string(wire.ClaimPass),
	}
}
