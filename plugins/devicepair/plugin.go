package main

import (
	"context"
	"io"
	"strconv"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonNoHistory = "ZT-TRU-010"
	reasonFamiliar  = "ZT-TRU-100"
	reasonShared    = "ZT-TRU-101"
	reasonStrange   = "ZT-TRU-102"
	reasonUnnamed   = "ZT-TRU-103"
)

// devicePair implements contract.Plugin, contract.Keeper and contract.Learner.
type devicePair struct{ habits *habits }

func newPlugin() *devicePair { return &devicePair{habits: newHabits()} }

// Describe implements contract.Plugin.
func (*devicePair) Describe() contract.Description {
	return contract.Description{
		Name: "devicepair", Version: "1", Cluster: contract.ClusterDevice,
		Features:  []contract.Feature{contract.FeatureDevice},
		Keeps:     []string{"the last 8 devices, how much and when each was used last", "how many sign-ins there were, and how many with a new device"},
		Retention: retention,
	}
}

// Ready implements contract.Plugin.
func (*devicePair) Ready() bool { return true }

// Observe implements contract.Plugin. Only sign-ins that ended well teach.
func (d *devicePair) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		if o.Kind == contract.KindSignIn && o.Device != "" && d.habits.learn(o.Person, o.Device, o.At.UTC()) {
			learned++
		}
	}
	return learned, nil
}

// Assess implements contract.Plugin.
func (d *devicePair) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	if o.Device == "" {
		return contract.Abstain(reasonUnnamed), nil
	}
	f, use := d.habits.of(o.Person, o.Device, o.At.UTC())
	if use == 0 {
		return contract.Abstain(reasonNoHistory), nil
	}
	code, args := reasonFor(f)
	return contract.Say(score(f), confidence(use), code, args...), nil
}

func reasonFor(f facts) (code string, args []string) {
	args = []string{"sign_ins", strconv.Itoa(int(f.signIns))}
	switch {
	case f.share == 0:
		return reasonStrange, args
	case f.users > 0:
		return reasonShared, append(args, "people", strconv.Itoa(int(f.users)))
	default:
		return reasonFamiliar, args
	}
}

// Learn implements contract.Learner: a device that somebody else used as this
// person is no longer this person's.
func (d *devicePair) Learn(_ context.Context, f contract.Feedback) error {
	o := f.Observation
	switch {
	case o.Device == "":
	case f.Genuine:
		d.habits.learn(o.Person, o.Device, o.At.UTC())
	default:
		d.habits.unlearn(o.Person, o.Device, o.At.UTC())
	}
	return nil
}

// Export implements contract.Keeper.
func (d *devicePair) Export(w io.Writer) error { return d.habits.people.Export(w) }

// Import implements contract.Keeper.
func (d *devicePair) Import(r io.Reader) error { return d.habits.people.Import(r) }

// Forget implements contract.Keeper.
func (d *devicePair) Forget(person string) { d.habits.people.Forget(person) }
