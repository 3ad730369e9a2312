package main

import (
	"context"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonUsual     = "ZT-TRU-170"
	reasonDrift     = "ZT-TRU-171"
	reasonFlapping  = "ZT-TRU-172"
	reasonNoHistory = "ZT-TRU-173"
	reasonNoPosture = "ZT-TRU-174"
)

const (
	verdictLife = 10 * time.Minute
	minHours    = 3
)

// postureDrift implements contract.Plugin and, by People, contract.Keeper.
type postureDrift struct{ *contract.People[person] }

func newPlugin() *postureDrift {
	return &postureDrift{contract.NewPeople[person](maxPeople, retention, nil).Counted(tame)}
}

// Describe implements contract.Plugin.
func (*postureDrift) Describe() contract.Description {
	return contract.Description{
		Name: "posturedrift", Version: "1", Cluster: contract.ClusterPosture,
		Features:  []contract.Feature{contract.FeatureDevice, contract.FeaturePosture},
		Kinds:     []contract.Kind{contract.KindSignIn, contract.KindActivity},
		Keeps:     []string{"Of the last two devices of a person: how often each health claim passed and did not, and how often it changed of late."},
		Retention: retention,
	}
}

// Ready implements contract.Plugin.
func (*postureDrift) Ready() bool { return true }

// Observe implements contract.Plugin.
func (d *postureDrift) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		r, ok := reported(o)
		if !ok || (o.Kind != contract.KindSignIn && o.Kind != contract.KindActivity) {
			continue
		}
		d.Teach(o.Person, o.At, func(p *person) {
			if p.learn(o.Device, r, o.At) {
				learned++
			}
		})
	}
	return learned, nil
}

// reported is what an observation says of a device, if it does.
func reported(o contract.Observation) (report, bool) {
	r := newReport(o.Posture)
	return r, o.Device != "" && len(r.passes) > 0
}

// Assess implements contract.Plugin.
func (d *postureDrift) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	r, ok := reported(o)
	if !ok {
		return abstain(reasonNoPosture), nil
	}
	v := abstain(reasonNoHistory)
	d.Look(o.Person, o.At, func(p *person) {
		known := p.find(o.Device)
		if known == nil || known.Hours < minHours || o.At.Sub(known.At) >= retention {
			return
		}
		v = known.judge(r, o.At)
	})
	return v, nil
}

// judge compares a report with the device's past.
func (d *device) judge(r report, at time.Time) contract.Verdict {
	terms, worse, flap := make([]float64, 0, len(d.Claims)), 0, 0.0
	for _, c := range d.Claims {
		passes, counts := r.of(c.ID)
		if !counts {
			continue
		}
		t := term(c.Good, c.Bad, passes)
		if t < 0 {
			worse++
		}
		changes := c.Changes * decay(at.Sub(d.At))
		if passes != c.Passed {
			changes++
		}
		terms, flap = append(terms, t), min(flap, flapping(changes))
	}
	v := contract.Verdict{LLR: score(terms, flap), Confidence: confidence(d.Hours), TTL: verdictLife}
	reason := contract.Reason{Code: reasonUsual}
	switch {
	case worse > 0:
		reason = contract.Reason{Code: reasonDrift, Args: map[string]string{"count": strconv.Itoa(worse)}}
	case flap < 0:
		reason.Code = reasonFlapping
	}
	v.Reasons = []contract.Reason{reason}
	return v
}

func abstain(code string) contract.Verdict {
	return contract.Verdict{Abstained: true, TTL: verdictLife, Reasons: []contract.Reason{{Code: code}}}
}
