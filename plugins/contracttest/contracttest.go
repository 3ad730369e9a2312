// Package contracttest is the suite that every inference plugin must pass. It
// starts the built program as a host does, without a sandbox, and asks what no
// plugin may get wrong: that its answers stay inside their bounds, whatever it
// is asked; that it judges without learning and learns only from sign-ins that
// ended well; that one person's history says nothing about another; that it
// keeps to a deadline and stands many callers at once.
//
//	func TestContract(t *testing.T) { contracttest.Run(t, "/path/to/the/program") }
package contracttest

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/menshen-zt/menshen/plugins/contract"
)

// deadline is generous: machines that test are slow.
const deadline = 5 * time.Second

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// Run puts the program through the suite.
func Run(t *testing.T, program string) {
	t.Helper()
	program, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*testing.T, contract.Client){
		"description":                description,
		"no history":                 noHistory,
		"bounds":                     bounds,
		"assessing is not learning":  assessingIsNotLearning,
		"failures do not teach":      failuresDoNotTeach,
		"people are apart":           peopleAreApart,
		"same history, same verdict": deterministic,
		"malformed":                  malformed,
		"cancelled":                  cancelled,
		"many callers":               manyCallers,
	} {
		t.Run(name, func(t *testing.T) { test(t, launch(t, program)) })
	}
}

func launch(t *testing.T, program string) contract.Client {
	t.Helper()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: contract.Handshake(), VersionedPlugins: contract.HostPlugins(),
		Cmd:              exec.Command(program), // #nosec G204 -- the program under test
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, SkipHostEnv: true,
		StartTimeout: 2 * deadline, Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	raw, err := protocol.Dispense(contract.Service)
	if err != nil {
		t.Fatalf("dispense: %v", err)
	}
	return raw.(contract.Client)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func signIn(person string, n int) contract.Observation {
	return contract.Observation{
		Person: person, Device: "device-" + person, At: start.Add(time.Duration(n) * 24 * time.Hour),
		Network: "192.0.2.7", ZoneMinutes: 480, ZoneKnown: true, Kind: contract.KindSignIn,
	}
}

func teach(t *testing.T, c contract.Client, all ...contract.Observation) int {
	t.Helper()
	learned, err := c.Observe(within(t), all)
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	return learned
}

func assess(t *testing.T, c contract.Client, o contract.Observation) contract.Verdict {
	t.Helper()
	v, err := c.Assess(within(t), o)
	if err != nil {
		t.Fatalf("assess: %v", err)
	}
	check(t, v)
	return v
}

// check is what the host demands of every verdict, and a little more.
func check(t *testing.T, v contract.Verdict) {
	t.Helper()
	switch {
	case math.IsNaN(v.LLR) || math.Abs(v.LLR) > 50:
		t.Errorf("llr %v", v.LLR)
	case math.IsNaN(v.Confidence) || v.Confidence < 0 || v.Confidence > 1:
		t.Errorf("confidence %v", v.Confidence)
	case v.TTL <= 0 || v.TTL > 24*time.Hour:
		t.Errorf("ttl %v", v.TTL)
	case v.Abstained && v.LLR != 0:
		t.Errorf("abstained with an opinion: %+v", v)
	case len(v.Reasons) == 0 || len(v.Reasons) > contract.MaxReasons:
		t.Errorf("%d reasons: a person must be told why", len(v.Reasons))
	}
	for _, r := range v.Reasons {
		if !strings.HasPrefix(r.Code, "ZT-TRU-") || len(r.Code) != len("ZT-TRU-000") {
			t.Errorf("reason code %q", r.Code)
		}
	}
}

func description(t *testing.T, c contract.Client) {
	first, err := c.Describe(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if first.Name == "" || first.Version == "" || first.Cluster <= contract.ClusterUnknown || first.Cluster > contract.ClusterPosture {
		t.Errorf("%+v", first)
	}
	for _, f := range first.Features {
		if f <= contract.FeatureUnknown || f > contract.FeatureFiles {
			t.Errorf("unknown feature %d", f)
		}
	}
	teach(t, c, signIn("p", 0))
	second, err := c.Describe(within(t))
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("described as %+v, then %+v (%v)", first, second, err)
	}
	if ready, err := c.Ready(within(t)); err != nil || !ready {
		t.Errorf("ready: %v %v", ready, err)
	}
}

func noHistory(t *testing.T, c contract.Client) {
	if v := assess(t, c, signIn("p", 0)); !v.Abstained && v.LLR > 0 {
		t.Errorf("speaks for somebody it never saw: %+v", v)
	}
}

func bounds(t *testing.T, c contract.Client) {
	for n := range 40 {
		teach(t, c, signIn("p", n))
	}
	for _, change := range []func(*contract.Observation){
		func(*contract.Observation) {},
		func(o *contract.Observation) { o.Network = "203.0.113.9" },
		func(o *contract.Observation) { o.Network = "2001:db8::1" },
		func(o *contract.Observation) { o.Device = "another" },
		func(o *contract.Observation) { o.ZoneMinutes = -720 },
		func(o *contract.Observation) { o.At = o.At.Add(12 * time.Hour) },
		func(o *contract.Observation) { o.At = time.Unix(0, 0) },
		func(o *contract.Observation) { o.At = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		o := signIn("p", 41)
		change(&o)
		assess(t, c, o)
	}
}

func assessingIsNotLearning(t *testing.T, c contract.Client) {
	teach(t, c, signIn("p", 0), signIn("p", 1))
	o := signIn("p", 3)
	o.Network, o.Device = "203.0.113.9", "another"
	first := assess(t, c, o)
	for range 20 {
		assess(t, c, o)
	}
	if last := assess(t, c, o); !reflect.DeepEqual(first, last) {
		t.Errorf("%+v became %+v by being asked", first, last)
	}
}

func failuresDoNotTeach(t *testing.T, c contract.Client) {
	teach(t, c, signIn("p", 0))
	before := assess(t, c, signIn("p", 9))
	failed := signIn("p", 1)
	failed.Kind, failed.Network, failed.Device = contract.KindFailedSignIn, "203.0.113.9", "another"
	if n := teach(t, c, failed); n != 0 {
		t.Errorf("%d failures taught something", n)
	}
	if after := assess(t, c, signIn("p", 9)); !reflect.DeepEqual(before, after) {
		t.Errorf("%+v became %+v by a failed sign-in", before, after)
	}
}

func peopleAreApart(t *testing.T, c contract.Client) {
	for n := range 10 {
		teach(t, c, signIn("p", n))
	}
	if v := assess(t, c, signIn("q", 11)); !v.Abstained && v.LLR > 0 {
		t.Errorf("one person's history speaks for another: %+v", v)
	}
}

func deterministic(t *testing.T, c contract.Client) {
	teach(t, c, signIn("p", 0), signIn("p", 1), signIn("q", 1))
	teach(t, c, signIn("r", 0))
	teach(t, c, signIn("r", 1), signIn("q", 1)) // one comes twice
	if p, r := assess(t, c, signIn("p", 2)), assess(t, c, signIn("r", 2)); math.Abs(p.LLR-r.LLR) > 1e-9 || p.Confidence != r.Confidence {
		t.Errorf("the same history gives %+v and %+v", p, r)
	}
}

func malformed(t *testing.T, c contract.Client) {
	for name, change := range map[string]func(*contract.Observation){
		"empty":          func(o *contract.Observation) { *o = contract.Observation{Person: "p"} },
		"no address":     func(o *contract.Observation) { o.Network = "" },
		"bad address":    func(o *contract.Observation) { o.Network = "999.1.2.3; DROP" },
		"mapped address": func(o *contract.Observation) { o.Network = "::ffff:192.0.2.7" },
		"zoned address":  func(o *contract.Observation) { o.Network = "fe80::1%eth0" },
		"wild zone":      func(o *contract.Observation) { o.ZoneMinutes = math.MaxInt32 },
		"odd letters":    func(o *contract.Observation) { o.Device = "\x00\x1b[2J" },
	} {
		o := signIn("p", 1)
		change(&o)
		teach(t, c, o)
		if v, err := c.Assess(within(t), o); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			check(t, v)
		}
	}
	// What is out of bounds is refused by the SDK and harms nothing.
	long := signIn("p", 1)
	long.Network = strings.Repeat("1", contract.MaxTextBytes+1)
	if _, err := c.Assess(within(t), long); err == nil {
		t.Error("an overlong address was taken")
	}
	if _, err := c.Observe(within(t), make([]contract.Observation, contract.MaxBatch+1)); err == nil {
		t.Error("an overlong batch was taken")
	}
	if ready, err := c.Ready(within(t)); err != nil || !ready {
		t.Errorf("afterwards: %v %v", ready, err)
	}
}

func cancelled(t *testing.T, c contract.Client) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Assess(ctx, signIn("p", 0)); err == nil {
		t.Error("answered a call that was cancelled")
	}
	assess(t, c, signIn("p", 0))
}

func manyCallers(t *testing.T, c contract.Client) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithTimeout(context.Background(), deadline)
				person := fmt.Sprint("p", i%4)
				if _, err := c.Observe(ctx, []contract.Observation{signIn(person, n)}); err != nil {
					t.Error(err)
				}
				if v, err := c.Assess(ctx, signIn(person, n+1)); err != nil {
					t.Error(err)
				} else {
					check(t, v)
				}
				cancel()
			}
		})
	}
	all.Wait()
}
