package contract

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A plugin that was built for version 1 and never touched since.
func TestAnOldPluginIsSpokenWith(t *testing.T) {
	c, _ := launch(t, "old")
	d, err := c.Describe(within(t))
	if err != nil || c.Contract() != 1 || d.Name != "old" || d.Cluster != ClusterNetwork || len(d.Features) != 1 || d.Features[0] != FeatureNetwork ||
		len(d.Kinds) != 1 || d.Kinds[0] != KindSignIn {
		t.Fatalf("version %d, %+v: %v", c.Contract(), d, err)
	}
	if ready, err := c.Ready(within(t)); err != nil || !ready {
		t.Errorf("ready %v: %v", ready, err)
	}
	home := Observation{Kind: KindSignIn, Person: "p", At: morning, Network: "192.0.2.0"}
	failed, did := home, home
	failed.Kind, failed.Network = KindFailedSignIn, "203.0.113.0"
	did.Kind, did.Network = KindActivity, "203.0.113.0"
	if n, err := c.Observe(within(t), []Observation{home, failed, did, home}); err != nil || n != 1 {
		t.Errorf("%d learned: %v", n, err)
	}
	if n, err := c.Observe(within(t), []Observation{failed, did}); err != nil || n != 0 {
		t.Errorf("%d learned of what version 1 does not know: %v", n, err)
	}
	away := home
	away.Network = "203.0.113.0"
	for want, o := range map[float64]Observation{1: home, -1: away, 0: {Person: "q", At: morning}} {
		o.Kind = KindSituation
		if v, err := c.Assess(within(t), o); err != nil || v.LLR != want || v.Abstained != (want == 0) || len(v.Reasons) != 1 || v.TTL <= 0 {
			t.Errorf("%+v instead of %v: %v", v, want, err)
		} else if n := v.Reasons[0].Args["failed"]; !v.Abstained && n != "0" {
			t.Errorf("%s observations arrived that version 1 has no kind for", n)
		}
	}
}

func TestAnOldPluginSaysWhatItCannotDo(t *testing.T) {
	c, _ := launch(t, "old")
	for name, err := range map[string]error{
		"learn":  c.Learn(within(t), Feedback{Observation: Observation{Person: "p"}}),
		"forget": c.Forget(within(t), "p"),
		"export": c.Export(within(t), io.Discard),
		"import": c.Import(within(t), strings.NewReader("x")),
	} {
		if !errors.Is(err, ErrOldContract) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnOldPluginCanRehearse(t *testing.T) {
	c, _ := launch(t, "old")
	networks := []string{"192.0.2.0", "192.0.2.0", "203.0.113.0", "203.0.113.0"}
	given, heard := 0, []float64(nil)
	next := func() (Observation, bool) {
		if given == len(networks) {
			return Observation{}, false
		}
		given++
		return Observation{Kind: KindSignIn, Person: "p", At: morning, Network: networks[given-1]}, true
	}
	if err := c.Rehearse(within(t), next, func(v Verdict) error { heard = append(heard, v.LLR); return nil }); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0, 1, -1, 1} {
		if len(heard) != 4 || heard[i] != want {
			t.Fatalf("%v", heard)
		}
	}
}
