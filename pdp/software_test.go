package pdp

import (
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// A judgement is not made anew while the version stays: whatever would change
// it must change that.
func TestTheVersionOfWhatTheFeedKnows(t *testing.T) {
	s := softwareRules{policy: verifier.VulnerabilityPolicy{FeedLife: 36 * time.Hour}}
	asOf := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	now := asOf.Add(35 * time.Hour) // 05:00
	found := wire.Vulnerabilities{FeedAsOf: asOf, Covered: true, Exploited: []wire.Vulnerability{{CVE: "CVE-2026-1"}}}
	was := s.version(&found, now)
	if again := found; s.version(&again, now.Add(time.Minute)) != was {
		t.Error("the same is another version")
	}
	corrected, uncovered := found, found
	corrected.Exploited = []wire.Vulnerability{{CVE: "CVE-2026-1", ExploitedSince: asOf}}
	uncovered.Covered = false
	for name, other := range map[string]string{
		"no feed":             s.version(nil, now),
		"a feed put right":    s.version(&corrected, now),
		"another system":      s.version(&uncovered, now),
		"the next day":        s.version(&found, now.Add(-6*time.Hour)),
		"the feed is too old": s.version(&found, now.Add(2*time.Hour)),
	} {
		if other == was {
			t.Errorf("%s changes nothing", name)
		}
	}
}
