package pdp

import (
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/facts"
)

// TestATouchIsTaughtOnce follows who may teach the plugins: a fresh touch of
// the key, once, and nothing that only rests on it.
func TestATouchIsTaughtOnce(t *testing.T) {
	now := time.Now()
	look := func(session string, touched, confirmed time.Time) facts.Subject {
		return facts.Subject{
			SessionID: session, SignIn: wire.SignIn{PersonID: "per-1", At: touched},
			Binding: wire.DeviceBinding{DeviceID: "dev-1", At: confirmed},
		}
	}
	s := &situation{proven: map[string]proof{}, taught: map[string]touch{}, last: map[string]string{}}
	for _, step := range []struct {
		name    string
		subject facts.Subject
		want    arrival
		first   string
	}{
		{"a touch hours ago on a new network", look("ses-old", now.Add(-3*time.Hour), now), renewed, ""},
		{"the same, in another session", look("ses-old2", now.Add(-3*time.Hour), now), renewed, ""},
		{"a fresh touch", look("ses-1", now, now), newTouch, ""},
		{"the next request", look("ses-1", now, now), seenBefore, ""},
		{"a second portal without a touch", look("ses-2", now, now.Add(time.Second)), sameTouch, "ses-1"},
		{"the first one confirmed again", look("ses-1", now, now.Add(10*time.Minute)), renewed, ""},
		{"an older touch again", look("ses-3", now.Add(-time.Minute), now), renewed, ""},
		{"the next touch", look("ses-1", now.Add(time.Millisecond), now.Add(11*time.Minute)), newTouch, ""},
		{"nobody", facts.Subject{SessionID: "ses-4", SignIn: wire.SignIn{At: now}}, renewed, ""},
	} {
		if kind, first := s.arrive(step.subject); kind != step.want || first != step.first {
			t.Errorf("%s: %d resting on %q, want %d on %q", step.name, kind, first, step.want, step.first)
		}
	}
}
