package reference_test

import (
	"crypto"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/store"
)

func signed(t *testing.T, b wire.Bundle, k crypto.Signer) wire.SignedBundle {
	t.Helper()
	s, err := reference.Sign(b, k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// maker registers a signer and returns its key.
func (f *fixture) maker(t *testing.T) (crypto.Signer, wire.BundleSigner) {
	t.Helper()
	k, spki := key(t, true)
	s, err := f.AddSigner(t.Context(), "moda", "maker", spki, root)
	if err != nil {
		t.Fatal(err)
	}
	return k, s
}

func (f *fixture) imports(t *testing.T, s wire.SignedBundle) wire.BundleInfo {
	t.Helper()
	info, err := f.Import(t.Context(), "moda", s, root)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestABundlesLife(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	k, _ := f.maker(t)
	if set := f.Set("moda"); set == nil || set.Version != "" || len(set.Values) != 0 {
		t.Errorf("a set before there is any: %+v", set)
	}
	info := f.imports(t, signed(t, vendorBundle(1, "one"), k))
	if info.State != wire.BundleDraft || len(f.states("one")) != 0 {
		t.Errorf("a draft counts: %+v", info)
	}
	must := func(info wire.BundleInfo, err error) wire.BundleInfo {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	is := func(want map[string]wire.ReferenceState) {
		t.Helper()
		for range 2 { // and again, as after a crash
			if got := f.states("one", "both", "two"); !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			f.start(t)
		}
	}
	must(f.Approve(ctx, "moda", "laptop", false, root))
	is(map[string]wire.ReferenceState{"one": wire.ReferenceCurrent})
	version := f.Set("moda").Version
	f.imports(t, signed(t, vendorBundle(2, "both", "two"), k))
	must(f.Approve(ctx, "moda", "laptop@2", true, root))
	is(map[string]wire.ReferenceState{"one": wire.ReferenceCurrent, "both": wire.ReferenceNext, "two": wire.ReferenceNext})
	if f.Set("moda").Version == version {
		t.Error("the set's version stays though its content does not")
	}
	info = must(f.Activate(ctx, "moda", "laptop@2", other))
	is(map[string]wire.ReferenceState{"one": wire.ReferenceSuperseded, "both": wire.ReferenceCurrent, "two": wire.ReferenceCurrent})
	if last := info.History[len(info.History)-1]; len(info.History) != 3 || last.By != other || last.State != wire.BundleCurrent || !last.At.Equal(noon) {
		t.Errorf("history %+v", info.History)
	}
	f.imports(t, signed(t, vendorBundle(3, "both"), k))
	must(f.Approve(ctx, "moda", "laptop", false, root))
	is(map[string]wire.ReferenceState{"one": wire.ReferenceSuperseded, "both": wire.ReferenceCurrent, "two": wire.ReferenceSuperseded})
	must(f.Retire(ctx, "moda", "laptop@1", root)) // forgotten
	must(f.Retire(ctx, "moda", "laptop@3", root))
	is(map[string]wire.ReferenceState{"both": wire.ReferenceSuperseded, "two": wire.ReferenceSuperseded})
	if len(f.Set("other").Values) != 0 {
		t.Error("another agency has the values")
	}
	all, err := f.Bundles(ctx, "moda")
	if err != nil || len(all) != 3 || all[0].State != wire.BundleRetired || all[1].State != wire.BundleSuperseded {
		t.Errorf("%+v %v", all, err)
	}
	shown, err := f.Show(ctx, "moda", "laptop@2")
	if err != nil || len(shown.Bundle.Entries) != 2 || shown.Info.Signer == "" {
		t.Errorf("%+v %v", shown, err)
	}
}

func TestSubscribersHearOfEachChange(t *testing.T) {
	f := open(t)
	k, _ := f.maker(t)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	if len(f.told) != 0 {
		t.Errorf("told of a draft: %v", f.told)
	}
	if _, err := f.Approve(t.Context(), "moda", "laptop", false, root); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.told, []string{"moda"}) {
		t.Errorf("told %v", f.told)
	}
}

func TestBundlesThatAreRefused(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	k, _ := f.maker(t)
	stranger, _ := key(t, true)
	good := signed(t, vendorBundle(5, "one"), k)
	for name, c := range map[string]struct {
		bundle func() wire.SignedBundle
		agency string
		code   string
	}{
		"a stranger's":      {func() wire.SignedBundle { return signed(t, vendorBundle(5, "one"), stranger) }, "moda", reason.RefSignature},
		"no signature":      {func() wire.SignedBundle { s := good; s.Signature = nil; return s }, "moda", reason.RefSignature},
		"named, not signed": {func() wire.SignedBundle { s := signed(t, vendorBundle(5, "one"), stranger); s.Key = good.Key; return s }, "moda", reason.RefSignature},
		"changed": {func() wire.SignedBundle {
			s := good
			s.Bundle = vendorBundle(5, "two")
			return s
		}, "moda", reason.RefSignature},
		"another issuer's name": {func() wire.SignedBundle {
			b := vendorBundle(5, "one")
			b.Issuer = "agency"
			return signed(t, b, k)
		}, "moda", reason.RefSignature},
		"the PDP's own name": {func() wire.SignedBundle {
			b := vendorBundle(5, "one")
			b.Issuer = "menshen-pdp"
			return signed(t, b, k)
		}, "moda", reason.RefSignature},
		"another agency's": {func() wire.SignedBundle {
			b := vendorBundle(5, "one")
			b.Agency = "nstc"
			return signed(t, b, k)
		}, "moda", reason.RefForeign},
		"signer of another agency": {func() wire.SignedBundle { return good }, "nstc", reason.RefSignature},
		"malformed":                {func() wire.SignedBundle { s := good; s.Bundle.Schema = 9; return s }, "moda", reason.RefMalformed},
	} {
		_, err := f.Import(ctx, c.agency, c.bundle(), root)
		refusedWith(t, name, err, c.code)
	}
	f.imports(t, good)
	_, err := f.Import(ctx, "moda", good, root)
	refusedWith(t, "the same again", err, reason.RefVersionFell)
	_, err = f.Import(ctx, "moda", signed(t, vendorBundle(4, "one"), k), root)
	refusedWith(t, "an older one", err, reason.RefVersionFell)
	if _, err := f.Retire(ctx, "moda", "laptop", root); err != nil {
		t.Fatal(err)
	}
	_, err = f.Import(ctx, "moda", signed(t, vendorBundle(4, "one"), k), root)
	refusedWith(t, "an older one, after the newer was retired", err, reason.RefVersionFell)
}

func TestStatesThatAllowNothing(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	k, _ := f.maker(t)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	f.imports(t, signed(t, vendorBundle(2, "two"), k))
	_, err := f.Activate(ctx, "moda", "laptop@2", root)
	refusedWith(t, "activate a draft", err, reason.RefState)
	if _, err := f.Approve(ctx, "moda", "laptop@2", false, root); err != nil {
		t.Fatal(err)
	}
	_, err = f.Approve(ctx, "moda", "laptop@2", false, root)
	refusedWith(t, "approve twice", err, reason.RefState)
	_, err = f.Approve(ctx, "moda", "laptop@1", false, root)
	refusedWith(t, "approve an older one", err, reason.RefVersionFell)
	_, err = f.Approve(ctx, "moda", "laptop@1", true, root)
	refusedWith(t, "an older one as next", err, reason.RefVersionFell)
	for range 2 {
		if _, err := f.Retire(ctx, "moda", "laptop@2", root); err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.Retire(ctx, "moda", "laptop@2", root)
	refusedWith(t, "retire what is retired", err, reason.RefState)
	for _, name := range []string{"laptop@7", "laptop@x", "other", "", "../x", "laptop/x"} {
		if _, err := f.Show(ctx, "moda", name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSigners(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	k, s := f.maker(t)
	_, err := f.AddSigner(ctx, "moda", "maker", s.SPKI, root)
	refusedWith(t, "twice", err, reason.RefSignerInUse)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	f.imports(t, signed(t, vendorBundle(2, "two"), k))
	if _, err := f.Approve(ctx, "moda", "laptop@1", false, root); err != nil {
		t.Fatal(err)
	}
	_, err = f.RemoveSigner(ctx, "moda", s.Key.String(), root)
	refusedWith(t, "in use", err, reason.RefSignerInUse)
	if _, err := f.RemoveSigner(ctx, "nstc", s.Key.String(), root); !errors.Is(err, store.ErrNotFound) {
		t.Error("another agency's:", err)
	}
	if _, err := f.Retire(ctx, "moda", "laptop@1", root); err != nil {
		t.Fatal(err)
	}
	if _, err := f.RemoveSigner(ctx, "moda", s.Key.String(), other); err != nil {
		t.Fatal(err)
	}
	_, err = f.Import(ctx, "moda", signed(t, vendorBundle(3, "three"), k), root)
	refusedWith(t, "a removed signer's import", err, reason.RefSignature)
	_, err = f.Approve(ctx, "moda", "laptop@2", false, root)
	refusedWith(t, "a removed signer's draft", err, reason.RefSignature)
	if got := f.states("one"); got["one"] != wire.ReferenceSuperseded {
		t.Error("what was superseded is forgotten with its signer:", got)
	}
	all, err := f.Signers(ctx, "moda")
	if err != nil || len(all) != 1 || all[0].Removed.By != other {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := f.RemoveSigner(ctx, "moda", s.Key.String(), root); !errors.Is(err, store.ErrNotFound) {
		t.Error("removed twice:", err)
	}
	if _, err := f.AddSigner(ctx, "moda", "maker", s.SPKI, root); err != nil {
		t.Error("does not come back:", err)
	}
}

func TestTheSecondApproverIsAnother(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.config.Approvers = 2
	f.start(t)
	k, _ := f.maker(t)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	info, err := f.Approve(ctx, "moda", "laptop", false, root)
	if err != nil || info.State != wire.BundleDraft || len(info.Approvals) != 1 || len(f.states("one")) != 0 {
		t.Fatalf("%+v %v", info, err)
	}
	f.start(t)
	_, err = f.Approve(ctx, "moda", "laptop", false, root)
	refusedWith(t, "the same", err, reason.RefSameApprover)
	_, err = f.Approve(ctx, "moda", "laptop", true, other)
	refusedWith(t, "for something else", err, reason.RefState)
	if info, err = f.Approve(ctx, "moda", "laptop", false, other); err != nil || info.State != wire.BundleCurrent {
		t.Errorf("%+v %v", info, err)
	}
}

// What was damaged or exchanged in the store does not count.
func TestABundleThatDoesNotVerifyIsLeftOut(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	k, _ := f.maker(t)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	if _, err := f.Approve(ctx, "moda", "laptop", false, root); err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func(kind, value string) string{
		"values": func(kind, v string) string { return pick(kind == "reference-part", flip(v), v) },
		"its digest": func(kind, v string) string {
			return pick(kind == "reference", strings.Replace(v, `"digest":"`, `"digest":"0`, 1), v)
		},
		"its signature": func(kind, v string) string {
			return pick(kind == "reference", strings.Replace(v, `"signature":"ME`, `"signature":"MF`, 1), v)
		},
		"its name": func(kind, v string) string {
			return pick(kind == "reference", strings.Replace(v, `"version":1`, `"version":2`, 1), v)
		},
		"its signer": func(kind, v string) string {
			return pick(kind == "reference-signer", strings.Replace(v, `"spki":"MFkw`, `"spki":"MFkx`, 1), v)
		},
		"the signer's id": func(kind, v string) string {
			return pick(kind == "reference", strings.Replace(v, `"key":"`, `"key":"f`, 1), v)
		},
	} {
		undo := f.rewrite(t, forge)
		k, err := reference.New(ctx, f.config)
		if err == nil && len(k.Set("moda").Values) != 0 {
			t.Errorf("%s: forged values count", name)
		}
		undo()
	}
	if f.start(t); len(f.states("one")) != 1 {
		t.Error("the true ones do not")
	}
}

// A bundle that stands under another version's name in the store does not count.
func TestABundleUnderAnothersName(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	k, _ := f.maker(t)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	if _, err := f.Approve(ctx, "moda", "laptop", false, root); err != nil {
		t.Fatal(err)
	}
	page, err := f.store.Scan(ctx, "/v1/reference", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var ops []store.Op
	for _, r := range page.Records {
		if strings.Contains(r.Key, "laptop@1") {
			value := strings.Replace(string(r.Value), `"version":1`, `"version":2`, 1)
			ops = append(ops, store.Op{Key: strings.Replace(r.Key, "laptop@1", "laptop@2", 1), Value: []byte(value)})
		}
	}
	if _, err := f.Retire(ctx, "moda", "laptop@1", root); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.Txn(ctx, nil, ops); err != nil || len(ops) != 2 {
		t.Fatal(len(ops), err)
	}
	if f.start(t); f.states("one")["one"] != wire.ReferenceSuperseded {
		t.Error("superseded values came back under another version:", f.states("one"))
	}
}

// What might run once and is superseded may not run any more.
func TestSupersededFilesAreNotAllowed(t *testing.T) {
	f := open(t)
	k, _ := f.maker(t)
	for version, content := range []string{"old", "new"} {
		b := vendorBundle(uint64(version)+1, "one") // #nosec G115 -- 0 or 1
		b.Files = []wire.BundleFile{{Digest: wire.HexDigest(digest(content)), Path: "/bin/sh"}}
		f.imports(t, signed(t, b, k))
		if _, err := f.Approve(t.Context(), "moda", "laptop", false, root); err != nil {
			t.Fatal(err)
		}
	}
	if files := f.Set("moda").Files; len(files) != 1 || files[[32]byte(digest("new"))] != "/bin/sh" {
		t.Errorf("%v", files)
	}
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func flip(v string) string {
	i := len(v) - 10
	return v[:i] + string(v[i]^1) + v[i+1:]
}

// rewrite changes records and returns how to put them back.
func (f *fixture) rewrite(t *testing.T, change func(kind, value string) string) func() {
	t.Helper()
	page, err := f.store.Scan(t.Context(), "/v1/reference", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var undo []store.Op
	for _, r := range page.Records {
		kind := strings.Split(r.Key, "/")[2]
		value := change(kind, string(r.Value))
		if value == string(r.Value) {
			continue
		}
		undo = append(undo, store.Op{Key: r.Key, Value: r.Value})
		if _, err := f.store.Txn(t.Context(), nil, []store.Op{{Key: r.Key, Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(undo) == 0 {
		t.Fatal("nothing was forged")
	}
	return func() {
		if _, err := f.store.Txn(t.Context(), nil, undo); err != nil {
			t.Fatal(err)
		}
	}
}

// A bundle that is larger than one record of the store.
func TestALargeBundle(t *testing.T) {
	f := open(t)
	k, _ := f.maker(t)
	b := vendorBundle(1, "one")
	for i := range 20_000 {
		name := "/usr/bin/" + strings.Repeat("x", 50) + string(rune('a'+i%26))
		b.Files = append(b.Files, wire.BundleFile{Digest: wire.HexDigest(digest(name + string(rune(i)))), Path: name})
	}
	f.imports(t, signed(t, b, k))
	if _, err := f.Approve(t.Context(), "moda", "laptop", false, root); err != nil {
		t.Fatal(err)
	}
	f.start(t)
	if got := len(f.Set("moda").Files); got != len(b.Files) {
		t.Errorf("%d files, want %d", got, len(b.Files))
	}
}

func TestManyAtOnce(t *testing.T) {
	f := open(t)
	k, _ := f.maker(t)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	var all sync.WaitGroup
	done := make(chan error, 8)
	for range 8 {
		all.Go(func() {
			_, err := f.Approve(t.Context(), "moda", "laptop", false, root)
			_ = f.Set("moda").Values
			done <- err
		})
	}
	all.Wait()
	close(done)
	good := 0
	for err := range done {
		if err == nil {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d approvals took effect", good)
	}
}

// An id belongs to the issuer that used it first, even as a draft.
func TestABundlesIDIsItsIssuers(t *testing.T) {
	f := open(t)
	k, _ := f.maker(t)
	f.imports(t, signed(t, vendorBundle(1, "one"), k))
	other, spki := key(t, true)
	if _, err := f.AddSigner(t.Context(), "moda", "another", spki, root); err != nil {
		t.Fatal(err)
	}
	taken := vendorBundle(1<<53, "own")
	taken.Issuer = "another"
	_, err := f.Import(t.Context(), "moda", signed(t, taken, other), root)
	refusedWith(t, "an id of another issuer", err, reason.RefOtherIssuer)
	f.enrol(t, "LT-1", "pilot", wire.Boot{Measurements: []wire.Measurement{measured(4, wire.MeasuredBootApplication, "#1", "shim")}})
	_, err = f.Learn(t.Context(), "moda", wire.LearnRequest{ID: taken.ID, Group: "pilot"}, root)
	refusedWith(t, "an id of another issuer", err, reason.RefOtherIssuer)
	f.imports(t, signed(t, vendorBundle(2, "two"), k))
	taken.ID = "another"
	f.imports(t, signed(t, taken, other))
}
