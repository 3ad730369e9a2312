package contracttest

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/plugins/contract"
)

func malformed(t *testing.T, p *program, c contract.Client) {
	for name, change := range map[string]func(*contract.Observation){
		"empty":          func(o *contract.Observation) { *o = contract.Observation{Kind: o.Kind, Person: "p"} },
		"no address":     func(o *contract.Observation) { o.Network, o.Address = "", "" },
		"bad address":    func(o *contract.Observation) { o.Network, o.Address = "999.1.2.3; DROP", "?" },
		"mapped address": func(o *contract.Observation) { o.Network, o.Address = "::ffff:192.0.2.7", "::ffff:192.0.2.7" },
		"zoned address":  func(o *contract.Observation) { o.Network, o.Address = "fe80::1%eth0", "fe80::1%eth0" },
		"wild zone":      func(o *contract.Observation) { o.ZoneMinutes = math.MaxInt32 },
		"odd letters":    func(o *contract.Observation) { o.Device, o.Portal, o.Group = "\x00\x1b[2J", "\x00<b>", "\u202e" },
		"odd grade":      func(o *contract.Observation) { o.Grade = "root" },
		"wild requests":  func(o *contract.Observation) { o.Requests, o.Over = math.MaxUint64, -time.Hour },
		"no time":        func(o *contract.Observation) { o.Requests, o.Over = 7, 0 },
		"odd claims": func(o *contract.Observation) {
			o.Posture = []contract.Claim{{}, {ID: "firewall", State: "?"}, {ID: "firewall", State: "pass"}}
		},
		"odd files": func(o *contract.Observation) { o.Files = []string{"", "zz", "<script>"} },
	} {
		o := signIn("p", 1)
		change(&o)
		p.teach(t, c, o)
		o.Kind = contract.KindActivity
		p.teach(t, c, o)
		if v, err := c.Assess(within(t), p.only(o)); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			p.check(t, v)
		}
	}
	// What is out of bounds is refused and harms nothing.
	long := signIn("p", 1)
	long.Person = strings.Repeat("1", contract.MaxTextBytes+1)
	nobody := signIn("", 1)
	for name, o := range map[string]contract.Observation{"an overlong pseudonym": long, "nobody": nobody} {
		if _, err := c.Assess(within(t), p.only(o)); err == nil {
			t.Errorf("%s was judged", name)
		}
		if _, err := c.Observe(within(t), []contract.Observation{p.only(o)}); err == nil {
			t.Errorf("%s was taught", name)
		}
	}
	if ready, err := c.Ready(within(t)); err != nil || !ready {
		t.Errorf("afterwards: %v %v", ready, err)
	}
}

func cancelled(t *testing.T, p *program, c contract.Client) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Assess(ctx, p.only(signIn("p", 0))); err == nil {
		t.Error("answered a call that was cancelled")
	}
	p.assess(t, c, signIn("p", 0))
}

func manyCallers(t *testing.T, p *program, c contract.Client) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithTimeout(context.Background(), deadline)
				person := fmt.Sprint("p", i%4)
				if _, err := c.Observe(ctx, []contract.Observation{p.only(signIn(person, n))}); err != nil {
					t.Error(err)
				}
				if v, err := c.Assess(ctx, p.only(signIn(person, n+1))); err != nil {
					t.Error(err)
				} else {
					p.check(t, v)
				}
				cancel()
			}
		})
	}
	all.Wait()
}
