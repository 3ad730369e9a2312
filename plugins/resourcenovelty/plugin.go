package main

import (
	"context"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonUsual     = "ZT-TRU-150"
	reasonPeers     = "ZT-TRU-151"
	reasonNew       = "ZT-TRU-152"
	reasonGrade     = "ZT-TRU-153"
	reasonNoHistory = "ZT-TRU-154"
	reasonNoPortal  = "ZT-TRU-155"
)

const verdictLife = 10 * time.Minute

// resourceNovelty implements contract.Plugin, contract.Learner and, by People,
// contract.Keeper.
type resourceNovelty struct {
	*contract.People[person]
	counts counts // guarded by People's lock
}

func newPlugin() *resourceNovelty {
	r := &resourceNovelty{counts: counts{groups: map[string]*crowd{}}}
	r.People = contract.NewPeople(maxPeople, retention, func(p *person) { r.counts.add(p, p.Uses, -1) }).
		Counted(func(p *person) {
			p.Uses = p.Uses[max(0, len(p.Uses)-maxUses):]
			r.counts.add(p, p.Uses, +1)
		})
	return r
}

// Describe implements contract.Plugin.
func (*resourceNovelty) Describe() contract.Description {
	return contract.Description{
		Name: "resourcenovelty", Version: "1", Cluster: contract.ClusterBehaviour,
		Features:  []contract.Feature{contract.FeatureGroup, contract.FeaturePortal, contract.FeatureGrade},
		Kinds:     []contract.Kind{contract.KindSignIn, contract.KindActivity},
		Keeps:     []string{"Which portals a person used, whether to read, to write or to administer, on how many days and on which day last.", "Which group a person belongs to."},
		Retention: retention,
	}
}

// Ready implements contract.Plugin.
func (*resourceNovelty) Ready() bool { return true }

// Observe implements contract.Plugin. Sign-ins that ended well teach, and what
// a session then did.
func (r *resourceNovelty) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		if used := resources(o); len(used) > 0 && (o.Kind == contract.KindSignIn || o.Kind == contract.KindActivity) {
			r.Teach(o.Person, o.At, func(p *person) {
				if r.learn(p, o, used) {
					learned++
				}
			})
		}
	}
	return learned, nil
}

func (r *resourceNovelty) learn(p *person, o contract.Observation, used []resource) (fresh bool) {
	r.counts.add(p, p.Uses, -1)
	p.Group = o.Group
	for _, one := range used {
		fresh = p.learn(one, day(o.At)) || fresh
	}
	p.tidy(day(o.At))
	r.counts.add(p, p.Uses, +1)
	return fresh
}

// Learn implements contract.Learner: a use that an officer calls an impostor's
// is taken out again, if it was the last one.
func (r *resourceNovelty) Learn(_ context.Context, f contract.Feedback) error {
	if f.Genuine {
		return nil
	}
	o := f.Observation
	r.Look(o.Person, o.At, func(p *person) {
		r.counts.add(p, p.Uses, -1)
		for _, one := range resources(o) {
			if at := p.find(one); at >= 0 && p.Uses[at].Last == day(o.At) {
				p.Uses[at].Days--
				p.Uses[at].Last--
			}
		}
		p.tidy(day(o.At))
		r.counts.add(p, p.Uses, +1)
	})
	return nil
}

// Assess implements contract.Plugin.
func (r *resourceNovelty) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	used := resources(o)
	if len(used) == 0 {
		return abstain(reasonNoPortal), nil
	}
	v := abstain(reasonNoHistory)
	r.Look(o.Person, o.At, func(p *person) {
		portals, days := p.own(used[0], day(o.At))
		if portals.all == 0 {
			return
		}
		v = contract.Verdict{LLR: mostFor, Confidence: confidence(days), TTL: verdictLife}
		for _, one := range used {
			if r.counts.everybody[one.space()].all == 0 {
				continue // nobody's kinds of access are known
			}
			if llr, code := r.judge(p, one, o); len(v.Reasons) == 0 || llr < v.LLR {
				v.LLR = llr
				v.Reasons = []contract.Reason{{Code: code, Args: map[string]string{"portals": strconv.Itoa(int(portals.different))}}}
			}
		}
	})
	return v, nil
}

// judge is the score of one resource, and what to say of it.
func (r *resourceNovelty) judge(p *person, one resource, o contract.Observation) (llr float64, code string) {
	own, _ := p.own(one, day(o.At))
	everybody := r.counts.everybody.without(p, one)
	peers := level{}
	if group := r.counts.groups[o.Group]; group != nil {
		if o.Group == p.Group {
			peers = group.without(p, one)
		} else {
			peers = group.without(&person{}, one)
		}
	}
	llr = score(own, peers, everybody, float64(len(r.counts.everybody[one.space()].people)))
	portal, _ := p.own(resource{Portal: one.Portal}, day(o.At))
	switch {
	case own.count > 0:
		return llr, reasonUsual
	case one.Grade != "" && portal.count > 0:
		return llr, reasonGrade
	case peers.count > 0:
		return llr, reasonPeers
	}
	return llr, reasonNew
}

func abstain(code string) contract.Verdict {
	return contract.Verdict{Abstained: true, TTL: verdictLife, Reasons: []contract.Reason{{Code: code}}}
}
