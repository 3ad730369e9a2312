package seal

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func ticket(t testing.TB, b *Box, purpose string) string {
	t.Helper()
	text, err := b.Seal(purpose, noon.Add(time.Minute), map[string]string{"who": "wang"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	b := New([32]byte{1})
	var got map[string]string
	if err := b.Open("nonce", ticket(t, b, "nonce"), noon, &got); err != nil || got["who"] != "wang" {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestALongPathFits(t *testing.T) {
	b := New([32]byte{1})
	path := "/?" + strings.Repeat("a&b<c>", 8<<10/6)
	text, err := b.Seal("start", noon.Add(time.Minute), path)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := b.Open("start", text, noon, &got); err != nil || got != path {
		t.Errorf("%v, %d characters", err, len(got))
	}
}

func TestOpenRefuses(t *testing.T) {
	b := New([32]byte{1})
	whole := ticket(t, b, "nonce")
	flipped := []byte(whole)
	flipped[len(flipped)/2] ^= 1
	cases := map[string]struct {
		box     *Box
		purpose string
		text    string
		at      time.Time
		want    error
	}{
		"another purpose":  {b, "handle", whole, noon, ErrForged},
		"another key":      {New([32]byte{2}), "nonce", whole, noon, ErrForged},
		"a flipped bit":    {b, "nonce", string(flipped), noon, ErrForged},
		"cut short":        {b, "nonce", whole[:20], noon, ErrForged},
		"trailing bytes":   {b, "nonce", whole + "AAAA", noon, ErrForged},
		"a line end":       {b, "nonce", whole + "\n", noon, ErrForged},
		"empty":            {b, "nonce", "", noon, ErrForged},
		"oversized":        {b, "nonce", strings.Repeat("A", MaxText+4), noon, ErrForged},
		"at its very end":  {b, "nonce", whole, noon.Add(time.Minute), ErrExpired},
		"after its expiry": {b, "nonce", whole, noon.Add(time.Hour), ErrExpired},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got map[string]string
			if err := c.box.Open(c.purpose, c.text, c.at, &got); !errors.Is(err, c.want) || got != nil {
				t.Errorf("got %v and %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestExpiryIsToldWithoutImport(t *testing.T) {
	var e interface{ Expired() bool }
	if !errors.As(ErrExpired, &e) || !e.Expired() {
		t.Error("ErrExpired does not say that it is an expiry")
	}
	if errors.As(ErrForged, &e) {
		t.Error("ErrForged says that it is an expiry")
	}
}

func FuzzOpen(f *testing.F) {
	b := New([32]byte{1})
	f.Add(ticket(f, b, "nonce"))
	f.Add("")
	f.Add(strings.Repeat("A", 100))
	whole := ticket(f, b, "other")
	f.Fuzz(func(t *testing.T, text string) {
		var got map[string]string
		if err := b.Open("other", text, noon, &got); err == nil && text != whole {
			t.Errorf("%q opened", text)
		}
	})
}

func BenchmarkSealAndOpen(b *testing.B) {
	box := New([32]byte{1})
	for b.Loop() {
		var got map[string]string
		if err := box.Open("nonce", ticket(b, box, "nonce"), noon, &got); err != nil {
			b.Fatal(err)
		}
	}
}
