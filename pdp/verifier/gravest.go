package verifier

import (
	"cmp"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// gravest puts what weighs most first, and otherwise keeps the order: people
// are told of the first findings only, and an intruder's boot loader matters
// more than an update that waits.
func gravest(findings []wire.Finding) []wire.Finding {
	slices.SortStableFunc(findings, func(a, b wire.Finding) int { return cmp.Compare(weight(a), weight(b)) })
	return findings
}

func weight(f wire.Finding) int {
	switch {
	case f.Note:
		return 4
	case f.Type == wire.FindingTampered:
		return 0
	case f.Type == wire.FindingRolledBack:
		return 1
	case f.Fails():
		return 2
	}
	return 3
}
