package wire

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestIDs(t *testing.T) {
	zero, err := NewID(PrefixDevice, bytes.NewReader(make([]byte, 16)))
	if err != nil || zero != "dev-00000000000000000000000000" {
		t.Fatalf("%q, %v", zero, err)
	}
	seen := map[string]bool{}
	for range 1000 {
		id, err := NewID(PrefixSession, rand.Reader)
		if err != nil || seen[id] || CheckID(PrefixSession, id) != nil || strings.Contains(id, "/") {
			t.Fatalf("%q, %v", id, err)
		}
		seen[id] = true
	}
}

func TestNoIDWithoutRandomness(t *testing.T) {
	if id, err := NewID(PrefixDevice, bytes.NewReader(make([]byte, 15))); id != "" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%q, %v", id, err)
	}
}

func TestMalformedIDsAreRefused(t *testing.T) {
	good := "dev-0123456789abcdefghjkmnpqr8"
	if err := CheckID(PrefixDevice, good); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{
		"empty":            "",
		"prefix alone":     "dev-",
		"no prefix":        good[4:],
		"another prefix":   "per" + good[3:],
		"upper case":       strings.ToUpper(good),
		"short":            good[:len(good)-1],
		"long":             good + "0",
		"letter i":         strings.Replace(good, "a", "i", 1),
		"path":             "dev-../../../../../etc/passwd0",
		"line end":         good + "\n",
		"line end inside":  good[:10] + "\n" + good[10:],
		"spare bits":       good[:len(good)-1] + "9", // decodes to the same 16 bytes
		"space":            " " + good,
		"NUL":              good[:len(good)-1] + "\x00",
		"not ASCII":        good[:len(good)-1] + "٠",
		"doubled prefix":   "dev-" + good,
		"carriage return":  good[:29] + "\r" + good[29:],
		"padding":          good + "======",
		"prefix of prefix": "de-" + good[4:],
	} {
		if err := CheckID(PrefixDevice, id); !errors.Is(err, ErrBadID) {
			t.Errorf("%s: %q was accepted", name, id)
		}
	}
}

// FuzzCheckID accepts nothing that NewID could not have made.
func FuzzCheckID(f *testing.F) {
	for _, seed := range []string{"dev-00000000000000000000000000", "dev-0123456789abcdefghjkmnpqr8", "dev-", "", "dev-0000000000000\n0000000000000", "dev-zzzzzzzzzzzzzzzzzzzzzzzzzz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if CheckID(PrefixDevice, id) != nil {
			return
		}
		raw, err := idEncoding.DecodeString(strings.TrimPrefix(id, PrefixDevice+"-"))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := NewID(PrefixDevice, bytes.NewReader(raw)); err != nil || again != id {
			t.Fatalf("%q was accepted, NewID makes %q", id, again)
		}
	})
}
