package policyset_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

const (
	wang = "uid:1001"
	li   = "uid:1002"
)

// noon is a Monday's, 17:00 in Taiwan.
var noon = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func digest(raw []byte) string { sum := sha256.Sum256(raw); return hex.EncodeToString(sum[:]) }

// desk is a Keeper over a true store with the true engine.
type desk struct {
	*policyset.Keeper
	t       *testing.T
	store   *bolt.Store
	wrapped store.Store // what the keeper is given; the store itself if nil
	config  policyset.Config
	now     time.Time
	records []wire.AuditRecord
	deaf    bool // the audit log takes nothing
	told    int
}

// Append implements policyset.Recorder.
func (d *desk) Append(_ context.Context, r wire.AuditRecord) (uint64, error) {
	if d.deaf {
		return 0, errors.New("full")
	}
	d.records = append(d.records, r)
	return uint64(len(d.records)), nil
}

func load(files map[string][]byte) (policyset.Evaluator, error) {
	e, err := policy.Load(files)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := &desk{t: t, store: s, now: noon}
	d.config = policyset.Config{
		Load: load, Configured: policy.Baseline(), Approval: key, Approvers: 2, ConfirmAbove: 5, Recorder: d,
		Clock: func() time.Time { return d.now }, Logger: slog.New(slog.DiscardHandler),
	}
	d.start()
	return d
}

// start opens a new Keeper on the store, as after a crash.
func (d *desk) start() {
	d.t.Helper()
	d.config.Store = d.store
	if d.wrapped != nil {
		d.config.Store = d.wrapped
	}
	k, err := policyset.New(d.t.Context(), d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	k.Subscribe(func() { d.told++ })
	d.Keeper = k
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// refused says that err tells this code.
func (d *desk) refused(err error, code string) {
	d.t.Helper()
	var told interface{ Reason() wire.Reason }
	if !errors.As(err, &told) || told.Reason().Code != code {
		d.t.Errorf("error %v, want %s", err, code)
	}
}

// with is the baseline with one more file.
func with(text string) map[string][]byte {
	files := policy.Baseline()
	files["90-more.cedar"] = []byte(text)
	return files
}

// Sets that tests put in force.
const (
	noWrites = `@id("more.no-writes")
@reason("ZT-POL-043")
@remedy("wait")
forbid (principal, action == Action::"write", resource);
`
	nobodyIn = `@id("more.nobody")
@reason("ZT-POL-010")
forbid (principal, action, resource);
`
	freshKey = `@id("more.fresh")
@reason("ZT-POL-012")
@remedy("sign-in")
forbid (principal, action, resource) when { context.signIn.ageSeconds > 300 };
`
	everybody = `@id("more.everybody")
permit (principal, action, resource);
`
)

// submitted keeps a set and stages it.
func (d *desk) staged(files map[string][]byte) string {
	d.t.Helper()
	set, err := d.Submit(d.t.Context(), files, "", wang)
	d.must(err)
	_, err = d.Stage(d.t.Context(), set.Version, wang)
	d.must(err)
	return set.Version
}

// active puts a set in force by two officers.
func (d *desk) active(files map[string][]byte) string {
	d.t.Helper()
	version := d.staged(files)
	for _, by := range []string{wang, li} {
		_, err := d.Activate(d.t.Context(), version, version, by)
		d.must(err)
	}
	if d.inForce() != version {
		d.t.Fatalf("%s is in force, want %s", d.inForce(), version)
	}
	return version
}

// inForce is the version that decides, "" for none.
func (d *desk) inForce() string {
	if set := d.Active(); set != nil {
		return set.Version()
	}
	return ""
}

// states are the kept sets by version.
func (d *desk) states() map[string]wire.PolicyState {
	d.t.Helper()
	all, err := d.Sets(d.t.Context())
	d.must(err)
	states := map[string]wire.PolicyState{}
	for _, set := range all {
		states[set.Version] = set.State
	}
	return states
}

func (d *desk) wants(states map[string]wire.PolicyState) {
	d.t.Helper()
	if got := d.states(); !maps.Equal(got, states) {
		d.t.Errorf("states %v, want %v", got, states)
	}
}

// change rewrites a record of the store as JSON, behind the keeper's back.
func (d *desk) change(key string, how func(value map[string]any)) {
	d.t.Helper()
	r, err := d.store.Get(d.t.Context(), key, store.Linearizable)
	d.must(err)
	var v map[string]any
	d.must(json.Unmarshal(r.Value, &v))
	inner, ok := v["value"].(map[string]any)
	if !ok {
		d.t.Fatalf("%s holds %s", key, r.Value)
	}
	how(inner)
	raw, err := json.Marshal(v)
	d.must(err)
	d.put(key, raw)
}

func (d *desk) put(key string, raw []byte) {
	d.t.Helper()
	_, err := d.store.Txn(d.t.Context(), nil, []store.Op{{Key: key, Value: raw}})
	d.must(err)
}

// good is a session that the baseline lets in, whatever it does.
func good(person string, at time.Time) wire.Facts {
	claim := func(id wire.ClaimID) wire.Claim {
		return wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: at.Add(-time.Minute), Source: "test"}
	}
	return wire.Facts{
		Person:  wire.Person{ID: person, Agency: "moda", Name: "王小明", Account: "wang.xm"},
		Key:     wire.KeyFacts{Hardware: true},
		SignIn:  wire.SignIn{PersonID: person, KeyID: "key-1", At: at.Add(-12 * time.Minute), AAL: 3, UserVerified: true},
		Device:  wire.Device{ID: "dev-1", Agency: "moda", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM},
		Binding: wire.DeviceBinding{DeviceID: "dev-1", At: at.Add(-time.Hour), Way: wire.BindingFetch, Seat: wire.SeatActive, SameNetwork: true},
		Standing: wire.DeviceStanding{
			DeviceID: "dev-1", Standing: wire.StandingFresh, ChangesAt: at.Add(4 * time.Minute),
			Result: wire.AttestationResult{
				DeviceID: "dev-1", ValidUntil: at.Add(10 * time.Minute), IssuedAt: at.Add(-time.Minute),
				Vector: wire.TrustVector{InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.Affirming, Configuration: wire.Affirming},
				Claims: []wire.Claim{claim(wire.ClaimOSRelease), claim(wire.ClaimDiskEncryption), claim(wire.ClaimFirewall), claim(wire.ClaimSecureBoot)},
			},
		},
		Trust:   wire.TrustAssessment{Score: 90, Coverage: 1, ValidUntil: at.Add(90 * time.Second)},
		Portal:  wire.Portal{ID: "por-1", Agency: "moda", Sensitivity: wire.PortalNormal, Origin: "https://hr.moda.test"},
		Network: wire.NetworkFacts{Network: "192.0.2.0/24", Proven: true},
		At:      at,
	}
}
