package verifier

import (
	"fmt"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// fall compares a quote's counters with those seen before (design: protocols,
// Counters). Within one boot the clock does not fall. Across boots it may,
// where the TPM says itself that it was not shut down in order (safe is NO): a
// flat battery does that. With safe it says that it never reported a later
// time (TPM 2.0 part 2, 10.11.1), so a fall contradicts it.
func fall(previous *wire.TPMClock, now wire.TPMClock) []wire.Finding {
	if previous == nil {
		return nil
	}
	var findings []wire.Finding
	found := func(code, expected, seen string) {
		r := reason.New(code, "expected", expected, "seen", seen)
		findings = append(findings, wire.Finding{Type: wire.FindingRolledBack, Reason: r, Expected: expected, Seen: seen})
	}
	sameReset := now.ResetCount == previous.ResetCount
	sameBoot := sameReset && now.RestartCount == previous.RestartCount
	switch {
	case now.ResetCount < previous.ResetCount:
		found(reason.ResetCountFell, fmt.Sprint(previous.ResetCount), fmt.Sprint(now.ResetCount))
	case sameReset && now.RestartCount < previous.RestartCount:
		found(reason.RestartCountFell, fmt.Sprint(previous.RestartCount), fmt.Sprint(now.RestartCount))
	case now.Clock < previous.Clock && (sameBoot || now.Safe):
		found(reason.ClockFell, fmt.Sprint(previous.Clock), fmt.Sprint(now.Clock))
	}
	if now.FirmwareVersion < previous.FirmwareVersion {
		found(reason.FirmwareFell, fmt.Sprintf("%#x", previous.FirmwareVersion), fmt.Sprintf("%#x", now.FirmwareVersion))
	}
	return findings
}
