package main

import (
	"context"
	"io"
	"strconv"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonKnown      = "ZT-TRU-001"
	reasonNear       = "ZT-TRU-002"
	reasonNew        = "ZT-TRU-003"
	reasonOperator   = "ZT-TRU-004"
	reasonNewCountry = "ZT-TRU-005"
	reasonNoHistory  = "ZT-TRU-010"
	reasonNoAddress  = "ZT-TRU-011"
)

// networkNovelty implements contract.Plugin, contract.Keeper and
// contract.Learner.
type networkNovelty struct{ history *history }

func newPlugin(where places) *networkNovelty { return &networkNovelty{history: newHistory(where)} }

// Describe implements contract.Plugin.
func (*networkNovelty) Describe() contract.Description {
	return contract.Description{
		Name: "networknovelty", Version: "2", Cluster: contract.ClusterNetwork,
		Features:  []contract.Feature{contract.FeatureNetwork},
		Keeps:     []string{"time and network of the last 32 sign-ins"},
		Retention: retention,
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
		from, ok := n.history.where.find(o.Network)
		if ok && o.Kind == contract.KindSignIn && n.history.learn(o.Person, o.At.UTC(), from) {
			learned++
		}
	}
	return learned, nil
}

// Assess implements contract.Plugin.
func (n *networkNovelty) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	from, ok := n.history.where.find(o.Network)
	if !ok {
		return contract.Abstain(reasonNoAddress), nil
	}
	self, others := n.history.of(o.Person, from, o.At.UTC())
	if self.all == 0 {
		return contract.Abstain(reasonNoHistory), nil
	}
	var known [depth]bool
	for level := range depth {
		_, known[level] = from.at(level)
	}
	signIns := strconv.Itoa(int(self.all))
	return contract.Say(score(self, others, known), confidence(self.all), reasonFor(self, from), "sign_ins", signIns), nil
}

// reasonFor names the smallest part of the hierarchy that this person was seen in.
func reasonFor(self counts, from place) string {
	_, countryKnown := from.at(country)
	switch {
	case self.at[network] > 0:
		return reasonKnown
	case self.at[operator] > 0 && from.asn != 0:
		return reasonOperator
	case self.at[operator] > 0:
		return reasonNear
	case countryKnown && self.at[country] == 0:
		return reasonNewCountry
	default:
		return reasonNew
	}
}

// Learn implements contract.Learner: what was not the person is unlearned,
// with all that followed from the same network.
func (n *networkNovelty) Learn(_ context.Context, f contract.Feedback) error {
	from, ok := n.history.where.find(f.Observation.Network)
	switch {
	case !ok:
	case f.Genuine:
		n.history.learn(f.Observation.Person, f.Observation.At.UTC(), from)
	default:
		n.history.unlearn(f.Observation.Person, f.Observation.At.UTC(), from)
	}
	return nil
}

// Export implements contract.Keeper.
func (n *networkNovelty) Export(w io.Writer) error { return n.history.people.Export(w) }

// Import implements contract.Keeper.
func (n *networkNovelty) Import(r io.Reader) error { return n.history.people.Import(r) }

// Forget implements contract.Keeper.
func (n *networkNovelty) Forget(person string) { n.history.people.Forget(person) }
