package trust

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// rig is a Trust over a real store, with plugins that say what they are told.
type rig struct {
	*Trust
	mu      sync.Mutex
	now     time.Time
	say     map[string]wire.Verdict
	seen    []wire.Observation // that Assess got
	taught  []wire.Observation
	learned []lesson
	// forgotten are people's pseudonyms.
	forgotten []string
	// hold has plugins wait with their answers.
	hold    chan struct{}
	changed []string
	device  wire.DeviceStanding
	store   store.Store

	registered map[string]wire.Cluster
}

type lesson struct {
	of      wire.Observation
	genuine bool
}

func (r *rig) Registered() map[string]wire.Cluster {
	return r.registered
}

func (r *rig) Assess(ctx context.Context, o wire.Observation) []wire.Verdict {
	if ctx.Err() != nil {
		return nil
	}
	if r.hold != nil {
		<-r.hold
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, o)
	var list []wire.Verdict
	for _, v := range r.say {
		v.ObservedAt = r.now
		list = append(list, v)
	}
	return list
}

func (r *rig) Observe(_ context.Context, o wire.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taught = append(r.taught, o)
}

func (r *rig) Learn(_ context.Context, o wire.Observation, genuine bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learned = append(r.learned, lesson{o, genuine})
	return nil
}

func (r *rig) Forget(_ context.Context, person string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgotten = append(r.forgotten, person)
}

func (r *rig) speak(llr float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: llr, Confidence: 1, TTL: 10 * time.Minute}
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := &rig{now: at, say: map[string]wire.Verdict{}, device: freshStanding(), store: s, registered: map[string]wire.Cluster{"net": wire.ClusterNetwork}}
	r.device.Result.ValidUntil = at.Add(24 * time.Hour)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	r.Trust, err = New(Config{
		Plugins: r, History: NewHistory(s, [32]byte{1}, r.clock, log), Weights: weights(t),
		Standing: func(string) wire.DeviceStanding { return r.device },
		Clock:    r.clock, Logger: log, MaxSessions: 3,
		Changed: func(id string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.changed = append(r.changed, id)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func situation(id string) Situation {
	return Situation{
		SessionID: id, PersonID: "per-1", DeviceID: "dev-1", Provenance: wire.ProvenanceTPM,
		SignIn: wire.SignIn{At: at, AAL: 3, ZoneMinutes: new(480)}, IP: "192.0.2.0", Address: "192.0.2.7", Agency: "moda", Groups: []string{"hr"}, Portal: "por-1", PortalAgency: "moda", Grade: wire.ActionRead,
	}
}

func TestAnUnknownSessionHasNoTrust(t *testing.T) {
	r := newRig(t)
	if got := r.Current("ses-1"); got.Score != 0 || !got.ValidUntil.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := r.Trust.Assess(t.Context(), Situation{}); got.Score != 0 || !got.ValidUntil.IsZero() {
		t.Errorf("a session without an id: %+v", got)
	}
}

func TestAssessAndCache(t *testing.T) {
	r := newRig(t)
	r.speak(2)
	first := r.SignedIn(t.Context(), situation("ses-1"))
	if !near(first.Nats, 4.5) || first.Score != 98 || first.Coverage != 1 || !first.AssessedAt.Equal(at) || first.Weights == "" {
		t.Errorf("%+v", first)
	}
	if !first.ValidUntil.Equal(at.Add(75 * time.Second)) {
		t.Errorf("ends %v", first.ValidUntil)
	}
	if got := r.Current("ses-1"); got.Score != first.Score {
		t.Errorf("cached %+v", got)
	}
	r.speak(-3)
	if got := r.Ensure(t.Context(), situation("ses-1")); got.Score != first.Score {
		t.Errorf("Ensure asked although it knew: %+v", got)
	}
	if got := r.Trust.Assess(t.Context(), situation("ses-1")); !near(got.Nats, -0.5) {
		t.Errorf("an alarm does not act at once: %+v", got)
	}
	if len(r.changed) != 1 || r.changed[0] != "ses-1" {
		t.Errorf("told %q", r.changed)
	}
	r.Trust.Forget("ses-1")
	if got := r.Current("ses-1"); got.Score != 0 {
		t.Errorf("after Forget: %+v", got)
	}
}

func TestTheVerdictEndsTheAssessment(t *testing.T) {
	r := newRig(t)
	r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: 1, Confidence: 1, TTL: 10 * time.Second}
	if got := r.Trust.Assess(t.Context(), situation("ses-1")); !got.ValidUntil.Equal(at.Add(10 * time.Second)) {
		t.Errorf("ends %v", got.ValidUntil)
	}
}

func TestPluginsSeePseudonymsOnly(t *testing.T) {
	r := newRig(t)
	r.SignedIn(t.Context(), situation("ses-1"))
	other := situation("ses-2")
	other.PersonID = "per-2"
	r.SignedIn(t.Context(), other)
	if len(r.seen) != 2 || len(r.taught) != 2 || r.seen[0].Kind != wire.ObservedSituation || r.taught[0].Kind != wire.ObservedSignIn {
		t.Fatalf("saw %+v, taught %+v", r.seen, r.taught)
	}
	for _, o := range append(r.seen, r.taught...) {
		if strings.Contains(o.Person+o.Device, "per-") || strings.Contains(o.Person+o.Device, "dev-") || len(o.Person) != 32 {
			t.Errorf("%+v", o)
		}
	}
	if r.seen[0].Person == r.seen[1].Person || r.seen[0].Device != r.seen[1].Device || r.seen[0].Person == r.seen[0].Device {
		t.Errorf("pseudonyms: %+v", r.seen)
	}
	if r.taught[0].IP != "192.0.2.0" || r.taught[0].ZoneMins != 480 || !r.taught[0].ZoneKnown || !r.taught[0].At.Equal(at) {
		t.Errorf("%+v", r.taught[0])
	}
}

func TestARefreshTeachesNothing(t *testing.T) {
	r := newRig(t)
	r.Trust.Assess(t.Context(), situation("ses-1"))
	r.refresh(t.Context())
	if len(r.taught) != 0 || len(r.seen) != 2 {
		t.Errorf("taught %d, asked %d", len(r.taught), len(r.seen))
	}
}

func TestVerdictsThatAreNotHeard(t *testing.T) {
	r := newRig(t)
	r.say["stranger"] = wire.Verdict{Plugin: "stranger", Cluster: wire.ClusterNetwork, LLR: 3, Confidence: 1, TTL: time.Hour}
	r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterDevice, LLR: 3, Confidence: 1, TTL: time.Hour}
	if got := r.Trust.Assess(t.Context(), situation("ses-1")); !near(got.Nats, 0.5) || got.Coverage != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAnOlderVerdictDoesNotReplaceANewerOne(t *testing.T) {
	r := newRig(t)
	r.Trust.Assess(t.Context(), situation("ses-1"))
	one := r.find("ses-1")
	say := func(llr float64, when time.Time) {
		r.update(one, func(one *session, _ time.Time) {
			r.hear(one, wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: llr, Confidence: 1, TTL: time.Hour, ObservedAt: when}, true)
		})
	}
	say(-2, at)
	say(3, at.Add(-time.Minute))
	if got := r.Current("ses-1"); !near(got.Nats, 0.5) {
		t.Errorf("%+v", got)
	}
}

// Whoever hangs up early must not keep the alarm from being heard.
func TestACallerThatHangsUpIsAssessedAllTheSame(t *testing.T) {
	r := newRig(t)
	r.speak(-3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := r.Trust.Assess(ctx, situation("ses-1")); !near(got.Nats, -0.5) || got.Coverage != 1 {
		t.Errorf("%+v", got)
	}
}

func TestNoSessionVouchesForItself(t *testing.T) {
	abstained := wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, Abstained: true, TTL: time.Hour}
	missing := wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, Missing: true}
	said := func(llr float64) wire.Verdict {
		return wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: llr, Confidence: 1, TTL: time.Hour}
	}
	for name, c := range map[string]struct {
		signIn  *wire.Verdict // nil: this PDP was not running
		later   wire.Verdict
		want    float64 // nats of the plugin's own term
		covered float64
	}{
		"no history, then its own":        {&abstained, said(2), 0, 0},
		"down, then taught by the replay": {&missing, said(2), 0, 0},
		"after a restart":                 {nil, said(2), 0, 0},
		"strange, then familiar":          {new(said(-2)), said(2), -2, 1},
		"better than it was":              {new(said(1)), said(2), 1, 1},
		"as good as it was":               {new(said(2)), said(2), 2, 1},
		"worse than it was":               {new(said(2)), said(-1), -1, 1},
		"no history, then strange":        {&abstained, said(-1), -1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if c.signIn != nil {
				r.say["net"] = *c.signIn
				r.SignedIn(t.Context(), situation("ses-1"))
			}
			r.pass(time.Second)
			r.say["net"] = c.later
			got := r.Trust.Assess(t.Context(), situation("ses-1"))
			var nats float64
			for _, term := range got.Terms {
				if term.Name == "net" {
					nats = term.Nats
				}
			}
			if !near(nats, c.want) || !near(got.Coverage, c.covered) {
				t.Errorf("%+v nats, coverage %v, want %v and %v", nats, got.Coverage, c.want, c.covered)
			}
		})
	}
}

func TestASecondSessionRestsOnWhatWasSaidBeforeTheTouchWasTaught(t *testing.T) {
	for name, c := range map[string]struct {
		first string
		want  float64
	}{
		"the session of the touch": {"ses-1", -2},
		"one that is gone":         {"ses-x", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.speak(-2)
			r.SignedIn(t.Context(), situation("ses-1"))
			r.speak(5)
			got := r.Joined(t.Context(), situation("ses-2"), c.first)
			for _, term := range got.Terms {
				if term.Name == "net" && !near(term.Nats, c.want) {
					t.Errorf("%+v", term)
				}
			}
			if got.AssessedAt.IsZero() {
				t.Error("not assessed")
			}
		})
	}
}

// TestSigningOutLosesNoDoubt: by the same touch of the key one comes to another
// portal as doubted as one left the first, whatever plugins have learned since.
func TestSigningOutLosesNoDoubt(t *testing.T) {
	later := situation("ses-3")
	later.SignIn.At = at.Add(time.Second)
	for name, c := range map[string]struct {
		at   Situation
		want float64
	}{
		"by the same touch": {situation("ses-2"), -2},
		"by a new touch":    {later, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.speak(-2)
			r.SignedIn(t.Context(), situation("ses-1"))
			r.Trust.Forget("ses-1")
			r.speak(5)
			for _, term := range r.Trust.Assess(t.Context(), c.at).Terms {
				if term.Name == "net" && !near(term.Nats, c.want) {
					t.Errorf("%+v, want %v", term, c.want)
				}
			}
		})
	}
}

// TestAnAlarmStandsInASecondSession: where the plugin has nothing to say of it,
// what it said of the first still counts.
func TestAnAlarmStandsInASecondSession(t *testing.T) {
	for name, over := range map[string]bool{"beside the first": false, "after the first": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.speak(2)
			r.SignedIn(t.Context(), situation("ses-1"))
			r.pass(time.Second)
			r.speak(-3)
			r.Trust.Assess(t.Context(), situation("ses-1"))
			if over {
				r.Trust.Forget("ses-1")
			}
			r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, Abstained: true, TTL: time.Hour}
			for _, term := range r.Joined(t.Context(), situation("ses-2"), "ses-1").Terms {
				if term.Name == "net" && !near(term.Nats, -3) {
					t.Errorf("%+v", term)
				}
			}
		})
	}
}

// TestWhatIsOverIsBounded, and kept no longer than a sign-in lasts.
func TestWhatIsOverIsBounded(t *testing.T) {
	r := newRig(t)
	one := func(n int) Situation {
		s := situation("ses-1")
		s.SignIn.At = r.now.Add(-time.Duration(n) * time.Second)
		return s
	}
	for n := range 5 {
		r.SignedIn(t.Context(), one(n))
		r.Trust.Forget("ses-1")
	}
	if len(r.over) != 3 {
		t.Fatalf("%d are kept", len(r.over))
	}
	r.pass(sessionLife + time.Hour)
	r.SignedIn(t.Context(), one(0))
	r.Trust.Forget("ses-1")
	if len(r.over) != 1 {
		t.Errorf("%d are kept", len(r.over))
	}
}

func TestADeadPluginIsFeltInEverySession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Run(ctx)
		r.speak(2)
		r.SignedIn(ctx, situation("ses-1"))
		r.SignedIn(ctx, situation("ses-2"))
		asked := len(r.seen)
		r.mu.Lock()
		r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, Missing: true}
		r.mu.Unlock()
		r.PluginChanged("net", false)
		synctest.Wait()
		for _, id := range []string{"ses-1", "ses-2"} {
			if got := r.Current(id); !near(got.Nats, 0.5) || got.Coverage != 0 {
				t.Errorf("%s: %+v", id, got)
			}
		}
		if len(r.seen) != asked {
			t.Error("a dead plugin was asked")
		}
		if len(r.changed) != 2 {
			t.Errorf("told %q", r.changed)
		}
		missing := r.Current("ses-1").Terms
		if i := len(missing) - 2; missing[i].State != fusion.Missing || missing[i].Reasons[0].Code != reason.PluginDown {
			t.Errorf("%+v", missing)
		}
		// It comes back: asked at once, believed after a minute.
		r.pass(time.Second)
		r.speak(2)
		r.PluginChanged("net", true)
		synctest.Wait()
		if got := r.Current("ses-1"); !near(got.Nats, 0.5) || got.Coverage != 1 {
			t.Errorf("back: %+v", got)
		}
		for range 3 {
			r.pass(30 * time.Second)
			time.Sleep(30 * time.Second)
			synctest.Wait()
		}
		if got := r.Current("ses-1"); got.Nats < 4 {
			t.Errorf("after a minute: %+v", got)
		}
		cancel()
		synctest.Wait()
	})
}

func TestAChangedDeviceIsFeltWithoutPlugins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Run(ctx)
		before := r.Trust.Assess(ctx, situation("ses-1"))
		asked := len(r.seen)
		r.device.Standing = wire.StandingStale
		r.DeviceChanged("dev-2")
		synctest.Wait()
		if got := r.Current("ses-1"); got.Nats != before.Nats {
			t.Errorf("another device's change: %+v", got)
		}
		r.DeviceChanged("dev-1")
		synctest.Wait()
		if got := r.Current("ses-1"); !near(got.Nats, before.Nats-1) || len(r.seen) != asked {
			t.Errorf("%+v", got)
		}
		cancel()
		synctest.Wait()
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"a", "b", "c"} {
		r.Trust.Assess(t.Context(), situation(id))
	}
	if got := r.Trust.Assess(t.Context(), situation("d")); got.Score != 0 || !got.ValidUntil.IsZero() {
		t.Errorf("a session beyond the bound: %+v", got)
	}
	if got := r.Trust.Assess(t.Context(), situation("a")); got.Score == 0 {
		t.Error("a known session is not assessed when the cache is full")
	}
	r.pass(sessionLife + time.Minute)
	r.refresh(t.Context())
	if r.count != 0 {
		t.Errorf("%d sessions outlived their sign-in", r.count)
	}
}

func TestHistoryIsKeptBoundedAndReplayed(t *testing.T) {
	r := newRig(t)
	h := r.config.History
	for i := range maxObservations + 8 {
		o := wire.Observation{Person: "p", At: at.Add(time.Duration(i) * time.Hour), IP: "192.0.2.7", Kind: wire.ObservedSignIn}
		for range 2 { // twice is once
			if err := h.Add(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := h.Add(t.Context(), wire.Observation{Person: "q", At: at.Add(-retention), Kind: wire.ObservedSignIn}); err != nil {
		t.Fatal(err)
	}
	replay := func() (all []wire.Observation) {
		err := h.Replay(t.Context(), func(batch []wire.Observation) error {
			all = append(all, batch...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := replay()
	if len(all) != maxObservations || !all[0].At.Equal(at.Add(8*time.Hour)) {
		t.Errorf("%d replayed, from %v", len(all), all[0].At)
	}
	for i := 1; i < len(all); i++ {
		if !all[i-1].At.Before(all[i].At) {
			t.Error("not oldest first")
		}
	}
	r.pass(retention + 20*time.Hour)
	if n := len(replay()); n != maxObservations-13 {
		t.Errorf("%d replayed after the retention", n)
	}
}

func TestErasingAPerson(t *testing.T) {
	r := newRig(t)
	r.SignedIn(t.Context(), situation("ses-1"))
	if err := r.config.History.Erase(t.Context(), "per-1"); err != nil {
		t.Fatal(err)
	}
	err := r.config.History.Replay(t.Context(), func([]wire.Observation) error { t.Error("something was kept"); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestADamagedHistoryHarmsNobodyElse(t *testing.T) {
	r := newRig(t)
	h := r.config.History
	bad := store.Key(ObservationKind, observationAgency, "bad")
	if _, err := r.store.Txn(t.Context(), nil, []store.Op{{Key: bad, Value: []byte("{")}}); err != nil {
		t.Fatal(err)
	}
	if err := h.Add(t.Context(), wire.Observation{Person: "p", At: at, Kind: wire.ObservedSignIn}); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := h.Replay(t.Context(), func(batch []wire.Observation) error { n += len(batch); return nil }); err != nil || n != 1 {
		t.Errorf("%d replayed, %v", n, err)
	}
	if err := h.Add(t.Context(), wire.Observation{Person: "bad", At: at, Kind: wire.ObservedSignIn}); err != nil {
		t.Errorf("the damaged person cannot start anew: %v", err)
	}
}

func TestAClosedStoreLowersNothingElse(t *testing.T) {
	r := newRig(t)
	r.speak(2)
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	if got := r.SignedIn(t.Context(), situation("ses-1")); got.Score != 98 || len(r.taught) != 0 {
		t.Errorf("%+v, taught %v", got, r.taught)
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRig(t)
	r.speak(1)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				id := []string{"a", "b", "c"}[i%3]
				r.SignedIn(context.Background(), situation(id))
				r.Current(id)
				r.PluginChanged("net", i%2 == 0)
				r.DeviceChanged("dev-1")
				r.catchUp()
				r.Trust.Forget(id)
			}
		})
	}
	all.Wait()
}

func TestNothingNeededIsOptional(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
}
