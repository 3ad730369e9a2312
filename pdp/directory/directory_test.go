package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type fixture struct {
	*Directory
	changes []Change
}

func open(t *testing.T) *fixture {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{Directory: New(s, func() time.Time { return noon }, rand.Reader)}
	for _, id := range []string{"moda", "nstc"} {
		if _, err := f.CreateAgency(t.Context(), wire.Agency{ID: id, NameZH: "數位發展部", NameEN: "Digital Affairs"}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	f.Subscribe(func(c Change) { mu.Lock(); f.changes = append(f.changes, c); mu.Unlock() })
	return f
}

func (f *fixture) person(t *testing.T, agency, account string) wire.Person {
	t.Helper()
	p, err := f.CreatePerson(t.Context(), wire.Person{Agency: agency, Name: "王小明", Account: account, Groups: []string{"hr"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func key(p wire.Person, credential byte) wire.SecurityKey {
	return wire.SecurityKey{
		PersonID: p.ID, CredentialID: []byte(strings.Repeat(string(rune('a'+credential)), 32)),
		PublicKey: []byte{1}, AAGUID: make([]byte, 16), Nickname: "藍色", Model: "Key 5",
	}
}

func wants(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

func TestPeopleAreFoundInTheirAgencyAlone(t *testing.T) {
	f := open(t)
	p := f.person(t, "moda", "wang.xm")
	other := f.person(t, "nstc", "wang.xm") // the same account elsewhere is another person
	if p.ID == other.ID || len(p.Handle) != 32 || p.CreatedAt != noon {
		t.Errorf("person %+v", p)
	}
	for _, lookup := range []func() (wire.Person, error){
		func() (wire.Person, error) { return f.Person(t.Context(), p.ID) },
		func() (wire.Person, error) { return f.PersonByAccount(t.Context(), "moda", "wang.xm") },
		func() (wire.Person, error) { return f.PersonByHandle(t.Context(), p.Handle) },
	} {
		got, err := lookup()
		if err != nil || cmp.Diff(got, p) != "" {
			t.Errorf("%v %s", err, cmp.Diff(got, p))
		}
	}
	people, err := f.People(t.Context(), "nstc")
	if err != nil || len(people) != 1 || people[0].ID != other.ID {
		t.Errorf("another agency's people: %v %v", people, err)
	}
	_, err = f.PersonByAccount(t.Context(), "nstc/..", "wang.xm")
	wants(t, err, ErrNotFound)
	_, err = f.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "乙", Account: "wang.xm"})
	wants(t, err, ErrExists)
	wants(t, err, store.ErrConflict)
	_, err = f.CreatePerson(t.Context(), wire.Person{Agency: "none", Name: "乙", Account: "yi"})
	wants(t, err, ErrNotFound)
	wants(t, err, store.ErrNotFound)
}

func TestAgenciesAreUnique(t *testing.T) {
	f := open(t)
	_, err := f.CreateAgency(t.Context(), wire.Agency{ID: "moda", NameZH: "另", NameEN: "Other"})
	wants(t, err, ErrExists)
	all, err := f.Agencies(t.Context())
	if err != nil || len(all) != 2 || all[0].NameEN != "Digital Affairs" {
		t.Error(all, err)
	}
}

func TestDisablingTells(t *testing.T) {
	f := open(t)
	p := f.person(t, "moda", "wang.xm")
	got, err := f.SetDisabled(t.Context(), p.ID, true)
	if err != nil || !got.Disabled {
		t.Fatal(got, err)
	}
	want := Change{Kind: KindPerson, Agency: "moda", ID: p.ID}
	if last := f.changes[len(f.changes)-1]; last != want {
		t.Errorf("told %+v", last)
	}
	_, err = f.AddKey(t.Context(), key(p, 0))
	wants(t, err, ErrState)
	if got, err = f.SetDisabled(t.Context(), p.ID, false); err != nil || got.Disabled {
		t.Error(got, err)
	}
	_, err = f.SetDisabled(t.Context(), "per-nobody", true)
	wants(t, err, ErrNotFound)
}

func TestKeys(t *testing.T) {
	f := open(t)
	p, q := f.person(t, "moda", "wang.xm"), f.person(t, "nstc", "li")
	in := key(p, 0)
	in.ID, in.Agency, in.Revoked = "key-forged", "nstc", true // the directory decides these
	k, err := f.AddKey(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if k.Agency != "moda" || k.Revoked || wire.CheckID(wire.PrefixKey, k.ID) != nil || k.AddedAt != noon {
		t.Errorf("key %+v", k)
	}
	_, err = f.AddKey(t.Context(), key(q, 0)) // the same credential for somebody else
	wants(t, err, ErrExists)
	got, err := f.KeyByCredential(t.Context(), k.CredentialID)
	if err != nil || got.ID != k.ID {
		t.Error(got, err)
	}
	_, err = f.KeyByCredential(t.Context(), []byte("unknown"))
	wants(t, err, ErrNotFound)
	if keys, err := f.Keys(t.Context(), q.ID); err != nil || len(keys) != 0 {
		t.Errorf("another person's keys: %v %v", keys, err)
	}

	if err := f.TouchKey(t.Context(), k.ID, 5, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wants(t, f.TouchKey(t.Context(), k.ID, 5, noon), ErrSignCount)
	wants(t, f.TouchKey(t.Context(), k.ID, 4, noon), ErrSignCount)
	wants(t, f.TouchKey(t.Context(), k.ID, 0, noon), ErrSignCount)
	if err := f.RevokeKey(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	want := Change{Kind: KindKey, Agency: "moda", ID: k.ID, PersonID: p.ID}
	if last := f.changes[len(f.changes)-1]; last != want {
		t.Errorf("told %+v", last)
	}
	wants(t, f.TouchKey(t.Context(), k.ID, 6, noon), ErrState)
	got, err = f.Key(t.Context(), k.ID)
	if err != nil || !got.Revoked || got.SignCount != 5 || !got.LastUsedAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestACounterValueCountsOnce(t *testing.T) {
	f := open(t)
	k, err := f.AddKey(t.Context(), key(f.person(t, "moda", "wang.xm"), 0))
	if err != nil {
		t.Fatal(err)
	}
	if got := winners(t, 8, func(int) error { return f.TouchKey(context.Background(), k.ID, 7, noon) }); got != 1 {
		t.Errorf("%d uses of one counter value", got)
	}
	k0, err := f.AddKey(t.Context(), key(f.person(t, "moda", "li"), 1))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // an authenticator without a counter always says zero
		if err := f.TouchKey(t.Context(), k0.ID, 0, noon); err != nil {
			t.Error(err)
		}
	}
}

func TestAPersonHasABoundedNumberOfKeys(t *testing.T) {
	f := open(t)
	p := f.person(t, "moda", "wang.xm")
	for i := range maxKeys {
		if _, err := f.AddKey(t.Context(), key(p, byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.AddKey(t.Context(), key(p, maxKeys))
	wants(t, err, ErrInvalid)
}

// winners runs n callers at once and counts those that succeeded.
func winners(t *testing.T, n int, do func(i int) error) int {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range n {
		wg.Go(func() {
			if do(i) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return won
}

func TestNamesAreWonOnce(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	won := winners(t, 8, func(int) error {
		_, err := f.CreatePerson(ctx, wire.Person{Agency: "moda", Name: "甲", Account: "chen"})
		return err
	})
	if won != 1 {
		t.Errorf("%d people with one account", won)
	}
	won = winners(t, 8, func(i int) error {
		agency := []string{"moda", "nstc"}[i%2]
		_, _, err := f.CreatePortal(ctx, portal(agency, "https://hr.example"))
		return err
	})
	if won != 1 {
		t.Errorf("%d portals with one origin", won)
	}
}

func portal(agency, origin string) wire.Portal {
	return wire.Portal{Agency: agency, NameZH: "人事", NameEN: "HR", Origin: origin, Sensitivity: wire.PortalNormal}
}

func TestPortals(t *testing.T) {
	f := open(t)
	in := portal("moda", "https://hr.example")
	in.ID, in.SecretHash = "por-forged", []byte{1}
	p, secret, err := f.CreatePortal(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.PortalBySecret(t.Context(), sha256.Sum256([]byte(secret)))
	if err != nil || cmp.Diff(got, p) != "" || len(secret) != 43 {
		t.Error(cmp.Diff(got, p), err)
	}
	_, err = f.PortalBySecret(t.Context(), sha256.Sum256([]byte(secret+"x")))
	wants(t, err, ErrNotFound)
	record, err := f.store.Get(t.Context(), store.Key(KindPortal, "moda", p.ID), store.Linearizable)
	if err != nil || strings.Contains(string(record.Value), secret) {
		t.Error("the secret is stored", err)
	}
	if all, err := f.Portals(t.Context(), "nstc"); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
}

func TestInputThatIsRefused(t *testing.T) {
	f := open(t)
	cases := map[string]error{}
	for _, id := range []string{"", "m", "Moda", "mo--da", "-moda", "moda-", "mo/da", "_", "1a", strings.Repeat("a", 33)} {
		_, err := f.CreateAgency(t.Context(), wire.Agency{ID: id, NameZH: "甲", NameEN: "A"})
		cases["agency "+id] = err
	}
	for _, name := range []string{"", " a", "a ", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\u200bb", "a\xff", strings.Repeat("長", 101)} {
		_, err := f.CreatePerson(t.Context(), wire.Person{Agency: "moda", Account: "a", Name: name})
		cases["name "+name] = err
	}
	for _, account := range []string{"", "A", "a..b", ".a", "a/b", "a b", strings.Repeat("a", 65)} {
		_, err := f.CreatePerson(t.Context(), wire.Person{Agency: "moda", Account: account, Name: "甲"})
		cases["account "+account] = err
	}
	for _, groups := range [][]string{{"a", "a"}, {"A"}, make([]string, 65)} {
		_, err := f.CreatePerson(t.Context(), wire.Person{Agency: "moda", Account: "a", Name: "甲", Groups: groups})
		cases[fmt.Sprint("groups ", groups)] = err
	}
	for _, origin := range []string{
		"", "http://a.example", "https://a.example/", "https://a.example/x", "https://A.example", "https://a.example:443",
		"https://a.example:", "https://u@a.example", "https://a.example?x", "https://a.example#x", "https://*.example", "https://甲.example", "https://", "https://a example",
	} {
		_, _, err := f.CreatePortal(t.Context(), portal("moda", origin))
		cases["origin "+origin] = err
	}
	bad := portal("moda", "https://a.example")
	bad.Sensitivity = "open"
	_, _, err := f.CreatePortal(t.Context(), bad)
	cases["sensitivity"] = err
	for name, err := range cases {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
		var told interface{ Reason() wire.Reason }
		if !errors.As(err, &told) || told.Reason().Code == "" {
			t.Errorf("%q has no reason for the person", name)
		}
	}
	if _, _, err := f.CreatePortal(t.Context(), portal("moda", "https://a.example:8443")); err != nil {
		t.Error(err)
	}
	if len(f.changes) != 1 {
		t.Errorf("changes told: %v", f.changes)
	}
}

func TestAValueOfANewerSchemaIsNotGuessedAt(t *testing.T) {
	f := open(t)
	p := f.person(t, "moda", "wang.xm")
	_, err := f.store.Txn(t.Context(), nil, []store.Op{{Key: store.Key(KindPerson, "moda", p.ID), Value: []byte(`{"v":2,"value":{}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Person(t.Context(), p.ID); err == nil {
		t.Errorf("read %+v", got)
	}
}
