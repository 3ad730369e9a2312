package main

import (
	"context"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonKnown     = "ZT-TRU-001"
	reasonNear      = "ZT-TRU-002"
	reasonNew       = "ZT-TRU-003"
	reasonNoHistory = "ZT-TRU-010"
	reasonNoAddress = "ZT-TRU-011"
)

// verdictLife is how long an opinion holds: the host asks again far sooner.
const verdictLife = 10 * time.Minute

// networkNovelty implements contract.Plugin.
type networkNovelty struct{ history *history }

func newPlugin() *networkNovelty { return &networkNovelty{history: newHistory()} }

// Describe implements contract.Plugin.
func (*networkNovelty) Describe() contract.Description {
	return contract.Description{
		Name: "networknovelty", Version: "1", Cluster: contract.ClusterNetwork,
		Features: []contract.Feature{contract.FeatureNetwork},
	}
}

// Ready implements contract.Plugin.
func (*networkNovelty) Ready() bool { return true }

// Observe implements contract.Plugin. Only sign-ins that ended well teach.
func (n *networkNovelty) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		from, ok := parsePath(o.Network)
		if !ok || o.Kind != contract.KindSignIn {
			continue
		}
		if n.history.learn(o.Person, signIn{at: o.At.UTC(), from: from}) {
			learned++
		}
	}
	return learned, nil
}

// Assess implements contract.Plugin.
func (n *networkNovelty) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	p, ok := parsePath(o.Network)
	if !ok {
		return abstain(reasonNoAddress), nil
	}
	self, others := n.history.of(o.Person, p, o.At.UTC())
	if self.all == 0 {
		return abstain(reasonNoHistory), nil
	}
	args := map[string]string{"sign_ins": strconv.Itoa(int(self.all))}
	return contract.Verdict{
		LLR: score(self, others), Confidence: confidence(self.all), TTL: verdictLife,
		Reasons: []contract.Reason{{Code: reasonFor(self), Args: args}},
	}, nil
}

func abstain(code string) contract.Verdict {
	return contract.Verdict{Abstained: true, TTL: verdictLife, Reasons: []contract.Reason{{Code: code}}}
}

// reasonFor names the smallest network that this person was seen in.
func reasonFor(self counts) string {
	switch {
	case self.at[1] > 0: // the /24 or /56: one network for the PDP, too
		return reasonKnown
	case self.at[0] > 0:
		return reasonNear
	default:
		return reasonNew
	}
}
