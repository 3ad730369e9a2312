package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var laptop = wire.Device{ID: "dev-1", Agency: "moda"}

// fixture is a library whose feed's file can be replaced.
type fixture struct {
	*Library
	file string
}

func openStore(t *testing.T) store.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func library(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{file: filepath.Join(t.TempDir(), "feed.json")}
	f.write(t, feedText, noon)
	var err error
	f.Library, err = New(Config{Store: openStore(t), Names: names(t), Clock: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler), Feed: f.file})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) write(t *testing.T, text string, at time.Time) {
	t.Helper()
	if err := errors.Join(os.WriteFile(f.file, []byte(text), 0o600), os.Chtimes(f.file, at, at)); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) send(t *testing.T, dev wire.Device, in wire.Inventory) []byte {
	t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := f.Keep(t.Context(), dev, raw)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestKeptInventoriesAreJoinedWithTheFeed(t *testing.T) {
	f := library(t)
	if v, err := f.Vulnerabilities(t.Context(), laptop); v != nil || err != nil {
		t.Errorf("before anything came: %+v, %v", v, err)
	}
	digest := f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.15-1")))
	for range 2 { // computed, and remembered
		v, err := f.Vulnerabilities(t.Context(), laptop)
		if err != nil || v == nil || v.ExploitedCount != 1 || string(v.Inventory) != string(digest) {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	f.digests = map[string][32]byte{} // as after a restart
	for range 2 {
		if got, err := f.Digest(t.Context(), laptop); err != nil || string(got) != string(digest) {
			t.Errorf("%x, %v", got, err)
		}
	}
	f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.17-1")))
	if v, err := f.Vulnerabilities(t.Context(), laptop); err != nil || v.ExploitedCount != 0 {
		t.Errorf("after the update: %+v, %v", v, err)
	}
	in, _, at, err := f.Software(t.Context(), laptop)
	if err != nil || len(in.Software) != 1 || in.Software[0].Version != "3.0.17-1" || !at.Equal(noon) {
		t.Errorf("%+v %v %v", in, at, err)
	}
	if err := f.Forget(t.Context(), laptop); err != nil {
		t.Fatal(err)
	}
	if v, err := f.Vulnerabilities(t.Context(), laptop); v != nil || err != nil {
		t.Errorf("after its retirement: %+v, %v", v, err)
	}
	if got, err := f.Digest(t.Context(), laptop); got != nil || err != nil {
		t.Errorf("%x, %v", got, err)
	}
	if _, _, _, err := f.Software(t.Context(), laptop); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

// overtaken is a store through which a newer list comes while one is read.
type overtaken struct {
	store.Store
	meanwhile func()
}

func (o *overtaken) Get(ctx context.Context, key string, c store.Consistency) (store.Record, error) {
	r, err := o.Store.Get(ctx, key, c)
	if come := o.meanwhile; come != nil {
		o.meanwhile = nil
		come()
	}
	return r, err
}

func TestAnOlderListIsNotRemembered(t *testing.T) {
	f := library(t)
	f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.15-1")))
	var newest []byte
	f.Store = &overtaken{f.Store, func() { newest = f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.17-1"))) }}
	if _, err := f.Vulnerabilities(t.Context(), laptop); err != nil { // is overtaken
		t.Fatal(err)
	}
	if v, err := f.Vulnerabilities(t.Context(), laptop); err != nil || string(v.Inventory) != string(newest) || v.ExploitedCount != 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestANewFeedCountsAtOnceAndAWrongOneNever(t *testing.T) {
	f := library(t)
	f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.17-1")))
	count := func() int {
		t.Helper()
		v, err := f.Vulnerabilities(t.Context(), laptop)
		if err != nil {
			t.Fatal(err)
		}
		return v.ExploitedCount
	}
	if count() != 0 {
		t.Error("vulnerable before")
	}
	f.write(t, strings.Replace(feedText, "3.0.16-1~deb12u1", "3.0.18-1", 1), noon.Add(time.Hour))
	if err := f.Reload(); err != nil || count() != 1 {
		t.Errorf("a new feed: %d, %v", count(), err)
	}
	f.write(t, "{", noon.Add(2*time.Hour))
	if err := f.Reload(); !errors.Is(err, ErrFeed) || count() != 1 {
		t.Errorf("a wrong feed: %d, %v", count(), err)
	}
	if asOf, n, ok := f.Status(); !ok || n != 3 || asOf.Year() != 2026 {
		t.Errorf("%v %d %v", asOf, n, ok)
	}
}

func TestNoFeed(t *testing.T) {
	l, err := New(Config{Store: openStore(t), Names: names(t), Clock: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Library: l}
	f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.15-1")))
	if v, err := f.Vulnerabilities(t.Context(), laptop); v != nil || err != nil {
		t.Errorf("%+v, %v", v, err)
	}
	if _, _, ok := f.Status(); ok {
		t.Error("there is a feed")
	}
	if _, err := New(Config{Store: openStore(t), Names: names(t), Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Feed: "/nowhere"}); !errors.Is(err, ErrFeed) {
		t.Errorf("a feed that is not there: %v", err)
	}
}

func TestRefusedInventories(t *testing.T) {
	f := library(t)
	f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.15-1")))
	one := `{"source":"dpkg","name":"a","version":"1"}`
	whole := func(software string) string {
		return `{"system":"debian","release":"12","software":[` + software + `]}`
	}
	if _, err := f.Keep(t.Context(), wire.Device{ID: "dev-2", Agency: "moda"}, []byte(whole(one))); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"not JSON":          `{`,
		"an unknown field":  `{"system":"debian","release":"12","software":[],"more":1}`,
		"trailing data":     whole(one) + `{}`,
		"no system":         `{"system":"","release":"12","software":[]}`,
		"an unknown source": whole(`{"source":"pip","name":"a","version":"1"}`),
		"no name":           whole(`{"source":"dpkg","name":"","version":"1"}`),
		"a long name":       whole(`{"source":"dpkg","name":"` + strings.Repeat("a", maxText) + `","version":"1"}`),
		"too many":          whole(strings.TrimSuffix(strings.Repeat(one+",", maxSoftware+1), ",")),
		"too many bytes":    whole(one) + strings.Repeat(" ", wire.MaxInventoryBytes),
	} {
		_, err := f.Keep(t.Context(), laptop, []byte(raw))
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Reason().Code != reason.InventoryMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if in, _, _, err := f.Software(t.Context(), laptop); err != nil || len(in.Software) != 1 {
		t.Errorf("a refused inventory took the place of a good one: %+v, %v", in, err)
	}
}

func TestADamagedRecordIsAnError(t *testing.T) {
	f := library(t)
	f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.15-1")))
	key := store.Key(kind, laptop.Agency, laptop.ID)
	for name, value := range map[string]string{
		"not JSON":         `{`,
		"another schema":   `{"v":2}`,
		"nothing in it":    `{"v":1}`,
		"not an inventory": `{"v":1,"packed":"H4sIAAAAAAAA/6quBQQAAP//Q7+mowIAAAA="}`,
	} {
		if _, err := f.Store.Txn(t.Context(), nil, []store.Op{{Key: key, Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
		if v, err := f.Vulnerabilities(t.Context(), laptop); err == nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestExport(t *testing.T) {
	f := library(t)
	f.send(t, laptop, debian("12", dpkg("openssl", "", "3.0.15-1"), dpkg("libssl3", "openssl", "3.0.15-1"), dpkg("hello", "", "2.10-3")))
	f.send(t, wire.Device{ID: "dev-2", Agency: "moda"}, debian("12", dpkg("openssl", "", "3.0.15-2")))
	f.send(t, wire.Device{ID: "dev-3", Agency: "moda"}, debian("11")) // retired
	f.send(t, wire.Device{ID: "dev-4", Agency: "nstc"}, debian("13"))
	out, err := f.Export(t.Context(), "moda", func(id string) bool { return id != "dev-3" })
	if err != nil {
		t.Fatal(err)
	}
	want := []Asset{
		{Vendor: "hello", Product: "hello", Version: "2.10", CPE: "cpe:2.3:a:hello:hello:2.10:*:*:*:*:*:*:*", Guessed: true, Devices: 1},
		{Vendor: "openssl", Product: "openssl", Version: "3.0.15", CPE: "cpe:2.3:a:openssl:openssl:3.0.15:*:*:*:*:*:*:*", Devices: 2},
		{Vendor: "debian", Product: "debian_linux", Version: "12", CPE: "cpe:2.3:o:debian:debian_linux:12:*:*:*:*:*:*:*", Devices: 2},
	}
	if out.Devices != 2 || out.Agency != "moda" || len(out.Assets) != len(want) {
		t.Fatalf("%+v", out)
	}
	for i, a := range out.Assets {
		if a != want[i] {
			t.Errorf("%+v, want %+v", a, want[i])
		}
	}
}
