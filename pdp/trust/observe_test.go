package trust

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

func (r *rig) name(kind, id string) string { return r.config.History.Pseudonym(kind, id) }

func TestAnObservationCarriesExactlyTheseFeatures(t *testing.T) {
	r := newRig(t)
	r.device.Result.Claims = []wire.Claim{
		{ID: wire.ClaimFirewall, State: wire.ClaimPass, Value: map[string]string{"zone": "private"}, Source: "private"}, {ID: wire.ClaimDiskEncryption, State: wire.ClaimFail},
	}
	r.config.Files = func(string) []string { return []string{"ab12"} }
	s := situation("ses-1")
	s.Groups = []string{"payroll", "hr", "hr"}
	r.SignedIn(t.Context(), s)
	want := wire.Observation{
		Person: r.name("person", "per-1"), Device: r.name("device", "dev-1"), Portal: r.name("portal", "por-1"),
		Group: r.name("group", "moda\x00hr\x00payroll"), At: at, IP: "192.0.2.0", Address: "192.0.2.7",
		ZoneMins: 480, ZoneKnown: true, Grade: "read", Files: []string{"ab12"},
		Posture: []wire.ObservedClaim{{ID: "disk_encryption", State: "fail"}, {ID: "firewall", State: "pass"}},
	}
	want.Posture[0].ID, want.Posture[1].ID = string(wire.ClaimDiskEncryption), string(wire.ClaimFirewall)
	if diff := cmp.Diff(want, r.seen[0]); diff != "" {
		t.Error(diff)
	}
	want.Kind = wire.ObservedSignIn
	if diff := cmp.Diff(want, r.taught[0]); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotKnownIsNotThere(t *testing.T) {
	r := newRig(t)
	r.device.Result.Claims = []wire.Claim{{ID: wire.ClaimFirewall, State: wire.ClaimPass}}
	r.device.Result.ValidUntil = at // its Evidence is over
	r.Trust.Assess(t.Context(), Situation{SessionID: "ses-1", PersonID: "per-1", DeviceID: "dev-1"})
	want := wire.Observation{Person: r.name("person", "per-1"), Device: r.name("device", "dev-1"), At: at}
	if diff := cmp.Diff(want, r.seen[0]); diff != "" {
		t.Error(diff)
	}
	alone := situation("ses-2")
	alone.Groups = nil
	if got := r.observation(alone).Group; got != r.name("group", "moda") {
		t.Errorf("peers %q", got)
	}
}

func TestTheWholeAddressIsNeverStored(t *testing.T) {
	r := newRig(t)
	r.SignedIn(t.Context(), situation("ses-1"))
	r.Failed(wire.FailedSignIn{Person: wire.Person{ID: "per-1"}, Address: netip.MustParseAddr("198.51.100.77"), At: at})
	r.drain(t.Context())
	if raw := r.stored(t); len(raw) == 0 || bytes.Contains(raw, []byte("192.0.2.7")) || bytes.Contains(raw, []byte("198.51.100.77")) {
		t.Errorf("stored %s", raw)
	}
	if r.taught[1].Address != "198.51.100.77" {
		t.Errorf("taught %+v", r.taught[1])
	}
}

// drain works off what failed, as Run does.
func (r *rig) drain(ctx context.Context) {
	for {
		select {
		case f := <-r.failures:
			r.fail(ctx, f)
		default:
			return
		}
	}
}

// stored is everything that the store holds, as it lies there.
func (r *rig) stored(t *testing.T) (all []byte) {
	t.Helper()
	page, err := r.store.Scan(t.Context(), "/", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range page.Records {
		all = append(append(all, record.Key...), record.Value...)
	}
	return all
}

func TestWhatASessionDidIsToldAfterItWasJudged(t *testing.T) {
	r := newRig(t)
	r.SignedIn(t.Context(), situation("ses-1"))
	r.Used("ses-1", wire.ActionRead, 40)
	r.Used("ses-1", wire.ActionWrite, 2)
	r.Used("ses-9", wire.ActionRead, 1) // nobody's
	r.pass(30 * time.Second)
	r.refresh(t.Context())
	judged, taught := r.seen[1], r.taught[len(r.taught)-1]
	if judged.Requests != 42 || judged.Over != 30*time.Second || judged.Grade != "write" || judged.Kind != wire.ObservedSituation {
		t.Errorf("judged %+v", judged)
	}
	if taught.Kind != wire.ObservedActivity || taught.Requests != 42 || taught.Over != 30*time.Second || len(r.taught) != 2 {
		t.Errorf("taught %+v", r.taught)
	}
	r.pass(30 * time.Second)
	r.refresh(t.Context())
	if idle := r.seen[2]; idle.Requests != 0 || idle.Over != 30*time.Second || idle.Grade != "read" || len(r.taught) != 2 {
		t.Errorf("an idle session: %+v, taught %d", idle, len(r.taught))
	}
}

func TestRefusedSignInsAreKeptAndTaughtWithinBounds(t *testing.T) {
	r := newRig(t)
	r.SignedIn(t.Context(), situation("ses-1"))
	failed := wire.FailedSignIn{Person: wire.Person{ID: "per-1", Agency: "moda", Groups: []string{"hr"}}, Portal: "por-1", At: at, Address: netip.MustParseAddr("2001:db8:0:1ff::7")}
	for range 2 * maxFailures {
		failed.At = failed.At.Add(time.Second)
		r.Failed(failed) // never waits
	}
	r.drain(t.Context())
	if n := len(r.taught); n != 1+maxFailures {
		t.Errorf("taught %d", n)
	}
	want := wire.Observation{
		Kind: wire.ObservedFailure, Person: r.name("person", "per-1"), Group: r.name("group", "moda\x00hr"), Portal: r.name("portal", "por-1"),
		At: at.Add(time.Second), IP: "2001:db8:0:100::", Address: "2001:db8:0:1ff::7",
	}
	if diff := cmp.Diff(want, r.taught[1]); diff != "" {
		t.Error(diff)
	}
	kinds := map[wire.ObservationKind]int{}
	if err := r.config.History.Each(t.Context(), time.Time{}, func(o wire.Observation) error { kinds[o.Kind]++; return nil }); err != nil {
		t.Fatal(err)
	}
	if kinds[wire.ObservedSignIn] != 1 || kinds[wire.ObservedFailure] != maxFailed {
		t.Errorf("kept %v: those that failed must not push out what a person is known by", kinds)
	}
}

func TestRunTeachesRefusedSignIns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Run(ctx)
		r.Failed(wire.FailedSignIn{Person: wire.Person{ID: "per-1"}, At: at})
		synctest.Wait()
		if len(r.taught) != 1 || len(r.seen) != 0 {
			t.Errorf("taught %d, asked %d", len(r.taught), len(r.seen))
		}
		cancel()
		synctest.Wait()
	})
}

func TestAnOfficersWordOnASignIn(t *testing.T) {
	r := newRig(t)
	r.SignedIn(t.Context(), situation("ses-1"))
	r.pass(time.Hour)
	later := situation("ses-2")
	later.SignIn.At = r.clock()
	r.SignedIn(t.Context(), later)
	kept := func() (n int) {
		if err := r.config.History.Each(t.Context(), time.Time{}, func(wire.Observation) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := r.Judge(t.Context(), "per-1", at, true); err != nil || kept() != 2 {
		t.Errorf("genuine: %v, %d kept", err, kept())
	}
	if err := r.Judge(t.Context(), "per-1", at.Add(time.Hour), false); err != nil || kept() != 1 {
		t.Errorf("not genuine: %v, %d kept", err, kept())
	}
	if len(r.learned) != 2 || !r.learned[0].genuine || r.learned[1].genuine || !r.learned[0].of.At.Equal(at) || !r.learned[1].of.At.Equal(at.Add(time.Hour)) {
		t.Errorf("learned %+v", r.learned)
	}
	for name, c := range map[string]struct {
		person string
		at     time.Time
	}{
		"twice": {"per-1", at.Add(time.Hour)}, "another time": {"per-1", at.Add(-time.Hour)}, "another person": {"per-2", at},
	} {
		if err := r.Judge(t.Context(), c.person, c.at, false); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(r.learned) != 2 {
		t.Error("plugins were told of what nobody holds")
	}
}

// TestAWordIsTaughtOnce: plugins must not hold a sign-in for ten because an
// officer vouched for it ten times; it can still be found not to be the person's.
func TestAWordIsTaughtOnce(t *testing.T) {
	r := newRig(t)
	r.SignedIn(t.Context(), situation("ses-1"))
	for range 10 {
		if err := r.Judge(t.Context(), "per-1", at, true); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.learned) != 1 {
		t.Errorf("learned %d times", len(r.learned))
	}
	if err := r.Judge(t.Context(), "per-1", at, false); err != nil || len(r.learned) != 2 || r.learned[1].genuine {
		t.Errorf("%+v, %v", r.learned, err)
	}
}

// What is erased is gone from the store as it lies there, and from plugins
// (requirements 32).
func TestAnErasedPersonIsReallyGone(t *testing.T) {
	r := newRig(t)
	other := situation("ses-2")
	other.PersonID = "per-2"
	r.SignedIn(t.Context(), situation("ses-1"))
	r.SignedIn(t.Context(), other)
	r.Failed(wire.FailedSignIn{Person: wire.Person{ID: "per-1"}, At: at})
	r.drain(t.Context())
	gone, stays := []byte(r.name("person", "per-1")), []byte(r.name("person", "per-2"))
	if raw := r.stored(t); !bytes.Contains(raw, gone) || !bytes.Contains(raw, stays) {
		t.Fatal("not stored at all")
	}
	if err := r.Erase(t.Context(), "per-1"); err != nil {
		t.Fatal(err)
	}
	if raw := r.stored(t); bytes.Contains(raw, gone) || !bytes.Contains(raw, stays) {
		t.Errorf("stored %s", raw)
	}
	if len(r.forgotten) != 1 || r.forgotten[0] != string(gone) {
		t.Errorf("forgotten %q", r.forgotten)
	}
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Erase(t.Context(), "per-2"); err == nil || len(r.forgotten) != 1 {
		t.Error("an erasure that failed passes for one")
	}
}

func TestMutingEndsByItself(t *testing.T) {
	r := newRig(t)
	r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: -3, Confidence: 1, TTL: time.Hour, Reasons: []wire.Reason{{Code: "ZT-TRU-003"}}}
	until := at.Add(30 * time.Second)
	r.config.Muted = func(s Situation, now time.Time) Muting {
		if s.PersonID != "per-1" || !now.Before(until) {
			return Muting{}
		}
		return Muting{Codes: []string{"ZT-TRU-003"}, IDs: []string{"ovr-1"}, Until: until}
	}
	got := r.SignedIn(t.Context(), situation("ses-1"))
	if !near(got.Nats, 2.5) || got.Coverage != 0 || len(got.Muted) != 1 || !got.ValidUntil.Equal(until) {
		t.Errorf("muted: %+v", got)
	}
	r.pass(30 * time.Second)
	if got := r.Ensure(t.Context(), situation("ses-1")); got.Nats > 0 || len(got.Muted) != 0 || len(r.seen) != 1 {
		t.Errorf("after its end: %+v", got)
	}
}

func TestAnOverrideIsFeltAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Run(ctx)
		r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: -3, Confidence: 1, TTL: time.Hour, Reasons: []wire.Reason{{Code: "ZT-TRU-003"}}}
		r.SignedIn(ctx, situation("ses-1"))
		asked := len(r.seen)
		r.config.Muted = func(Situation, time.Time) Muting {
			return Muting{Codes: []string{"ZT-TRU-003"}, IDs: []string{"ovr-1"}}
		}
		r.OverrideChanged(wire.TrustOverride{Person: "per-2"})
		synctest.Wait()
		if got := r.Current("ses-1"); len(got.Muted) != 0 {
			t.Errorf("another person's: %+v", got)
		}
		for _, o := range []wire.TrustOverride{{Person: "per-1"}, {Device: "dev-1"}, {Session: "ses-1"}} {
			r.OverrideChanged(o)
			synctest.Wait()
			if got := r.Current("ses-1"); len(got.Muted) != 1 || len(r.seen) != asked {
				t.Errorf("%+v: %+v", o, got)
			}
		}
		cancel()
		synctest.Wait()
	})
}

// TestASlowPluginHoldsUpNoOfficer: an override that is lifted, or a plugin that
// goes down, lowers at once, also while the sessions are being refreshed.
func TestASlowPluginHoldsUpNoOfficer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: -3, Confidence: 1, TTL: time.Hour, Reasons: []wire.Reason{{Code: "ZT-TRU-003"}}}
		var lifted atomic.Bool
		r.config.Muted = func(Situation, time.Time) Muting {
			if lifted.Load() {
				return Muting{}
			}
			return Muting{Codes: []string{"ZT-TRU-003"}, IDs: []string{"ovr-1"}}
		}
		r.SignedIn(ctx, situation("ses-1"))
		r.hold = make(chan struct{})
		go r.Run(ctx)
		r.PluginChanged("net", true) // all are asked anew
		synctest.Wait()
		lifted.Store(true)
		r.OverrideChanged(wire.TrustOverride{Person: "per-1"})
		synctest.Wait()
		if got := r.Current("ses-1"); len(got.Muted) != 0 || got.Nats > 0 {
			t.Errorf("still muted: %+v", got)
		}
		r.PluginChanged("net", true)
		synctest.Wait()
		close(r.hold)
		synctest.Wait()
		if len(r.seen) != 3 { // at the sign-in, in the refresh, and with the plugin that came up
			t.Errorf("asked %d times", len(r.seen))
		}
		cancel()
		synctest.Wait()
	})
}

func TestAPluginInShadowCountsBesideAndNowhereElse(t *testing.T) {
	r := newRig(t)
	r.speak(2)
	before := r.SignedIn(t.Context(), situation("ses-1"))
	r.config.Shadow = func(name string) bool { return name == "net" }
	got := r.SignedIn(t.Context(), situation("ses-2"))
	if !near(got.Nats, 2.5) || got.Coverage != 0 {
		t.Errorf("in force: %+v", got)
	}
	shown := got.Terms[len(got.Terms)-1]
	if shown.Name != "net" || shown.State != fusion.Shadowed || !near(shown.Nats, 2) {
		t.Errorf("shown %+v", shown)
	}
	beside := r.Candidates("ses-2")
	if len(beside) != 1 || beside[0].Name != "plugin net" || !near(beside[0].Nats, before.Nats) || beside[0].Coverage != 1 {
		t.Errorf("beside %+v", beside)
	}
	if len(r.Candidates("ses-1")) != 0 || len(r.Candidates("ses-9")) != 0 || len(r.taught) != 2 {
		t.Errorf("candidates of others; taught %d", len(r.taught))
	}
}

func TestTrialsOfWeightsAndThresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Run(ctx)
		r.speak(2)
		inForce := r.SignedIn(ctx, situation("ses-1"))
		heavier := *weights(t)
		heavier.Base -= 3
		r.Try(&Trial{Weights: &heavier})
		synctest.Wait()
		if c := r.Candidates("ses-1"); len(c) != 1 || !near(c[0].Nats, inForce.Nats-3) || r.Current("ses-1").Score != inForce.Score {
			t.Errorf("weights: %+v", c)
		}
		r.Try(&Trial{Points: 30})
		synctest.Wait()
		if c := r.Candidates("ses-1"); len(c) != 1 || c[0].Score != inForce.Score-30 || !near(c[0].Nats, inForce.Nats) {
			t.Errorf("thresholds: %+v", c)
		}
		r.Try(nil)
		synctest.Wait()
		if c := r.Candidates("ses-1"); len(c) != 0 || r.Tried() != nil {
			t.Errorf("after its end: %+v", c)
		}
		cancel()
		synctest.Wait()
	})
}

// A plugin that is taken off counts no more; one that comes is missing first.
func TestRegistrationsMayChange(t *testing.T) {
	r := newRig(t)
	r.speak(2)
	r.SignedIn(t.Context(), situation("ses-1"))
	r.registered = map[string]wire.Cluster{"other": wire.ClusterTime}
	got := r.Trust.Assess(t.Context(), situation("ses-1"))
	for _, term := range got.Terms {
		if term.Name == "net" || term.Name == "other" && term.State != fusion.Missing {
			t.Errorf("%+v", term)
		}
	}
	if got.Coverage != 0 || !near(got.Nats, 2.5-0.8*2) {
		t.Errorf("%+v", got)
	}
}

func BenchmarkCurrent(b *testing.B) {
	r := newRig(b)
	r.speak(2)
	r.SignedIn(b.Context(), situation("ses-1"))
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			r.Current("ses-1")
		}
	})
	b.Run("64 readers", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				r.Current("ses-1")
			}
		})
	})
}

// An assessment that was not renewed ends, and where it is fused again without
// its plugins, what they said for somebody is over and what they said against
// stays (design §5).
func TestAStaleAssessmentDecaysAsSpecified(t *testing.T) {
	for name, c := range map[string]struct {
		llr, want float64
		after     time.Duration
	}{
		"for, half an hour later":     {2, 2. / 4, 30 * time.Minute},
		"for, past its time":          {2, -2, 61 * time.Minute},
		"against, half an hour later": {-2, -2 * 0.98566, 30 * time.Minute},
		"against, past its time":      {-2, -2*0.97105 - 2, 61 * time.Minute},
	} {
		r := newRig(t)
		r.say["net"] = wire.Verdict{Plugin: "net", Cluster: wire.ClusterNetwork, LLR: c.llr, Confidence: 1, TTL: time.Hour}
		first := r.SignedIn(t.Context(), situation("ses-1"))
		r.pass(c.after)
		if got := r.Current("ses-1"); got.ValidUntil.After(r.clock()) || !got.AssessedAt.Equal(first.AssessedAt) {
			t.Errorf("%s: still valid: %+v", name, got)
		}
		r.DeviceChanged("dev-1")
		r.catchUp() // no plugin is asked
		for _, term := range r.Current("ses-1").Terms {
			if term.Name == "net" && (term.Nats < c.want-0.001 || term.Nats > c.want+0.001) {
				t.Errorf("%s: %.4f nats, want %.4f", name, term.Nats, c.want)
			}
		}
	}
}
