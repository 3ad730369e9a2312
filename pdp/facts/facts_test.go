package facts

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
)

var (
	errGone = errors.New("not found")
	errDown = errors.New("store unavailable")
	at      = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
)

// directory answers from memory; fail makes one kind unreachable.
type directory struct {
	persons map[string]wire.Person
	keys    map[string][]wire.SecurityKey
	devices map[string]wire.Device
	portals map[string]wire.Portal
	fail    string
}

func get[T any](d *directory, kind string, from map[string]T, id string) (T, error) {
	var zero T
	if d.fail == kind {
		return zero, errDown
	}
	v, ok := from[id]
	if !ok {
		return zero, errGone
	}
	return v, nil
}

func (d *directory) Person(_ context.Context, id string) (wire.Person, error) {
	return get(d, "person", d.persons, id)
}

func (d *directory) Keys(_ context.Context, id string) ([]wire.SecurityKey, error) {
	return get(d, "keys", d.keys, id)
}

func (d *directory) Device(_ context.Context, id string) (wire.Device, error) {
	return get(d, "device", d.devices, id)
}

func (d *directory) Portal(_ context.Context, id string) (wire.Portal, error) {
	return get(d, "portal", d.portals, id)
}

func setUp(t *testing.T) (*Assembler, *directory, Subject) {
	t.Helper()
	d := &directory{
		persons: map[string]wire.Person{"per-1": {ID: "per-1", Agency: "moda"}},
		keys:    map[string][]wire.SecurityKey{"per-1": {{ID: "key-0", PersonID: "per-1"}, {ID: "key-1", PersonID: "per-1", Hardware: true}}},
		devices: map[string]wire.Device{"dev-1": {ID: "dev-1", Status: wire.DeviceActive}},
		portals: map[string]wire.Portal{"por-1": {ID: "por-1", Agency: "moda"}},
	}
	a, err := New(Config{
		Directory: d,
		NotFound:  func(err error) bool { return errors.Is(err, errGone) },
		Standing: func(id string) wire.DeviceStanding {
			return wire.DeviceStanding{DeviceID: id, Standing: wire.StandingFresh}
		},
		Trust: func(_ context.Context, s Subject) wire.TrustAssessment {
			return wire.TrustAssessment{Score: len(s.SessionID)}
		},
		Risk: func(person, device string) wire.RiskFacts {
			return wire.RiskFacts{Person: wire.RiskLevel("of " + person), Device: wire.RiskLevel("of " + device), ChangesAt: at}
		},
		Clock: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, d, Subject{
		SessionID: "ses-1",
		SignIn:    wire.SignIn{PersonID: "per-1", KeyID: "key-1", At: at.Add(-time.Minute)},
		Binding:   wire.DeviceBinding{DeviceID: "dev-1"},
		PortalID:  "por-1", Address: netip.MustParseAddr("192.0.2.7"), Network: "192.0.2.0/24", NetworkProven: true,
		Request: wire.RequestFacts{Class: "payroll"},
	}
}

func TestASignInThatWasEndedProvesNothing(t *testing.T) {
	a, d, s := setUp(t)
	for name, c := range map[string]struct {
		ended time.Time
		want  wire.SignIn
	}{
		"before the sign-in": {s.SignIn.At.Add(-time.Nanosecond), s.SignIn},
		"at the sign-in":     {s.SignIn.At, wire.SignIn{}},
		"after the sign-in":  {s.SignIn.At.Add(time.Second), wire.SignIn{}},
	} {
		d.persons["per-1"] = wire.Person{ID: "per-1", Agency: "moda", SignedOutAt: c.ended}
		got, err := a.Assemble(t.Context(), s)
		if err != nil || !reflect.DeepEqual(got.SignIn, c.want) {
			t.Errorf("%s: %+v, %v", name, got.SignIn, err)
		}
	}
}

func TestEverythingKnown(t *testing.T) {
	a, d, s := setUp(t)
	got, err := a.Assemble(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Facts{
		Person: d.persons["per-1"], Key: wire.KeyFacts{Hardware: true}, SignIn: s.SignIn, Device: d.devices["dev-1"],
		Binding: s.Binding, Standing: wire.DeviceStanding{DeviceID: "dev-1", Standing: wire.StandingFresh},
		Trust: wire.TrustAssessment{Score: 5}, Portal: d.portals["por-1"],
		Network: wire.NetworkFacts{Network: "192.0.2.0/24", Proven: true}, At: at,
		Request: wire.RequestFacts{Class: "payroll"}, Risk: wire.RiskFacts{Person: "of per-1", Device: "of dev-1", ChangesAt: at},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsMissingAffirmsNothing(t *testing.T) {
	tests := map[string]struct {
		lose  func(*directory, *Subject)
		empty func(wire.Facts) bool
	}{
		"person gone":       {func(d *directory, _ *Subject) { delete(d.persons, "per-1") }, func(f wire.Facts) bool { return f.Person.ID == "" && f.Key.Revoked }},
		"no person":         {func(_ *directory, s *Subject) { s.SignIn.PersonID = "" }, func(f wire.Facts) bool { return f.Person.ID == "" && f.Key.Revoked }},
		"key gone":          {func(d *directory, _ *Subject) { d.keys["per-1"] = nil }, func(f wire.Facts) bool { return f.Key == wire.KeyFacts{Revoked: true} }},
		"all keys gone":     {func(d *directory, _ *Subject) { delete(d.keys, "per-1") }, func(f wire.Facts) bool { return f.Key.Revoked }},
		"no key":            {func(_ *directory, s *Subject) { s.SignIn.KeyID = "" }, func(f wire.Facts) bool { return f.Key.Revoked }},
		"key of another":    {func(d *directory, _ *Subject) { d.keys["per-1"][1].PersonID = "per-2" }, func(f wire.Facts) bool { return f.Key.Revoked }},
		"key revoked":       {func(d *directory, _ *Subject) { d.keys["per-1"][1].Revoked = true }, func(f wire.Facts) bool { return f.Key.Revoked }},
		"device gone":       {func(d *directory, _ *Subject) { delete(d.devices, "dev-1") }, func(f wire.Facts) bool { return f.Device.ID == "" && f.Standing.Standing == "" }},
		"no device":         {func(_ *directory, s *Subject) { s.Binding.DeviceID = "" }, func(f wire.Facts) bool { return f.Device.ID == "" && f.Standing.Standing == "" }},
		"portal gone":       {func(d *directory, _ *Subject) { delete(d.portals, "por-1") }, func(f wire.Facts) bool { return f.Portal.ID == "" }},
		"network unproven":  {func(_ *directory, s *Subject) { s.NetworkProven = false }, func(f wire.Facts) bool { return !f.Network.Proven }},
		"everything at all": {func(_ *directory, s *Subject) { *s = Subject{} }, func(f wire.Facts) bool { return f.Person.ID == "" && f.Key.Revoked && f.Portal.ID == "" }},
	}
	for name, tt := range tests {
		a, d, s := setUp(t)
		tt.lose(d, &s)
		f, err := a.Assemble(t.Context(), s)
		if err != nil || !tt.empty(f) {
			t.Errorf("%s: %v %+v", name, err, f)
		}
	}
}

func TestAnUnreachableDirectoryIsAnErrorWithoutFacts(t *testing.T) {
	for _, kind := range []string{"person", "keys", "device", "portal"} {
		a, d, s := setUp(t)
		d.fail = kind
		f, err := a.Assemble(t.Context(), s)
		if !errors.Is(err, errDown) || f.Person.ID != "" || f.Portal.ID != "" {
			t.Errorf("%s: %v %+v", kind, err, f)
		}
	}
}

func TestNobodyNeedReportRisks(t *testing.T) {
	a, _, s := setUp(t)
	a.config.Risk = nil
	if f, err := a.Assemble(t.Context(), s); err != nil || f.Risk != (wire.RiskFacts{}) || f.Person.ID == "" {
		t.Errorf("%+v %v", f.Risk, err)
	}
}

func TestNothingElseIsOptional(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
}
