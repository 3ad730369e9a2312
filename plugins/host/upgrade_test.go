//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func signedIn(person string, n int) wire.Observation {
	o := seen("192.0.2.7")
	o.Person, o.At = person, now.Add(time.Duration(n)*time.Second)
	return o
}

// known is how many sign-ins of a person the keeper knows; -1 if it is missing.
func known(h *Host, person string) int {
	v := h.Assess(context.Background(), signedIn(person, 0))[0]
	if v.Missing {
		return -1
	}
	return int(v.LLR)
}

// otherBytes puts a program that does the same and has another checksum in the
// place of the running one, as a package's upgrade does.
func otherBytes(t *testing.T, c Config) Config {
	t.Helper()
	raw, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Path+".new", append(raw, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(c.Path+".new", c.Path); err != nil {
		t.Fatal(err)
	}
	c.SHA256 = digest(t, c.Path)
	return c
}

// A new program takes over while the plugin is asked and taught without a
// pause: no verdict is missed, and nothing that was taught is lost.
func TestAnUpgradeMissesNothing(t *testing.T) {
	o, _ := options(t)
	c := program(t, "odd-keeper")
	h := start(t, o, c)
	for n := range 3 {
		h.Observe(t.Context(), signedIn("early", n))
	}
	old := pidOf(t, h)
	var missed, asked, taught atomic.Int64
	stop, busy := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if known(h, "early") != 3 {
					missed.Add(1)
				}
				asked.Add(1)
			}
		})
	}
	all.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if n == 20 {
				close(busy)
			}
			if taught.Load() < 40 { // verdicts say counts of up to 50
				h.Observe(context.Background(), signedIn("meanwhile", n))
				taught.Add(1)
			}
		}
	})
	<-busy
	for version := 2; version <= 4; version++ {
		c = otherBytes(t, withSettings(t, c, map[string]string{"version": fmt.Sprint(version)}))
		changes, err := h.Apply(t.Context(), []Config{c})
		if err != nil || len(changes) != 1 || changes[0].Err != nil || changes[0].What != ChangeExchanged {
			t.Fatalf("%+v %v", changes, err)
		}
		if got := h.Status()[0]; got.Version != fmt.Sprint(version) || got.SHA256 != c.SHA256 || !got.Up || got.Falls != 0 {
			t.Errorf("%+v", got)
		}
	}
	close(stop)
	all.Wait()
	if missed.Load() != 0 || asked.Load() == 0 {
		t.Errorf("%d of %d verdicts were missed", missed.Load(), asked.Load())
	}
	if got := known(h, "meanwhile"); got != int(taught.Load()) {
		t.Errorf("of %d sign-ins the new program knows %d", taught.Load(), got)
	}
	if err := unix.Kill(old, 0); pidOf(t, h) == old || !errors.Is(err, unix.ESRCH) {
		t.Errorf("the old process is still there: %v", err)
	}
}

// Where the state cannot be handed over, the past is replayed.
func TestStateThatIsNotHandedOver(t *testing.T) {
	c := program(t, "odd-keeper")
	for name, settings := range map[string][2]map[string]string{
		"refused":      {{}, {"import": "fail"}},
		"never taken":  {{}, {"import": "hang"}},
		"not given":    {{"export": "fail"}, {}},
		"never given":  {{"export": "hang"}, {}},
		"without end":  {{"export": "flood"}, {}},
		"dies over it": {{"export": "die"}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := options(t)
			o.StartTimeout = 3 * time.Second
			o.Replay = func(_ context.Context, send func([]wire.Observation) error) error {
				return send([]wire.Observation{signedIn("p", 0), signedIn("p", 1)})
			}
			h := start(t, o, withSettings(t, c, settings[0]))
			settings[1]["version"] = "2"
			changes, err := h.Apply(t.Context(), []Config{withSettings(t, c, settings[1])})
			if err != nil || len(changes) != 1 || changes[0].Err != nil {
				t.Fatalf("%+v %v", changes, err)
			}
			if got := h.Status()[0]; got.Version != "2" || known(h, "p") != 2 {
				t.Errorf("knows %d: %+v", known(h, "p"), got)
			}
		})
	}
}

// What cannot take over leaves the old program where it is.
func TestAnUpgradeThatFails(t *testing.T) {
	o, _ := options(t)
	c := program(t, "odd-keeper")
	h := start(t, o, c)
	h.Observe(t.Context(), signedIn("p", 0))
	pid := pidOf(t, h)
	wrong := c
	wrong.SHA256 = strings.Repeat("0", len(c.SHA256))
	if _, err := h.Apply(t.Context(), []Config{wrong}); !errors.Is(err, ErrChecksum) {
		t.Errorf("a wrong checksum: %v", err)
	}
	silent := withSettings(t, c, map[string]string{"unknown": "setting"})
	if changes, err := h.Apply(t.Context(), []Config{silent}); err != nil || len(changes) != 1 || changes[0].Err == nil {
		t.Errorf("a program that ends at once: %+v %v", changes, err)
	}
	if pidOf(t, h) != pid || known(h, "p") != 1 {
		t.Error("the old program is gone")
	}
	if changes, err := h.Apply(t.Context(), []Config{c}); err != nil || len(changes) != 0 {
		t.Errorf("nothing to change: %+v %v", changes, err)
	}
}

func TestPluginsComeAndGo(t *testing.T) {
	o, _ := options(t)
	first, second := program(t, "odd-keeper"), program(t, "odd-fine")
	h := start(t, o, first)
	h.Observe(t.Context(), signedIn("p", 0))
	pid := pidOf(t, h)
	if changes, err := h.Apply(t.Context(), []Config{second, first}); err != nil || len(changes) != 1 || changes[0].What != ChangeStarted || changes[0].Err != nil {
		t.Fatalf("%+v %v", changes, err)
	}
	if v := h.Assess(t.Context(), signedIn("p", 0)); len(v) != 2 || v[0].Plugin != "odd-fine" || v[0].Missing || v[1].LLR != 1 {
		t.Errorf("%+v", v)
	}
	if changes, err := h.Apply(t.Context(), []Config{second}); err != nil || len(changes) != 1 || changes[0].What != ChangeStopped {
		t.Fatalf("%+v %v", changes, err)
	}
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) || len(h.Registered()) != 1 {
		t.Errorf("it still runs: %v", err)
	}
	lost := program(t, "odd-name")
	changes, err := h.Apply(t.Context(), []Config{second, lost})
	if err != nil || len(changes) != 1 || changes[0].Err == nil {
		t.Fatalf("%+v %v", changes, err)
	}
	if got := h.Status()[1]; got.Up || got.Why == "" || got.Falls == 0 {
		t.Errorf("%+v", got)
	}
	// One that is down takes its new configuration at once.
	good := renamed(t, second, "odd-own")
	broken := good
	broken.Cluster = wire.ClusterTime
	if changes, err = h.Apply(t.Context(), []Config{broken}); err != nil || len(changes) != 3 {
		t.Fatalf("%+v %v", changes, err)
	}
	if changes, err = h.Apply(t.Context(), []Config{good}); err != nil || len(changes) != 1 || changes[0].Err != nil {
		t.Fatalf("%+v %v", changes, err)
	}
	if v := h.Assess(t.Context(), signedIn("p", 0)); v[0].Missing || v[0].Cluster != wire.ClusterNetwork {
		t.Errorf("%+v", v)
	}
}

// Who is forgotten is forgotten by the program that runs, by one that is
// getting ready, and by one that will not: that one loses its memory whole.
func TestForgetting(t *testing.T) {
	c := program(t, "odd-keeper")
	o, e := options(t)
	h := start(t, o, withSettings(t, c, map[string]string{"forget": "hang"}))
	h.Observe(t.Context(), signedIn("p", 0))
	h.Observe(t.Context(), signedIn("q", 0))
	h.Forget(t.Context(), "p")
	e.wait(t, 3) // up, down, up
	if p, q := known(h, "p"), known(h, "q"); p != 0 || q != 0 {
		t.Errorf("after a hang it knows %d and %d", p, q)
	}
	o, _ = options(t)
	replaying, goOn := make(chan struct{}), make(chan struct{})
	lives := 0
	o.Replay = func(_ context.Context, send func([]wire.Observation) error) error {
		if lives++; lives == 1 {
			return nil
		}
		err := send([]wire.Observation{signedIn("p", 0)})
		close(replaying)
		<-goOn
		return err
	}
	h = start(t, o, c)
	h.Observe(t.Context(), signedIn("p", 1))
	var applied sync.WaitGroup
	applied.Go(func() {
		if _, err := h.Apply(t.Context(), []Config{withSettings(t, c, map[string]string{"version": "2", "import": "fail"})}); err != nil {
			t.Error(err)
		}
	})
	<-replaying
	h.Forget(t.Context(), "p")
	if err := h.Learn(t.Context(), signedIn("q", 1), true); err != nil {
		t.Error(err)
	}
	close(goOn)
	applied.Wait()
	if p, q := known(h, "p"), known(h, "q"); h.Status()[0].Version != "2" || p != 0 || q != 1 {
		t.Errorf("the new program knows %d and %d", p, q)
	}
}

// More lessons than may wait: an observation is left out, and a plugin that
// could not be told to forget somebody does not come up with what it knows.
func TestTooManyLessons(t *testing.T) {
	o, _ := options(t)
	h := start(t, o)
	c := program(t, "odd-keeper").withDefaults()
	s := newSupervisor(h, &c)
	s.next = &instance{}
	for n := range 2 * maxNeeded {
		s.observe(t.Context(), signedIn("p", n))
	}
	if len(s.queue) != maxQueued || s.lost {
		t.Errorf("%d wait, lost %v", len(s.queue), s.lost)
	}
	for range maxNeeded {
		s.forget(t.Context(), "p")
	}
	if _, err := s.waiting(s.next); len(s.queue) != 0 || !errors.Is(err, errLost) {
		t.Errorf("%v", err)
	}
	if v := s.assess(t.Context(), signedIn("p", 0)); !v.Missing || v.Reasons[0].Code != reason.PluginDown {
		t.Errorf("asked before it is ready: %+v", v)
	}
}

// A state that a program takes too late would bring back what was cleared: that
// process is not used.
func TestAStateIsNotTakenLate(t *testing.T) {
	o, _ := options(t)
	o.StartTimeout = 3 * time.Second
	o.Replay = func(_ context.Context, send func([]wire.Observation) error) error {
		return send([]wire.Observation{signedIn("kept", 0), signedIn("kept", 1)})
	}
	c := program(t, "odd-keeper")
	h := start(t, o, c)
	h.Observe(t.Context(), signedIn("cleared", 0))
	late := withSettings(t, c, map[string]string{"import": "late", "version": "2"})
	changes, err := h.Apply(t.Context(), []Config{late})
	if err != nil || len(changes) != 1 || changes[0].Err != nil {
		t.Fatalf("%+v %v", changes, err)
	}
	for range 100 {
		if cleared, kept := known(h, "cleared"), known(h, "kept"); cleared != 0 || kept != 2 {
			t.Fatalf("knows %d of what was cleared and %d of what was kept", cleared, kept)
		}
	}
}

// Why a plugin ended stands on terminals, and its own words may be in it.
func TestWhyItEndedIsPlain(t *testing.T) {
	got := short(errors.New("a\x1b[31m\u009b31m\u202eb\n\u2066c\xff"))
	if got != "a [31m 31m b  c\ufffd" {
		t.Errorf("%q", got)
	}
}
