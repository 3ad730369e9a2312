//go:build linux

package host

import (
	"errors"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/contract"
)

// Status is what operators are told of one plugin.
type Status struct {
	Plugin  string       `json:"plugin"`
	Cluster wire.Cluster `json:"cluster"`
	SHA256  string       `json:"sha256"`
	// Version and what follows up to Network are what it said of itself when it
	// came up last.
	Version   string        `json:"version,omitempty"`
	Contract  int           `json:"contract,omitempty"`
	Features  []string      `json:"features"`
	Keeps     []string      `json:"keeps"`
	Retention time.Duration `json:"retention"`
	Network   bool          `json:"network"`

	Up    bool      `json:"up"`
	Since time.Time `json:"since"` // it is up or down
	Why   string    `json:"why,omitempty"`
	Falls int       `json:"falls"`

	Enforced []string `json:"enforced"`
	Missing  []string `json:"missing"`

	// Asked counts the questions; half of the answers took no longer than
	// Median, 99 in 100 no longer than P99, to a factor of the root of 2.
	Asked  uint64        `json:"asked"`
	Median time.Duration `json:"median"`
	P99    time.Duration `json:"p99"`
}

// Status tells of every registered plugin, in their order.
func (h *Host) Status() []Status {
	var all []Status
	for _, s := range h.all() {
		all = append(all, s.status())
	}
	return all
}

func (s *supervisor) status() Status {
	asked, median, p99 := s.took.quantiles()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{
		Plugin: s.name, Cluster: s.config.Cluster, SHA256: s.config.SHA256,
		Version: s.says.version, Contract: s.speaks, Features: featureNames(s.says.features),
		Keeps: append([]string{}, s.says.keeps...), Retention: s.says.retention, Network: s.says.network,
		Up: s.current != nil, Since: s.since, Why: s.why, Falls: s.falls,
		Enforced: append([]string{}, s.box.Enforced...), Missing: append([]string{}, s.box.Missing...),
		Asked: asked, Median: median, P99: p99,
	}
}

// trouble is why the plugin is down; nil if it is up.
func (s *supervisor) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		return nil
	}
	return errors.New(s.why)
}

func featureNames(wanted map[contract.Feature]bool) []string {
	names := []string{}
	for f, name := range map[contract.Feature]string{
		contract.FeatureDevice: "device", contract.FeatureNetwork: "network", contract.FeatureZone: "zone",
		contract.FeatureAddress: "address", contract.FeatureGroup: "group", contract.FeaturePortal: "portal",
		contract.FeatureGrade: "grade", contract.FeatureRequests: "requests", contract.FeaturePosture: "posture",
		contract.FeatureFiles: "files",
	} {
		if wanted[f] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// latencies counts durations in bins of microseconds, two bins to each doubling.
type latencies struct {
	bins [2 * 26]atomic.Uint64 // up to about a minute
}

func (l *latencies) add(d time.Duration) {
	us := uint64(max(1, d.Microseconds())) // #nosec G115 -- positive
	top := bits.Len64(us) - 1
	bin := 2 * top
	if top > 0 && us&(1<<(top-1)) != 0 {
		bin++
	}
	l.bins[min(bin, len(l.bins)-1)].Add(1)
}

// quantiles returns the count and the upper edges of the bins in which the
// median and the 99th percentile lie.
func (l *latencies) quantiles() (count uint64, median, p99 time.Duration) {
	var bins [len(l.bins)]uint64
	for i := range l.bins {
		bins[i] = l.bins[i].Load()
		count += bins[i]
	}
	at := func(share uint64) time.Duration {
		var below uint64
		for i, n := range bins {
			if below += n; n > 0 && below*100 >= count*share {
				return edge(i)
			}
		}
		return 0
	}
	return count, at(50), at(99)
}

// edge is the upper edge of a bin.
func edge(bin int) time.Duration {
	lower := time.Microsecond << (bin / 2)
	if bin%2 == 0 && bin > 0 {
		return lower + lower/2
	}
	return 2 * lower
}
