package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// Reason codes that this plugin gives; the PDP holds their texts.
const (
	reasonQuiet     = "ZT-TRU-160"
	reasonAccount   = "ZT-TRU-161"
	reasonNetwork   = "ZT-TRU-162"
	reasonNoHistory = "ZT-TRU-163"
)

// Bounds of what is kept.
const (
	maxPeople        = 20_000
	maxNetworks      = 4_096
	retention        = 90 * 24 * time.Hour
	networkRetention = 2 * epoch
)

const verdictLife = 10 * time.Minute

// failedSignIns implements contract.Plugin, contract.Learner and contract.Keeper.
type failedSignIns struct {
	accounts *contract.People[account]
	networks *contract.People[network] // by network
}

func newPlugin() *failedSignIns {
	return &failedSignIns{accounts: newAccounts(), networks: newNetworks()}
}

func newAccounts() *contract.People[account] {
	return contract.NewPeople[account](maxPeople, retention, nil).Counted(tame)
}

func newNetworks() *contract.People[network] {
	return contract.NewPeople[network](maxNetworks, networkRetention, nil).
		Counted(func(n *network) { n.Epoch = max(0, n.Epoch) })
}

// Describe implements contract.Plugin.
func (*failedSignIns) Describe() contract.Description {
	return contract.Description{
		Name: "failedsignins", Version: "1", Cluster: contract.ClusterBehaviour,
		Features:  []contract.Feature{contract.FeatureNetwork},
		Kinds:     []contract.Kind{contract.KindSignIn, contract.KindFailedSignIn},
		Keeps:     []string{"How many sign-ins to a person's account failed of late and over the last months, how many ended well, and when the last ones were."},
		Retention: retention,
	}
}

// Ready implements contract.Plugin.
func (*failedSignIns) Ready() bool { return true }

// Observe implements contract.Plugin.
func (f *failedSignIns) Observe(ctx context.Context, observations []contract.Observation) (int, error) {
	learned := 0
	for _, o := range observations {
		if err := ctx.Err(); err != nil {
			return learned, err
		}
		if o.Kind != contract.KindSignIn && o.Kind != contract.KindFailedSignIn {
			continue
		}
		f.accounts.Teach(o.Person, o.At, func(a *account) {
			if a.learn(o.Kind, o.At) {
				learned++
			}
		})
		if o.Network != "" {
			f.networks.Teach(o.Network, o.At, func(n *network) {
				n.learn(o.Person, o.At, o.Kind == contract.KindFailedSignIn)
			})
		}
	}
	return learned, nil
}

// Learn implements contract.Learner: what an officer calls genuine is not held
// against the person any longer.
func (f *failedSignIns) Learn(_ context.Context, feedback contract.Feedback) error {
	if feedback.Genuine {
		o := feedback.Observation
		f.accounts.Look(o.Person, o.At, func(a *account) { a.Minutes, a.Hours = 0, 0 })
	}
	return nil
}

// Assess implements contract.Plugin.
func (f *failedSignIns) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	signIns, ofAccount, failures, ofNetwork := 0.0, 0.0, 0.0, 0.0
	f.accounts.Look(o.Person, o.At, func(a *account) {
		signIns = a.SignIns
		ofAccount, failures = a.worst(o.At)
	})
	f.networks.Look(o.Network, o.At, func(n *network) { ofNetwork = n.worst(o.At) })
	v := contract.Verdict{LLR: score(ofAccount, ofNetwork), Confidence: against, TTL: verdictLife}
	reason := contract.Reason{Code: reasonNetwork}
	switch {
	case v.LLR == 0 && signIns == 0: // failures alone make nobody known
		v.Confidence, v.Abstained = 0, true
		reason.Code = reasonNoHistory
	case v.LLR == 0:
		v.Confidence = confidence(signIns)
		reason.Code = reasonQuiet
	case ofAccount <= ofNetwork:
		reason = contract.Reason{Code: reasonAccount, Args: map[string]string{"failures": strconv.Itoa(int(math.Ceil(failures)))}}
	}
	v.Reasons = []contract.Reason{reason}
	return v, nil
}

// border stands between the accounts and the networks of a state.
const border = "=\n"

// Export implements contract.Keeper.
func (f *failedSignIns) Export(w io.Writer) error {
	if err := f.accounts.Export(w); err != nil {
		return err
	}
	if _, err := io.WriteString(w, border); err != nil {
		return err
	}
	return f.networks.Export(w)
}

// Import implements contract.Keeper. Both parts are tried before one is taken.
func (f *failedSignIns) Import(r io.Reader) error {
	state, err := io.ReadAll(io.LimitReader(r, contract.MaxStateBytes+1))
	if err != nil {
		return err
	}
	people, networks, found := bytes.Cut(state, []byte(border))
	if !found || len(state) > contract.MaxStateBytes {
		return errors.New("failedsignins: import: not a state of this plugin")
	}
	if err := newNetworks().Import(bytes.NewReader(networks)); err != nil {
		return err
	}
	if err := f.accounts.Import(bytes.NewReader(people)); err != nil {
		return err
	}
	return f.networks.Import(bytes.NewReader(networks))
}

// Forget implements contract.Keeper. Of networks nothing can be told of a person.
func (f *failedSignIns) Forget(person string) { f.accounts.Forget(person) }
