package reference_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/reference"
)

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseReadsWhatSignMade(t *testing.T) {
	for _, ec := range []bool{false, true} {
		k, _ := key(t, ec)
		b := vendorBundle(3, "new", "old") // not in order
		b.Files = []wire.BundleFile{{Digest: wire.HexDigest(digest("sh")), Path: "/bin/sh"}, {Digest: wire.HexDigest(digest("ls")), Path: "/bin/<ls>"}}
		signed, err := reference.Sign(b, k)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.MarshalIndent(signed, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		again, err := reference.Parse(raw)
		if err != nil || !bytes.Equal(encoded(t, again), encoded(t, signed)) {
			t.Errorf("%+v, %v", again, err)
		}
		canonical, err := reference.Canonical(again.Bundle)
		if err != nil || !bytes.Contains(canonical, []byte(`"/bin/<ls>"`)) || bytes.ContainsAny(canonical, "\n ") {
			t.Errorf("canonical form %s, %v", canonical, err)
		}
	}
}

func TestMalformedBundlesAreRefused(t *testing.T) {
	good := func() wire.Bundle { b := vendorBundle(1, "x"); return b }
	entry := func(change func(*wire.BundleEntry)) func(*wire.Bundle) {
		return func(b *wire.Bundle) { change(&b.Entries[0]) }
	}
	for name, change := range map[string]func(*wire.Bundle){
		"schema":         func(b *wire.Bundle) { b.Schema = 2 },
		"no issuer":      func(b *wire.Bundle) { b.Issuer = "" },
		"long issuer":    func(b *wire.Bundle) { b.Issuer = strings.Repeat("x", 257) },
		"odd agency":     func(b *wire.Bundle) { b.Agency = "moda/x" },
		"no agency":      func(b *wire.Bundle) { b.Agency = "" },
		"no version":     func(b *wire.Bundle) { b.Version = 0 },
		"huge version":   func(b *wire.Bundle) { b.Version = 1 << 60 },
		"no time":        func(b *wire.Bundle) { b.Created = time.Time{} },
		"parts of a sec": func(b *wire.Bundle) { b.Created = noon.Add(time.Millisecond) },
		"control in it":  func(b *wire.Bundle) { b.Note = "a\x1b[31m" },
		"no values":      func(b *wire.Bundle) { b.Entries = nil },
		"PCR":            entry(func(e *wire.BundleEntry) { e.PCR = 11 }),
		"kind":           entry(func(e *wire.BundleEntry) { e.Kind = "other" }),
		"separator":      entry(func(e *wire.BundleEntry) { e.Kind = wire.MeasuredSeparator }),
		"no name":        entry(func(e *wire.BundleEntry) { e.Name = "" }),
		"no digest":      entry(func(e *wire.BundleEntry) { e.Digest = wire.HexDigest{} }),
		"note":           entry(func(e *wire.BundleEntry) { e.Note = "\n" }),
		"members":        entry(func(e *wire.BundleEntry) { e.Members = make([]wire.HexDigest, 8193) }),
		"twice":          func(b *wire.Bundle) { b.Entries = append(b.Entries, b.Entries[0]) },
		"out of order": func(b *wire.Bundle) {
			b.Entries = append(b.Entries, b.Entries[0])
			b.Entries[0].Name = "#2"
		},
		"relative path": func(b *wire.Bundle) {
			b.Files = []wire.BundleFile{{Digest: wire.HexDigest(digest("a")), Path: "bin/sh"}}
		},
		"file twice": func(b *wire.Bundle) {
			b.Files = []wire.BundleFile{{Digest: wire.HexDigest(digest("a")), Path: "/a"}, {Digest: wire.HexDigest(digest("a")), Path: "/b"}}
		},
	} {
		b := good()
		change(&b)
		_, err := reference.Parse(encoded(t, wire.SignedBundle{Bundle: b}))
		refusedWith(t, name, err, reason.RefMalformed)
	}
	b := good()
	b.ID = "A laptop"
	_, err := reference.Parse(encoded(t, wire.SignedBundle{Bundle: b}))
	refusedWith(t, "id", err, reason.RefID)

	raw := encoded(t, wire.SignedBundle{Bundle: good()})
	if _, err := reference.Parse(raw); err != nil {
		t.Fatal("the good one is refused:", err)
	}
	for name, c := range map[string][]byte{
		"unknown field": bytes.Replace(raw, []byte(`"schema"`), []byte(`"more":1,"schema"`), 1),
		"field twice":   bytes.Replace(raw, []byte(`"version":1`), []byte(`"version":1,"version":2`), 1),
		"capitals":      bytes.Replace(raw, digestText("x"), bytes.ToUpper(digestText("x")), 1),
		"trailing":      append(bytes.Clone(raw), '1'),
		"half":          raw[:len(raw)/2],
		"too long":      append(bytes.Clone(raw), bytes.Repeat([]byte(" "), reference.MaxBundleBytes)...),
	} {
		_, err := reference.Parse(c)
		refusedWith(t, name, err, reason.RefMalformed)
	}
}

func TestBundlesHaveBounds(t *testing.T) {
	k, _ := key(t, false)
	entries, files := vendorBundle(1, "x"), vendorBundle(1, "x")
	for i := range 20_000 {
		entries.Entries = append(entries.Entries, wire.BundleEntry{PCR: 4, Kind: wire.MeasuredBootApplication, Name: strconv.Itoa(i), Digest: wire.HexDigest(digest("x"))})
	}
	for i := range 200_001 {
		files.Files = append(files.Files, wire.BundleFile{Digest: wire.HexDigest(digest(strconv.Itoa(i))), Path: "/x"})
	}
	for name, b := range map[string]wire.Bundle{"entries": entries, "files": files} {
		_, err := reference.Sign(b, k)
		refusedWith(t, name, err, reason.RefMalformed)
	}
	entries.Entries, files.Files = entries.Entries[1:], files.Files[1:]
	for name, b := range map[string]wire.Bundle{"entries": entries, "files": files} {
		if _, err := reference.Sign(b, k); err != nil {
			t.Errorf("as many %s as may be: %v", name, err)
		}
	}
}

func digestText(content string) []byte { return []byte(wire.HexDigest(digest(content)).String()) }

func TestSignersKeys(t *testing.T) {
	f := open(t)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, good := key(t, false)
	spki := func(key any) []byte {
		raw, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, raw := range map[string][]byte{
		"RSA": spki(weak.Public()), "P-384": spki(big.Public()), "nothing": nil, "garbage": []byte("key"), "trailing": append(bytes.Clone(good), 0),
	} {
		_, err := f.AddSigner(t.Context(), "moda", "maker", raw, root)
		refusedWith(t, name, err, reason.RefSignerKey)
	}
	if _, err := reference.Sign(vendorBundle(1, "x"), weak); err == nil {
		t.Error("RSA signs")
	}
	_, err = f.AddSigner(t.Context(), "moda", "menshen-pdp", good, root)
	refusedWith(t, "the PDP's own name", err, reason.RefMalformed)
}

func FuzzParse(f *testing.F) {
	_, k, err := ed25519Key()
	if err != nil {
		f.Fatal(err)
	}
	b := vendorBundle(1, "x", "y")
	b.Files = []wire.BundleFile{{Digest: wire.HexDigest(digest("a")), Path: "/a"}}
	signed, err := reference.Sign(b, k)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := json.Marshal(signed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		signed, err := reference.Parse(raw)
		if err != nil {
			return
		}
		again, err := reference.Parse(encoded(t, signed))
		if err != nil || !bytes.Equal(encoded(t, again), encoded(t, signed)) {
			t.Errorf("%s is read as %+v", raw, again)
		}
	})
}
