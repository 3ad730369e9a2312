// Command plugin-go is an inference plugin: it judges whether a person signs in
// from a time zone that this person has signed in from before.
//
// With n sign-ins kept, n(z) of them in the zone z, K zones, and α = 1:
//
//	llr = ln( (n(z) + α/K) / (n + α) · K )    this person, against anybody from anywhere
//
// the mean of a multinomial under a symmetric Dirichlet prior over a uniform
// one; confidence n / (n + 3). It keeps the last 32 sign-ins of a person, none
// older than 90 days, of at most 20,000 people.
package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

const (
	name         = "plugin-go"
	zones, alpha = 38.0, 1.0 // offsets from UTC that are in use; the prior's weight
	people, most = 20_000, 32
	retention    = 90 * 24 * time.Hour
)

type signIn struct {
	At   time.Time `json:"at"`
	Zone int       `json:"zone"`
}

// inference keeps what it knows in a People, which bounds, forgets and hands over.
type inference struct{ *contract.People[[]signIn] }

func main() {
	contract.Serve(inference{contract.NewPeople[[]signIn](people, retention, nil).Checked(check)})
}

func check(kept *[]signIn) error {
	if len(*kept) > most {
		return errors.New("too many sign-ins of one person")
	}
	return nil
}

func (inference) Describe() contract.Description {
	return contract.Description{
		Name: name, Version: "1", Cluster: contract.ClusterNetwork,
		Features: []contract.Feature{contract.FeatureZone}, Kinds: []contract.Kind{contract.KindSignIn},
		Keeps: []string{"time and time zone of the last 32 sign-ins"}, Retention: retention,
		Texts: []contract.ReasonText{
			{Code: "no-history", English: "No earlier sign-in is known.", Chinese: "沒有先前的登入紀錄。"},
			{Code: "no-zone", English: "The time zone is not known.", Chinese: "無法得知時區。"},
			{Code: "zone", English: "{times} of {of} earlier sign-ins came from this time zone.", Chinese: "先前 {of} 次登入中有 {times} 次來自此時區。"},
		},
	}
}

func (inference) Ready() bool { return true }

func (p inference) Observe(_ context.Context, observations []contract.Observation) (learned int, err error) {
	for _, o := range observations {
		p.Teach(o.Person, o.At, func(kept *[]signIn) {
			if !o.ZoneKnown || slices.ContainsFunc(*kept, func(s signIn) bool { return s.At.Equal(o.At) }) {
				return // nothing to learn, or taught twice
			}
			*kept = append(*kept, signIn{o.At, o.ZoneMinutes})
			*kept = (*kept)[max(0, len(*kept)-most):]
			learned++
		})
	}
	return learned, nil
}

func (p inference) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	if !o.ZoneKnown {
		return contract.Abstain("no-zone"), nil
	}
	n, here := 0, 0
	p.Look(o.Person, o.At, func(kept *[]signIn) {
		for _, s := range *kept {
			if s.At.After(o.At) || o.At.Sub(s.At) >= retention {
				continue
			}
			if n++; s.Zone == o.ZoneMinutes {
				here++
			}
		}
	})
	if n == 0 {
		return contract.Abstain("no-history"), nil
	}
	llr := math.Log((float64(here) + alpha/zones) / (float64(n) + alpha) * zones)
	return contract.Say(llr, float64(n)/float64(n+3), "zone", "times", strconv.Itoa(here), "of", strconv.Itoa(n)), nil
}
