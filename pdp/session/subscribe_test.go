package session

import (
	"slices"
	"testing"
	"time"
)

// Each end before its time, and each renewal, is told once with its cause; an
// end by time is not an end that somebody brought about.
func TestSubscribersHearOfEndsAndRenewals(t *testing.T) {
	b := newBench(t)
	var heard []Event
	b.Subscribe(func(e Event) { heard = append(heard, e) })
	causes := func() (all []EndCause) {
		for _, e := range heard {
			all = append(all, e.Cause)
		}
		heard = nil
		return all
	}

	cookie := b.create(who{})
	id := b.Sessions("per-1")[0].ID
	b.mu.Lock()
	b.now = b.now.Add(time.Minute)
	b.mu.Unlock()
	renewed := b.create(who{previous: cookie})
	if len(heard) != 1 || heard[0].Session != id || heard[0].Cause != "" || !heard[0].Before.At.Equal(beginning) ||
		!heard[0].SignIn.At.Equal(b.clock()) || heard[0].Person != "per-1" || heard[0].Device != "dev-1" || heard[0].Agency != "moda" || heard[0].Portal != thePlace.ID {
		t.Fatalf("a renewal was told as %+v", heard)
	}
	heard = nil
	if info, known := b.Session(id); !known || info.Person != "per-1" {
		t.Fatal(info, known)
	}

	b.create(who{previous: renewed, device: "dev-2"})
	if got := causes(); !slices.Equal(got, []EndCause{EndReplaced}) {
		t.Error(got)
	}
	if _, known := b.Session(id); known {
		t.Error("an ended session is known")
	}
	for range 2 { // the second finds nothing to end
		if err := b.SignOut(t.Context(), thePlace.ID, ask(renewed, office, "").CookieHash); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.RevokePerson(t.Context(), "per-1"); err != nil {
		t.Fatal(err)
	}
	cookie = b.create(who{})
	if err := b.SignOut(t.Context(), thePlace.ID, ask(cookie, office, "").CookieHash); err != nil {
		t.Fatal(err)
	}
	if got := causes(); !slices.Equal(got, []EndCause{EndRevoked, EndSignedOut}) {
		t.Error(got)
	}
	for range DefaultLimits().PerPerson + 1 {
		b.create(who{})
	}
	if got := causes(); !slices.Equal(got, []EndCause{EndTooMany}) {
		t.Error(got)
	}
	b.pass(DefaultLimits().Absolute + time.Minute)
	if got := causes(); len(got) != 0 || len(b.Sessions("per-1")) != 0 {
		t.Error("ends by time were told:", got)
	}
}
