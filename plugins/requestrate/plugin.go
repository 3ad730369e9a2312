package main

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonUsual     = "ZT-TRU-140"
	reasonFast      = "ZT-TRU-141"
	reasonNoHistory = "ZT-TRU-142"
)

// Bounds of what is kept, and how little activity allows an opinion.
const (
	maxPeople   = 20_000
	maxCount    = 1_000_000
	minActivity = 10
	retention   = 90 * 24 * time.Hour
)

const verdictLife = 10 * time.Minute

// requestRate implements contract.Plugin, contract.Learner and, by People,
// contract.Keeper.
type requestRate struct{ *contract.People[usual] }

func newPlugin() *requestRate {
	return &requestRate{contract.NewPeople[usual](maxPeople, retention, nil).Counted(tame)}
}

// tame puts numbers into bounds that another program wrote.
func tame(u *usual) {
	u.N = max(0, min(u.N, maxCount))
	u.Sum = max(0, min(u.Sum, maxSum))
	u.Mean = max(0, min(u.Mean, math.Log(math.MaxUint64)))
	u.Variance = max(0, min(u.Variance, math.Log(math.MaxUint64)))
}

// Describe implements contract.Plugin.
func (*requestRate) Describe() contract.Description {
	return contract.Description{
		Name: "requestrate", Version: "1", Cluster: contract.ClusterBehaviour,
		Features: []contract.Feature{contract.FeatureRequests}, Kinds: []contract.Kind{contract.KindActivity},
		Keeps:     []string{"How many requests a minute a person usually makes, how much that varies, and how far it was exceeded of late."},
		Retention: retention,
	}
}

// Ready implements contract.Plugin.
func (*requestRate) Ready() bool { return true }

// Observe implements contract.Plugin. Only what a session did teaches.
func (r *requestRate) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		x, ok := rate(o.Requests, o.Over)
		if !ok || o.Kind != contract.KindActivity {
			continue
		}
		r.Teach(o.Person, o.At, func(u *usual) {
			if o.At.After(u.At) { // else it came twice
				u.learn(x, o.At)
				learned++
			}
		})
	}
	return learned, nil
}

// Learn implements contract.Learner: what an officer calls genuine is not held
// against the person any longer.
func (r *requestRate) Learn(_ context.Context, f contract.Feedback) error {
	if f.Genuine {
		r.Look(f.Observation.Person, f.Observation.At, func(u *usual) { u.Sum = 0 })
	}
	return nil
}

// Assess implements contract.Plugin.
func (r *requestRate) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	n, sum := 0, 0.0
	r.Look(o.Person, o.At, func(u *usual) {
		n, sum = u.N, u.sum(o.At)
		if x, ok := rate(o.Requests, o.Over); ok {
			sum = max(sum, u.z(x)-0.5)
		}
	})
	v := contract.Verdict{TTL: verdictLife, Reasons: []contract.Reason{{Code: reasonNoHistory}}}
	if n < minActivity {
		v.Abstained = true
		return v, nil
	}
	v.LLR, v.Confidence, v.Reasons[0].Code = score(sum), confidence(n), reasonUsual
	if v.LLR < 0 {
		v.Reasons[0] = contract.Reason{Code: reasonFast, Args: map[string]string{"percent": percent(sum)}}
	}
	return v, nil
}

// percent says how far the sum lies above what is usual.
func percent(sum float64) string { return strconv.Itoa(int(math.Round(100 * sum / price))) }
