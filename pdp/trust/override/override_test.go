package override

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

const why = "EDR incident 2026-114"

type desk struct {
	*Keeper
	t    *testing.T
	now  time.Time
	told []wire.TrustOverride
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := &desk{t: t, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	d.open(s)
	return d
}

func (d *desk) open(s store.Store) {
	d.t.Helper()
	var err error
	if d.Keeper, err = New(d.t.Context(), Config{Store: s, Clock: func() time.Time { return d.now }, Random: rand.Reader}); err != nil {
		d.t.Fatal(err)
	}
	d.Subscribe(func(o wire.TrustOverride) { d.told = append(d.told, o) })
}

func (d *desk) add(o wire.TrustOverride) wire.TrustOverride {
	d.t.Helper()
	made, err := d.Add(d.t.Context(), o, "uid:0")
	if err != nil {
		d.t.Fatal(err)
	}
	return made
}

func latch() wire.TrustOverride {
	return wire.TrustOverride{Agency: "moda", Kind: wire.OverrideCompromised, Person: "per-1", Reason: why}
}

func (d *desk) safe() wire.TrustOverride {
	return wire.TrustOverride{
		Agency: "moda", Kind: wire.OverrideSafe, Person: "per-1", Reason: why,
		Codes: []string{"ZT-TRU-003", "threatlist/ZT-TRU-090"}, Until: d.now.Add(time.Hour),
	}
}

func TestALatchHoldsUntilItIsLifted(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		change func(*wire.TrustOverride)
		is     Subject
	}{
		"person":  {func(*wire.TrustOverride) {}, Subject{Person: "per-1", Device: "dev-9", Session: "ses-9"}},
		"device":  {func(o *wire.TrustOverride) { o.Person, o.Device = "", "dev-1" }, Subject{Person: "per-9", Device: "dev-1"}},
		"session": {func(o *wire.TrustOverride) { o.Person, o.Session = "", "ses-1" }, Subject{Session: "ses-1"}},
	} {
		o := latch()
		c.change(&o)
		made := d.add(o)
		d.now = d.now.Add(400 * 24 * time.Hour)
		if got := d.Latched(c.is); got != made.ID || made.By != "uid:0" {
			t.Errorf("%s: latched by %q, want %q", name, got, made.ID)
		}
		for _, other := range []Subject{{}, {Person: "per-2"}, {Person: "dev-1", Device: "per-1"}} {
			if got := d.Latched(other); got != "" {
				t.Errorf("%s: %+v is latched too", name, other)
			}
		}
		d.open(d.Store) // a restart
		if d.Latched(c.is) != made.ID {
			t.Errorf("%s: a restart lifted the latch", name)
		}
		if _, err := d.Lift(t.Context(), "nstc", made.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: another agency lifted it: %v", name, err)
		}
		if _, err := d.Lift(t.Context(), "moda", made.ID); err != nil || d.Latched(c.is) != "" {
			t.Errorf("%s: not lifted: %v", name, err)
		}
		d.open(d.Store)
		if d.Latched(c.is) != "" {
			t.Errorf("%s: a restart latched anew", name)
		}
		if _, err := d.Lift(t.Context(), "moda", made.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: lifted twice: %v", name, err)
		}
	}
	if len(d.told) != 6 {
		t.Errorf("told %d times", len(d.told))
	}
}

func TestSafeMutesForATimeAtItsOwnAgencysPortals(t *testing.T) {
	d := newDesk(t)
	long := d.safe()
	long.Until, long.Codes = d.now.Add(2*time.Hour), []string{"ZT-TRU-003", "ZT-TRU-112"}
	first, second := d.add(d.safe()), d.add(long)
	codes, ids, until := d.Muted(Subject{Person: "per-1"}, "moda", d.now)
	if !slices.Equal(codes, []string{"ZT-TRU-003", "ZT-TRU-112", "threatlist/ZT-TRU-090"}) || len(ids) != 2 || !until.Equal(first.Until) {
		t.Errorf("%q by %q until %v", codes, ids, until)
	}
	if codes, _, _ := d.Muted(Subject{Person: "per-1"}, "nstc", d.now); len(codes) != 0 {
		t.Errorf("another agency's portal mutes %q", codes)
	}
	codes, ids, _ = d.Muted(Subject{Person: "per-1"}, "moda", first.Until)
	if len(codes) != 2 || !slices.Equal(ids, []string{second.ID}) {
		t.Errorf("after the end of one: %q by %q", codes, ids)
	}
	d.now = second.Until
	if codes, _, _ := d.Muted(Subject{Person: "per-1"}, "moda", d.now); len(codes) != 0 || len(d.List("moda")) != 0 || d.Latched(Subject{Person: "per-1"}) != "" {
		t.Errorf("after the end: %q, %v", codes, d.List("moda"))
	}
}

func TestRefusedOverrides(t *testing.T) {
	d := newDesk(t)
	safe := func(change func(*wire.TrustOverride)) wire.TrustOverride {
		o := d.safe()
		change(&o)
		return o
	}
	compromised := func(change func(*wire.TrustOverride)) wire.TrustOverride {
		o := latch()
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		o    wire.TrustOverride
		want string
	}{
		"about nobody":        {compromised(func(o *wire.TrustOverride) { o.Person = "" }), reason.OverrideSubject},
		"about two":           {compromised(func(o *wire.TrustOverride) { o.Device = "dev-1" }), reason.OverrideSubject},
		"without a reason":    {compromised(func(o *wire.TrustOverride) { o.Reason = "" }), reason.OverrideReason},
		"a reason of blanks":  {safe(func(o *wire.TrustOverride) { o.Reason = strings.Repeat(" ", 20) }), reason.OverrideReason},
		"a very long reason":  {safe(func(o *wire.TrustOverride) { o.Reason = strings.Repeat("x", 501) }), reason.OverrideReason},
		"a latch that ends":   {compromised(func(o *wire.TrustOverride) { o.Until = d.now.Add(time.Hour) }), reason.OverrideLatchEnds},
		"a latch of codes":    {compromised(func(o *wire.TrustOverride) { o.Codes = []string{"ZT-TRU-003"} }), reason.OverrideLatchEnds},
		"another kind":        {safe(func(o *wire.TrustOverride) { o.Kind = "trusted" }), reason.OverrideKind},
		"no kind":             {safe(func(o *wire.TrustOverride) { o.Kind = "" }), reason.OverrideKind},
		"safe for ever":       {safe(func(o *wire.TrustOverride) { o.Until = time.Time{} }), reason.OverrideLife},
		"safe for too long":   {safe(func(o *wire.TrustOverride) { o.Until = d.now.Add(MostLife + time.Second) }), reason.OverrideLife},
		"safe in the past":    {safe(func(o *wire.TrustOverride) { o.Until = d.now.Add(-time.Hour) }), reason.OverrideLife},
		"safe from all":       {safe(func(o *wire.TrustOverride) { o.Codes = nil }), reason.OverrideCodes},
		"a gate":              {safe(func(o *wire.TrustOverride) { o.Codes = []string{"ZT-TRU-021"} }), reason.OverrideCodes},
		"a plugin's absence":  {safe(func(o *wire.TrustOverride) { o.Codes = []string{"ZT-TRU-030"} }), reason.OverrideCodes},
		"its own latch":       {safe(func(o *wire.TrustOverride) { o.Codes = []string{"ZT-TRU-050"} }), reason.OverrideCodes},
		"everybody's words":   {safe(func(o *wire.TrustOverride) { o.Codes = []string{"ZT-TRU-090"} }), reason.OverrideCodes},
		"a device's failing":  {safe(func(o *wire.TrustOverride) { o.Codes = []string{"ZT-DEV-014"} }), reason.OverrideCodes},
		"very many codes":     {safe(func(o *wire.TrustOverride) { o.Codes = slices.Repeat([]string{"ZT-TRU-003"}, 17) }), reason.OverrideCodes},
		"a path for a plugin": {safe(func(o *wire.TrustOverride) { o.Codes = []string{"../x/ZT-TRU-003"} }), reason.OverrideCodes},
	} {
		_, err := d.Add(t.Context(), c.o, "uid:0")
		var told *InputError
		if !errors.As(err, &told) || told.Reason().Code != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := d.Add(t.Context(), latch(), ""); err == nil {
		t.Error("an override of nobody's was kept")
	}
	if len(d.List("moda")) != 0 || len(d.told) != 0 {
		t.Error("something was kept")
	}
	if _, err := d.Lift(t.Context(), "moda", "../x"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

// A latch that cannot be read must not be as good as none.
func TestAnUnreadableOverrideStopsTheStart(t *testing.T) {
	d := newDesk(t)
	made := d.add(latch())
	for _, value := range []string{"{", `{"v":2}`} {
		if _, err := d.Store.Txn(t.Context(), nil, []store.Op{{Key: store.Key(Kind, "moda", made.ID), Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := New(t.Context(), d.Config); err == nil {
			t.Errorf("started with %s", value)
		}
	}
}

func TestOverridesOfAnAgencyAreBounded(t *testing.T) {
	d := newDesk(t)
	for i := range maxAgency {
		d.all[string(rune(i))] = latch()
	}
	var told *InputError
	if _, err := d.Add(t.Context(), latch(), "uid:0"); !errors.As(err, &told) || told.Reason().Code != reason.OverrideTooMany {
		t.Error(err)
	}
	other := latch()
	other.Agency = "nstc"
	d.add(other)
}
