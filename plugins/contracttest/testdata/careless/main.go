// Command careless is a plugin that makes one mistake, which its settings name.
// It tells whether a person's network was seen before.
package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

type careless struct {
	*contract.People[map[string]int]
	Mistake string         `json:"mistake"`
	all     map[string]int // over everybody
}

func main() {
	c := &careless{all: map[string]int{}}
	if contract.Settings(c) != nil {
		os.Exit(1)
	}
	keep := 30 * 24 * time.Hour
	if c.Mistake == "eternal" {
		keep = 1000 * keep
	}
	c.People = contract.NewPeople[map[string]int](1000, keep, nil)
	if c.Mistake == "keeps in secret" {
		contract.Serve(secretive{c})
		return
	}
	contract.Serve(c)
}

// secretive is no Keeper.
type secretive struct{ contract.Plugin }

func (c *careless) Describe() contract.Description {
	d := contract.Description{
		Name: "careless", Version: "1", Cluster: contract.ClusterNetwork, Features: []contract.Feature{contract.FeatureNetwork},
		Kinds: []contract.Kind{contract.KindSignIn}, Keeps: []string{"networks"}, Retention: 30 * 24 * time.Hour,
		Texts: []contract.ReasonText{
			{Code: "none", English: "Nothing is known.", Chinese: "沒有紀錄。"},
			{Code: "seen", English: "Seen from {network} before.", Chinese: "曾由 {network} 登入。"},
		},
	}
	switch c.Mistake {
	case "believes failures":
		d.Kinds = append(d.Kinds, contract.KindFailedSignIn)
	case "says not what it keeps":
		d.Keeps = nil
	case "no Chinese":
		d.Texts[0].Chinese = "nothing"
	case "other arguments":
		d.Texts[1].Chinese = "曾由 {address} 登入。"
	case "no text":
		d.Texts = d.Texts[:1]
	case "asks for situations":
		d.Kinds = append(d.Kinds, contract.Kind(9))
	}
	return d
}

func (*careless) Ready() bool { return true }

func (c *careless) Observe(_ context.Context, observations []contract.Observation) (learned int, err error) {
	for _, o := range observations {
		c.Teach(o.Person, o.At, func(kept *map[string]int) {
			if *kept == nil {
				*kept = map[string]int{}
			}
			if (*kept)[o.Network] == 0 || c.Mistake == "counts twice" {
				(*kept)[o.Network]++
				learned++
			}
			c.all[o.Network]++
		})
	}
	return learned, nil
}

func (c *careless) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	times, known, everybody := 0, false, 0
	known = c.Look(o.Person, o.At, func(kept *map[string]int) {
		times, everybody = (*kept)[o.Network], c.all[o.Network]
		if c.Mistake == "learns by being asked" {
			(*kept)[o.Network]++
		}
	})
	switch {
	case c.Mistake == "speaks for strangers" && !known:
		return contract.Say(1, 1, "seen", "network", o.Network), nil
	case c.Mistake == "opinion and abstention":
		v := contract.Abstain("none")
		v.LLR = 1
		return v, nil
	case !known:
		return contract.Abstain("none"), nil
	case c.Mistake == "counts over everybody":
		return contract.Say(float64(min(everybody, 40))/40, 1, "seen", "network", o.Network), nil
	}
	return contract.Say(float64(min(times, 10))-1, 1, "seen", "network", o.Network), nil
}

func (c *careless) Learn(_ context.Context, f contract.Feedback) error {
	if c.Mistake == "misreads an officer" {
		c.Teach(f.Observation.Person, f.Observation.At, func(kept *map[string]int) { (*kept)[f.Observation.Network] += 5 })
	}
	return nil
}

func (c *careless) Forget(person string) {
	if c.Mistake != "forgets nobody" {
		c.People.Forget(person)
	}
}

func (c *careless) Import(r io.Reader) error {
	switch c.Mistake {
	case "loses its state":
		_, err := io.Copy(io.Discard, r)
		return err
	case "takes what it can":
		raw, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(raw)) {
			if c.People.Import(strings.NewReader(line)) != nil {
				break
			}
		}
		return nil
	}
	return c.People.Import(r)
}
