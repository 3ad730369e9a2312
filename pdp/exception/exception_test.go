package exception

import (
	"crypto/rand"
	"errors"
	"log/slog"
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

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type fixture struct {
	*Keeper
	store store.Store
	now   time.Time
	told  []string
}

func open(t *testing.T) *fixture {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{store: s, now: noon}
	f.again(t)
	return f
}

// again opens the keeper anew, as after a restart.
func (f *fixture) again(t *testing.T) {
	t.Helper()
	k, err := New(t.Context(), Config{Store: f.store, Clock: func() time.Time { return f.now }, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	k.Subscribe(func(agency string) { f.told = append(f.told, agency) })
	f.Keeper = k
}

func good() wire.Exception {
	return wire.Exception{Agency: "moda", Baseline: "TWGCB-01-014", Rule: "TWGCB-01-014-0002", Reason: "snap needs squashfs here", Until: noon.Add(30 * 24 * time.Hour)}
}

func TestAnExceptionsLife(t *testing.T) {
	f := open(t)
	e, err := f.Add(t.Context(), good(), "uid:1000")
	if err != nil || e.Approver != "uid:1000" || !e.Since.Equal(noon) || wire.CheckID(wire.PrefixException, e.ID) != nil {
		t.Fatalf("%+v, %v", e, err)
	}
	device, other := wire.Device{ID: "dev-1", Agency: "moda"}, wire.Device{ID: "dev-1", Agency: "nat"}
	f.again(t) // it survives a restart
	if all, version := f.For(device, f.now); len(all) != 1 || all[0] != e || version == "" {
		t.Errorf("%+v %q", all, version)
	}
	if all, version := f.For(other, f.now); all != nil || version != "" {
		t.Errorf("another agency: %+v %q", all, version)
	}
	if all, _ := f.For(device, e.Until.Add(-1)); len(all) != 1 {
		t.Error("it ended too early")
	}
	if all, version := f.For(device, e.Until); all != nil || version != "" {
		t.Errorf("it did not end: %+v", all)
	}
	if _, err := f.Remove(t.Context(), "nat", e.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another agency removed it: %v", err)
	}
	if gone, err := f.Remove(t.Context(), "moda", e.ID); err != nil || gone != e {
		t.Errorf("%+v, %v", gone, err)
	}
	if all, _ := f.For(device, f.now); all != nil || len(f.List("moda")) != 0 {
		t.Errorf("it is still there: %+v", all)
	}
	if _, err := f.Remove(t.Context(), "moda", e.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it was removed twice: %v", err)
	}
	if _, err := f.Remove(t.Context(), "moda", "../x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no id: %v", err)
	}
	if !slices.Equal(f.told, []string{"moda", "moda"}) {
		t.Errorf("told: %v", f.told)
	}
}

func TestOneDevice(t *testing.T) {
	f := open(t)
	e := good()
	e.Device = "dev-1"
	if _, err := f.Add(t.Context(), e, "uid:0"); err != nil {
		t.Fatal(err)
	}
	if all, _ := f.For(wire.Device{ID: "dev-1", Agency: "moda"}, f.now); len(all) != 1 {
		t.Error("it is not for its device")
	}
	if all, _ := f.For(wire.Device{ID: "dev-2", Agency: "moda"}, f.now); all != nil {
		t.Error("it is for another device")
	}
}

// TestRefused presents one fault at a time.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*wire.Exception)
		code  string
	}{
		"nothing named":        {func(e *wire.Exception) { e.Baseline, e.Rule = "", "" }, reason.ExceptionSubject},
		"a whole baseline":     {func(e *wire.Exception) { e.Rule = "" }, reason.ExceptionSubject},
		"a rule of another":    {func(e *wire.Exception) { e.Baseline = "TWGCB-01-008" }, reason.ExceptionSubject},
		"no baseline":          {func(e *wire.Exception) { e.Baseline = "" }, reason.ExceptionSubject},
		"claim and rule":       {func(e *wire.Exception) { e.Claim = wire.ClaimFirewall }, reason.ExceptionSubject},
		"a very long rule":     {func(e *wire.Exception) { e.Rule += strings.Repeat("0", 100) }, reason.ExceptionSubject},
		"no reason":            {func(e *wire.Exception) { e.Reason = "" }, reason.ExceptionReason},
		"spaces for a reason":  {func(e *wire.Exception) { e.Reason = strings.Repeat(" ", 20) }, reason.ExceptionReason},
		"a very long reason":   {func(e *wire.Exception) { e.Reason = strings.Repeat("x", mostReason+1) }, reason.ExceptionReason},
		"over already":         {func(e *wire.Exception) { e.Until = noon }, reason.ExceptionLife},
		"more than a year":     {func(e *wire.Exception) { e.Until = noon.Add(MostLife + 1) }, reason.ExceptionLife},
		"an end that is unset": {func(e *wire.Exception) { e.Until = time.Time{} }, reason.ExceptionLife},
	} {
		f := open(t)
		e := good()
		c.spoil(&e)
		_, err := f.Add(t.Context(), e, "uid:0")
		var told *InputError
		if !errors.As(err, &told) || told.Reason().Code != c.code || len(f.List("moda")) != 0 || len(f.told) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := open(t)
	f.agencies["moda"] = make([]wire.Exception, maxAgency)
	if _, err := f.Add(t.Context(), good(), "uid:0"); err == nil {
		t.Error("there is no bound")
	}
}

// TestAnEndByTimeIsTold: whoever subscribed hears of it, once.
func TestAnEndByTimeIsTold(t *testing.T) {
	f := open(t)
	e, err := f.Add(t.Context(), good(), "uid:0")
	if err != nil {
		t.Fatal(err)
	}
	if ended, next := f.ended(noon, e.Until.Add(-time.Second)); ended != nil || next != time.Second {
		t.Errorf("%v %v", ended, next)
	}
	if ended, _ := f.ended(e.Until.Add(-time.Second), e.Until); !slices.Equal(ended, []string{"moda"}) {
		t.Errorf("%v", ended)
	}
	if ended, next := f.ended(e.Until, e.Until.Add(time.Hour)); ended != nil || next != longestNap {
		t.Errorf("it ends again: %v %v", ended, next)
	}
}
