// Command counting is the plugin that the contract's own tests speak with: it
// counts each person's sign-ins, and tells the count. Some persons' names make
// it misbehave.
package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

func main() {
	contract.Serve(&counting{People: contract.NewPeople[count](1000, 90*24*time.Hour, nil).Checked((*count).check)})
}

type counting struct {
	*contract.People[count]
	calls  atomic.Int64 // of Observe
	denied atomic.Int64 // officers' words against a person
}

type count struct {
	SignIns int       `json:"sign_ins"`
	Last    time.Time `json:"last"`
}

func (c *count) check() error {
	if c.SignIns < 1 {
		return errors.New("a person without a sign-in")
	}
	return nil
}

func (*counting) Describe() contract.Description {
	return contract.Description{
		Name: "counting", Version: "1", Cluster: contract.ClusterTime,
		Kinds: []contract.Kind{contract.KindSituation, contract.KindSignIn, contract.KindActivity},
		Keeps: []string{"how many sign-ins"}, Retention: 90 * 24 * time.Hour,
	}
}

func (*counting) Ready() bool { return true }

func (c *counting) Observe(_ context.Context, observations []contract.Observation) (int, error) {
	c.calls.Add(1)
	learned := 0
	for _, o := range observations {
		if o.Person == "panic" {
			panic("as asked")
		}
		c.Teach(o.Person, o.At, func(kept *count) {
			if o.At.After(kept.Last) { // each person's oldest first
				*kept = count{kept.SignIns + 1, o.At}
				learned++
			}
		})
	}
	return learned, nil
}

func (c *counting) Assess(_ context.Context, o contract.Observation) (contract.Verdict, error) {
	if o.Person == "panic" {
		panic("as asked")
	}
	kept := count{}
	if !c.Look(o.Person, o.At, func(state *count) { kept = *state }) {
		return contract.Abstain("none"), nil
	}
	return contract.Say(float64(kept.SignIns), 1, "some",
		"calls", strconv.FormatInt(c.calls.Load(), 10), "denied", strconv.FormatInt(c.denied.Load(), 10)), nil
}

func (c *counting) Learn(_ context.Context, f contract.Feedback) error {
	if !f.Genuine {
		c.denied.Add(1)
	}
	return nil
}

// Export writes more than is allowed, or panics, once it was taught of a person
// of that name.
func (c *counting) Export(w io.Writer) error {
	if c.Look("export-panic", time.Time{}, func(*count) {}) {
		panic("as asked")
	}
	if !c.Look("huge", time.Time{}, func(*count) {}) {
		return c.People.Export(w)
	}
	for piece := make([]byte, 1<<20); ; {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
}
