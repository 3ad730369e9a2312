//go:build linux

package host

import (
	"errors"
	"math"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/contract"
)

// Bounds of a verdict. Whatever lies outside counts as no answer: a plugin that
// says 1e300 is broken or hostile, and clipping it would believe it.
const (
	maxLLR        = 50
	maxTTL        = 24 * time.Hour
	maxArguments  = 8
	maxArgument   = 64
	maxAnswer     = 64 << 10
	maxBadAnswers = 3 // in a row, until the plugin is started again
)

var (
	errOutOfBounds = errors.New("plugin: verdict out of bounds")
)

func clusterNumbers() map[wire.Cluster]contract.Cluster {
	return map[wire.Cluster]contract.Cluster{
		wire.ClusterNetwork: contract.ClusterNetwork, wire.ClusterDevice: contract.ClusterDevice,
		wire.ClusterTime: contract.ClusterTime, wire.ClusterBehaviour: contract.ClusterBehaviour,
		wire.ClusterPosture: contract.ClusterPosture,
	}
}

// checked turns a plugin's verdict into one that the fusion may use.
func checked(c *Config, says *description, v contract.Verdict, now time.Time) (wire.Verdict, error) {
	finite := !math.IsNaN(v.LLR) && !math.IsNaN(v.Confidence)
	switch {
	case !finite, math.Abs(v.LLR) > maxLLR, v.Confidence < 0, v.Confidence > 1:
		return wire.Verdict{}, errOutOfBounds
	case v.TTL <= 0, v.TTL > maxTTL:
		return wire.Verdict{}, errOutOfBounds
	case v.Abstained && v.LLR != 0:
		return wire.Verdict{}, errOutOfBounds
	case len(v.Reasons) > contract.MaxReasons:
		return wire.Verdict{}, errOutOfBounds
	}
	out := wire.Verdict{
		Plugin: c.Name, Cluster: c.Cluster, LLR: v.LLR, Confidence: v.Confidence, Abstained: v.Abstained,
		ObservedAt: now, TTL: v.TTL, Version: says.version,
	}
	for _, r := range v.Reasons {
		rendered, ok := rendered(c.Name, says, r)
		if !ok {
			return wire.Verdict{}, errOutOfBounds
		}
		out.Reasons = append(out.Reasons, rendered)
	}
	return out, nil
}

// plain reports whether a text is short and printable: it will stand on a page.
func plain(s string) bool {
	return printable(s, maxArgument)
}

// printable refuses control characters, what changes the direction of a text,
// and what opens or closes an element of a page.
func printable(s string, bytes int) bool {
	if len(s) > bytes || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || r == '<' || r == '>' {
			return false
		}
	}
	return true
}

func missing(c *Config, code string, now time.Time) wire.Verdict {
	return wire.Verdict{
		Plugin: c.Name, Cluster: c.Cluster, Missing: true, ObservedAt: now,
		Reasons: []wire.Reason{reason.New(code, "plugin", c.Name)},
	}
}

// only returns an observation with the features that a plugin asked for
// (requirements 32): the others arrive empty.
func only(features map[contract.Feature]bool, o wire.Observation) contract.Observation {
	out := contract.Observation{Kind: kindNumber(o.Kind), Person: o.Person, At: o.At}
	wanted := func(f contract.Feature, take func()) {
		if features[f] {
			take()
		}
	}
	wanted(contract.FeatureDevice, func() { out.Device = o.Device })
	wanted(contract.FeatureNetwork, func() { out.Network = o.IP })
	wanted(contract.FeatureAddress, func() { out.Address = o.Address })
	wanted(contract.FeatureZone, func() { out.ZoneMinutes, out.ZoneKnown = o.ZoneMins, o.ZoneKnown })
	wanted(contract.FeatureGroup, func() { out.Group = o.Group })
	wanted(contract.FeaturePortal, func() { out.Portal = o.Portal })
	wanted(contract.FeatureGrade, func() { out.Grade = o.Grade })
	wanted(contract.FeatureRequests, func() { out.Requests, out.Over = o.Requests, o.Over })
	wanted(contract.FeatureFiles, func() { out.Files = o.Files })
	wanted(contract.FeaturePosture, func() {
		for _, c := range o.Posture {
			out.Posture = append(out.Posture, contract.Claim{ID: c.ID, State: c.State})
		}
	})
	return out
}

// kindNumber is a kind as the contract numbers it; one that is not known is a
// situation, which teaches nothing.
func kindNumber(k wire.ObservationKind) contract.Kind {
	switch k {
	case wire.ObservedSignIn:
		return contract.KindSignIn
	case wire.ObservedFailure:
		return contract.KindFailedSignIn
	case wire.ObservedActivity:
		return contract.KindActivity
	}
	return contract.KindSituation
}
