package main

import (
	"context"
	"io"
	"math"
	"strconv"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonNoHistory  = "ZT-TRU-010"
	reasonPlausible  = "ZT-TRU-110"
	reasonImpossible = "ZT-TRU-111"
	reasonAtOnce     = "ZT-TRU-112"
	reasonNoLocation = "ZT-TRU-113"
	reasonGateway    = "ZT-TRU-114"
)

// travelTime implements contract.Plugin, contract.Keeper and contract.Learner.
type travelTime struct {
	world  worldMap
	trails *contract.People[person]
}

func newPlugin(world worldMap) *travelTime { return &travelTime{world: world, trails: newTrails()} }

// Describe implements contract.Plugin.
func (*travelTime) Describe() contract.Description {
	return contract.Description{
		Name: "traveltime", Version: "1", Cluster: contract.ClusterNetwork,
		Features: []contract.Feature{contract.FeatureNetwork},
		Kinds:    []contract.Kind{contract.KindSignIn, contract.KindActivity},
		Keeps: []string{
			"the last 8 places (of a data base of addresses) and when each was seen last, used for a day",
			"on how many days the person signed in, and appeared to travel impossibly",
		},
		Retention: retention,
	}
}

// Ready implements contract.Plugin.
func (*travelTime) Ready() bool { return true }

// Observe implements contract.Plugin.
func (t *travelTime) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		if (o.Kind == contract.KindSignIn || o.Kind == contract.KindActivity) && t.learn(o) {
			learned++
		}
	}
	return learned, nil
}

func (t *travelTime) learn(o contract.Observation) (learned bool) {
	here, _, known := t.world.find(o.Network)
	if !known {
		return false
	}
	at := o.At.UTC()
	t.trails.Teach(o.Person, at, func(p *person) { learned = p.learn(at, here, o.Kind != contract.KindActivity) })
	return learned
}

// Assess implements contract.Plugin.
func (t *travelTime) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	here, gateway, known := t.world.find(o.Network)
	switch {
	case gateway:
		return contract.Abstain(reasonGateway), nil
	case !known:
		return contract.Abstain(reasonNoLocation), nil
	}
	v := contract.Abstain(reasonNoHistory)
	t.trails.Look(o.Person, o.At.UTC(), func(p *person) {
		j := p.worst(o.At.UTC(), here)
		code, args := reasonFor(j)
		days, jumps := p.habit(o.At.UTC())
		v = contract.Say(score(j.impossibility(), days, jumps), confidence(days), code, args...)
	})
	return v, nil
}

// reasonFor tells the way and the time, coarsely, and no place.
func reasonFor(j journey) (code string, args []string) {
	if j.impossibility() == 0 {
		return reasonPlausible, nil
	}
	args = []string{"kilometres", strconv.Itoa(100 * int(math.Round(j.gap/100)))}
	if j.time <= atOnce {
		return reasonAtOnce, args
	}
	return reasonImpossible, append(args, "hours", strconv.FormatFloat(max(.1, math.Round(j.time.Hours()*10)/10), 'f', -1, 64))
}

// Learn implements contract.Learner: a place where somebody else was is no
// longer one to travel from.
func (t *travelTime) Learn(_ context.Context, f contract.Feedback) error {
	there, _, known := t.world.find(f.Observation.Network)
	switch {
	case !known:
	case f.Genuine:
		t.learn(f.Observation)
	default:
		t.trails.Look(f.Observation.Person, f.Observation.At.UTC(), func(p *person) { p.unlearn(f.Observation.At.UTC(), there) })
	}
	return nil
}

// Export implements contract.Keeper.
func (t *travelTime) Export(w io.Writer) error { return t.trails.Export(w) }

// Import implements contract.Keeper.
func (t *travelTime) Import(r io.Reader) error { return t.trails.Import(r) }

// Forget implements contract.Keeper.
func (t *travelTime) Forget(person string) { t.trails.Forget(person) }
