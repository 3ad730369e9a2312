package verifier

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxBootFindings bounds what a result tells of one boot: the worst are told,
// the rest is counted. Every event is in BootAppraisal.Events.
const maxBootFindings = 12

// result puts tier and findings together.
func (b *bootJudge) result() wire.BootAppraisal {
	out := wire.BootAppraisal{Executables: wire.Affirming, Hardware: wire.Affirming}
	var told, unknown []*seenEvent
	for i := range b.seen {
		e := &b.seen[i]
		if e.fine() {
			continue
		}
		if e.Type != "" || b.known(wire.KeyOf(e.Measurement)) {
			out.Events = append(out.Events, e.BootEvent)
		}
		tier := b.tier(e)
		out.Executables = worse(out.Executables, tier)
		if kind := e.Measurement.Kind; kind == wire.MeasuredFirmware || kind == wire.MeasuredOptionROM {
			out.Hardware = worse(out.Hardware, tier)
		}
		switch e.Type {
		case "":
		case wire.FindingUnsupported:
			if tier != wire.Affirming { // the parser reports the others
				unknown = append(unknown, e)
			}
		default:
			told = append(told, e)
		}
	}
	out.Findings = findingsOf(told)
	if len(unknown) > 0 {
		out.Findings = append(out.Findings, unknownKinds(unknown))
	}
	return out
}

func (b *bootJudge) known(key wire.ReferenceKey) bool {
	_, ok := b.set.Values[key]
	return ok
}

// tier is the best that a boot with this event deserves.
func (b *bootJudge) tier(e *seenEvent) wire.Trustworthiness {
	switch e.Type {
	case "":
		return wire.Affirming
	case wire.FindingUnknownUpdate:
		return wire.Warning
	case wire.FindingUnsupported:
		switch {
		case b.policy.DenyUnknown:
			return wire.Contraindicated
		case e.Demanded:
			return wire.Warning
		}
		return wire.Affirming
	}
	return wire.Contraindicated
}

// findingsOf tells of the worst events, in the order of the log, and counts
// the rest.
func findingsOf(events []*seenEvent) []wire.Finding {
	rank := func(e *seenEvent) int {
		if e.Type == wire.FindingUnknownUpdate {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(events, func(a, b *seenEvent) int { return rank(a) - rank(b) })
	var findings []wire.Finding
	for i, e := range events {
		if i == maxBootFindings {
			rest := strconv.Itoa(len(events) - i)
			findings = append(findings, wire.Finding{Type: e.Type, Seen: rest, Reason: reason.New(reason.BootMoreEvents, "count", rest)})
			break
		}
		m := e.Measurement
		findings = append(findings, wire.Finding{
			Type: e.Type, Expected: e.Expected, Seen: e.Seen,
			Reason: reason.New(e.code, "pcr", strconv.Itoa(m.PCR), "kind", string(m.Kind), "name", plain(m.Name),
				"expected", orNothing(e.Expected), "seen", orNothing(e.Seen)),
		})
	}
	return findings
}

func orNothing(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// maxUnknownNamed bounds how many events of unknown kinds are named.
const maxUnknownNamed = 6

// unknownKinds tells of all events of unknown kinds in one finding.
func unknownKinds(events []*seenEvent) wire.Finding {
	var names []string
	for i, e := range events {
		if i == maxUnknownNamed {
			names = append(names, fmt.Sprintf("… +%d", len(events)-i))
			break
		}
		m := e.Measurement
		names = append(names, fmt.Sprintf("PCR %d %s %s 0x%08x", m.PCR, m.Kind, plain(m.Name), m.Type))
	}
	seen := strings.Join(names, ", ")
	return wire.Finding{Type: wire.FindingUnsupported, Seen: seen, Reason: reason.New(reason.BootUnknownEvents, "events", seen)}
}
