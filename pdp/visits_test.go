package pdp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

func tooMany(err error) bool {
	var told tooBusy
	return errors.As(err, &told) && told.Status() == http.StatusServiceUnavailable && told.Reason().Code == reason.PersonalBusy
}

// TestASignInReadsTheLogSoOften: a person's other sign-in, by which they say
// that this one is not theirs, is none the worse for it.
func TestASignInReadsTheLogSoOften(t *testing.T) {
	v, person := newVisits(), wire.Person{ID: "per-1"}
	stolen, own := wire.SignIn{At: time.Now()}, wire.SignIn{At: time.Now().Add(time.Minute)}
	read := 0
	for range 3 * visitBurst {
		leave, err := v.enter(t.Context(), person, stolen)
		if err == nil {
			read++
			leave()
		} else if !tooMany(err) {
			t.Fatal(err)
		}
	}
	if read < visitBurst || read >= 2*visitBurst { // a few more are due when this takes long
		t.Errorf("it read %d times", read)
	}
	if _, err := v.enter(t.Context(), person, own); err != nil {
		t.Errorf("the person's own sign-in: %v", err)
	}
}

// TestReadersLeaveTurnsToSignIns: however many people read their own page, most
// pages' turns are left, and a stranger is told to sign in without waiting.
func TestReadersLeaveTurnsToSignIns(t *testing.T) {
	if visitsAtOnce+visitsWaiting > maxPages/2 {
		t.Error("readers may take most turns")
	}
	f := startFlooded(t, func(*Config) {})
	for n := range visitsAtOnce {
		_, err := f.visits.enter(t.Context(), wire.Person{ID: "per-1"}, wire.SignIn{At: time.Unix(int64(n), 0)})
		must(t, err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := f.visits.enter(gone, wire.Person{ID: "per-2"}, wire.SignIn{}); !tooMany(err) {
		t.Errorf("a turn that is not there: %v", err)
	}
	answer := httptest.NewRecorder()
	f.webHandler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/me", nil))
	if answer.Code != http.StatusUnauthorized {
		t.Errorf("a stranger waits with the readers: %d", answer.Code)
	}
}
