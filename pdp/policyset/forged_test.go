package policyset_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/store"
)

const firstOfficers = "00000000000000000002" // the number of the first officers' activation

// TestASetThatIsNotWhatWasSignedDecidesNothing: each fault by itself, found at
// the next start.
func TestASetThatIsNotWhatWasSignedDecidesNothing(t *testing.T) {
	setKey := func(version string) string { return store.Key("policy-set", "_", version) }
	partKey := func(version string) string { return store.Key("policy-set-part", "_", version+"@000") }
	activation := store.Key("policy-activation", "_", firstOfficers)
	for name, forge := range map[string]func(d *desk, version string){
		"the content changed": func(d *desk, version string) {
			d.part(version, func(text string) string { return strings.Replace(text, `\"write\"`, `\"admin\"`, 1) })
		},
		"the content and its digest changed": func(d *desk, version string) {
			digest := d.part(version, func(text string) string { return strings.Replace(text, `\"write\"`, `\"admin\"`, 1) })
			d.change(setKey(version), func(h map[string]any) { h["set"].(map[string]any)["digest"] = digest })
		},
		"content, digest and activation changed": func(d *desk, version string) {
			digest := d.part(version, func(text string) string { return strings.Replace(text, `\"write\"`, `\"admin\"`, 1) })
			d.change(setKey(version), func(h map[string]any) { h["set"].(map[string]any)["digest"] = digest })
			d.change(activation, func(a map[string]any) { a["activation"].(map[string]any)["digest"] = digest })
		},
		"the signature of the set is gone": func(d *desk, version string) {
			d.change(setKey(version), func(h map[string]any) { delete(h, "signature") })
		},
		"the signature of the activation is gone": func(d *desk, version string) {
			d.change(activation, func(a map[string]any) { delete(a, "signature") })
		},
		"one approval is gone": func(d *desk, version string) {
			d.change(activation, func(a map[string]any) {
				inner := a["activation"].(map[string]any)
				inner["approvals"] = inner["approvals"].([]any)[:1]
			})
		},
		"it says that it was configured": func(d *desk, version string) {
			d.change(activation, func(a map[string]any) { a["activation"].(map[string]any)["configured"] = true })
		},
		"another activation's record in its place": func(d *desk, version string) {
			r, err := d.store.Get(d.t.Context(), store.Key("policy-activation", "_", "00000000000000000001"), store.Linearizable)
			d.must(err)
			d.put(activation, r.Value)
		},
		"it activates a set that officers did not approve": func(d *desk, version string) {
			other := d.staged(with(everybody))
			d.change(activation, func(a map[string]any) { a["activation"].(map[string]any)["version"] = other })
		},
		"the set is gone":       func(d *desk, version string) { d.drop(setKey(version)) },
		"the content is gone":   func(d *desk, version string) { d.drop(partKey(version)) },
		"the set is garbage":    func(d *desk, version string) { d.put(setKey(version), []byte("{")) },
		"content is garbage":    func(d *desk, version string) { d.put(partKey(version), []byte("{")) },
		"activation is garbage": func(d *desk, version string) { d.put(activation, []byte(`{"v":9}`)) },
		"another set's header": func(d *desk, version string) {
			other := d.staged(with(everybody))
			r, err := d.store.Get(d.t.Context(), setKey(other), store.Linearizable)
			d.must(err)
			d.put(setKey(version), r.Value)
		},
		"no parts": func(d *desk, version string) {
			d.change(setKey(version), func(h map[string]any) { h["parts"] = 0 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			baseline := d.inForce()
			version := d.active(with(noWrites))
			d.t = t
			forge(d, version)
			d.start()
			if d.inForce() != "" || d.Problem().Code != reason.PolicyUntrusted {
				t.Fatalf("%q decides, problem %q", d.inForce(), d.Problem().Code)
			}
			if v, files := d.ActiveFiles(); v != "" || files != nil {
				t.Error("it is shown as the set in force")
			}
			if _, err := d.ShadowReport(); err == nil {
				t.Error("something is in the shadow of nothing")
			}
			// Officers put an earlier one in force, and it decides again.
			_, err := d.Rollback(t.Context(), baseline, wang)
			d.must(err)
			if d.inForce() != "" {
				t.Error("one officer alone brought a set into force")
			}
			_, err = d.Rollback(t.Context(), baseline, li)
			d.must(err)
			if d.inForce() != baseline {
				t.Errorf("%q decides", d.inForce())
			}
			d.start()
			if d.inForce() != baseline {
				t.Errorf("%q decides after a restart", d.inForce())
			}
		})
	}
}

// part rewrites the kept content of a small set and returns its new digest.
func (d *desk) part(version string, how func(string) string) string {
	d.t.Helper()
	key := store.Key("policy-set-part", "_", version+"@000")
	r, err := d.store.Get(d.t.Context(), key, store.Linearizable)
	d.must(err)
	var kept struct {
		V     int    `json:"v"`
		Value []byte `json:"value"`
	}
	d.must(json.Unmarshal(r.Value, &kept))
	changed := how(string(kept.Value))
	if changed == string(kept.Value) {
		d.t.Fatal("nothing was changed")
	}
	kept.Value = []byte(changed)
	raw, err := json.Marshal(kept)
	d.must(err)
	d.put(key, raw)
	return digest(kept.Value)
}

func (d *desk) drop(key string) {
	d.t.Helper()
	_, err := d.store.Txn(d.t.Context(), nil, []store.Op{{Key: key, Delete: true}})
	d.must(err)
}

// TestAForgedCandidateIsNotActivated, staged, shown or replayed.
func TestAForgedCandidateIsNotActivated(t *testing.T) {
	d := newDesk(t)
	ctx, baseline := t.Context(), d.inForce()
	version := d.staged(with(noWrites))
	_, err := d.Shadow(ctx, version, wang)
	d.must(err)
	d.part(version, func(text string) string { return strings.Replace(text, `\"write\"`, `\"admin\"`, 1) })
	_, err = d.Activate(ctx, version, version, wang)
	d.refused(err, reason.SetNotVerified)
	_, err = d.Stage(ctx, version, wang)
	d.refused(err, reason.SetNotVerified)
	_, err = d.Show(ctx, version)
	d.refused(err, reason.SetNotVerified)
	_, err = d.At(ctx, version)
	d.refused(err, reason.SetNotVerified)
	// Another set's header, which is good by itself, stands for no other version.
	other := d.staged(with(freshKey))
	header, err := d.store.Get(ctx, store.Key("policy-set", "_", other), store.Linearizable)
	d.must(err)
	d.put(store.Key("policy-set", "_", "0123456789abcdef"), header.Value)
	_, err = d.At(ctx, "0123456789abcdef")
	d.refused(err, reason.SetNotVerified)
	d.drop(store.Key("policy-set", "_", "0123456789abcdef"))
	d.start()
	if _, err := d.ShadowReport(); err == nil || d.inForce() != baseline {
		t.Error("a forged set is in shadow")
	}
	// The same files, sent again, put it right: as a draft.
	set, err := d.Submit(ctx, with(noWrites), "", li)
	if err != nil || set.State != wire.PolicyDraft {
		t.Fatalf("%+v %v", set, err)
	}
	if _, err = d.Stage(ctx, version, wang); err != nil {
		t.Error(err)
	}
}

// TestTheSetInForceIsWrittenAnew where what is kept of it was spoilt: it stays
// in force.
func TestTheSetInForceIsWrittenAnew(t *testing.T) {
	d := newDesk(t)
	version := d.active(with(noWrites))
	d.drop(store.Key("policy-set-part", "_", version+"@000"))
	set, err := d.Submit(t.Context(), with(noWrites), "", li)
	if err != nil || set.State != wire.PolicyActive {
		t.Fatalf("%+v %v", set, err)
	}
	if d.start(); d.inForce() != version {
		t.Errorf("%q decides", d.inForce())
	}
	// The configured set is put right by the next start.
	fresh := newDesk(t)
	baseline := fresh.inForce()
	fresh.part(baseline, func(text string) string { return strings.Replace(text, `\"write\"`, `\"admin\"`, 1) })
	fresh.start()
	if view, err := fresh.Show(t.Context(), baseline); err != nil || view.Set.State != wire.PolicyActive || fresh.inForce() != baseline {
		t.Errorf("%+v %v", view.Set, err)
	}
}

// release is another release of the program: its schema differs, and so does
// every version.
type release struct {
	policyset.Evaluator
}

func (r release) Version() string { return "ff" + r.Evaluator.Version() }

// TestAnUpgradeKeepsWhatOfficersActivated, under the version that the new
// program gives it.
func TestAnUpgradeKeepsWhatOfficersActivated(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	old := d.active(with(noWrites))
	draft := d.staged(with(freshKey))
	d.config.Load = func(files map[string][]byte) (policyset.Evaluator, error) {
		e, err := load(files)
		if err != nil {
			return nil, err
		}
		return release{e}, nil
	}
	d.start()
	if now := d.inForce(); now != "ff"+old {
		t.Fatalf("%q decides", now)
	}
	if states := d.states(); states[old] != wire.PolicySuperseded || states["ff"+old] != wire.PolicyActive {
		t.Error(states)
	}
	d.start()
	if now := d.inForce(); now != "ff"+old {
		t.Errorf("%q decides after a restart", now)
	}
	// What the old program checked is not what this one would make of it.
	_, err := d.Activate(ctx, draft, draft, wang)
	d.refused(err, reason.SetOtherProgram)
	_, err = d.Rollback(ctx, old, wang)
	d.refused(err, reason.SetOtherProgram)
	_, err = d.At(ctx, old)
	d.refused(err, reason.SetOtherProgram)

	// A program that cannot load it decides nothing.
	d.config.Load = func(files map[string][]byte) (policyset.Evaluator, error) {
		if _, ok := files["90-more.cedar"]; ok {
			return nil, errors.New("unknown attribute")
		}
		return load(files)
	}
	if d.start(); d.inForce() != "" {
		t.Errorf("%q decides", d.inForce())
	}
}

// oneVersion gives sets with a 90-more.cedar the same version: a version is a
// short hash.
func oneVersion(files map[string][]byte) (policyset.Evaluator, error) {
	e, err := load(files)
	if err != nil || files["90-more.cedar"] == nil {
		return e, err
	}
	return sameVersion{e}, nil
}

type sameVersion struct{ policyset.Evaluator }

func (sameVersion) Version() string { return "0123456789abcdef01234567" }

// TestTheContentIsWhatOfficersApproved, not the version that names it.
func TestTheContentIsWhatOfficersApproved(t *testing.T) {
	d := newDesk(t)
	d.config.Load = oneVersion
	d.start()
	version := d.active(with(noWrites))
	_, err := d.Submit(t.Context(), with(everybody), "", wang)
	d.refused(err, reason.SetExists)
	fresh := newDesk(t)
	fresh.config.Load = oneVersion
	fresh.start()
	_, err = fresh.Submit(t.Context(), with(noWrites), "", wang)
	d.must(err)
	fresh.config.Configured = with(everybody)
	fresh.config.Store = fresh.store
	_, err = policyset.New(t.Context(), fresh.config)
	d.refused(err, reason.SetExists)
	// What this PDP signed in another store, under the same version.
	other := newDesk(t)
	other.config.Load, other.config.Approval = oneVersion, d.config.Approval
	other.start()
	set, err := other.Submit(t.Context(), with(everybody), "", wang)
	d.must(err)
	if set.Version != version {
		t.Fatal(set.Version)
	}
	for _, key := range []string{store.Key("policy-set", "_", version), store.Key("policy-set-part", "_", version+"@000")} {
		r, err := other.store.Get(t.Context(), key, store.Linearizable)
		d.must(err)
		d.put(key, r.Value)
	}
	if d.start(); d.inForce() != "" {
		t.Errorf("%q decides by content that nobody approved", d.inForce())
	}
}
