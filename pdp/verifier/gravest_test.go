package verifier

import (
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func TestTheGravestFindingComesFirst(t *testing.T) {
	var names []string
	for _, f := range gravest([]wire.Finding{
		{Type: wire.FindingFailing, Reason: reason.New("note"), Note: true},
		{Type: wire.FindingUnsupported, Reason: reason.New("unknown")},
		{Type: wire.FindingFailing, Reason: reason.New("one")},
		{Type: wire.FindingRolledBack, Reason: reason.New("old")},
		{Type: wire.FindingMissing, Reason: reason.New("two")},
		{Type: wire.FindingTampered, Reason: reason.New("forged")},
	}) {
		names = append(names, f.Reason.Code)
	}
	if got := strings.Join(names, " "); got != "forged old one two unknown note" {
		t.Error(got)
	}
}
