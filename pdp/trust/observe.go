package trust

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of what one observation carries, and of what waits.
const (
	maxClaims   = 256
	maxFiles    = 4096
	maxFailures = 256
)

// observation is what plugins may see of a situation.
func (t *Trust) observation(s Situation) wire.Observation {
	o := t.whose(s.PersonID, s.Agency, s.Groups)
	o.Device, o.Portal = t.config.History.Pseudonym("device", s.DeviceID), t.config.History.Pseudonym("portal", s.Portal)
	o.Grade, o.IP, o.Address = string(s.Grade), s.IP, s.Address
	if zone := s.SignIn.ZoneMinutes; zone != nil {
		o.ZoneMins, o.ZoneKnown = *zone, true
	}
	if s.DeviceID == "" {
		return o
	}
	// What a device said that has not been heard of since is not its posture.
	if standing := t.config.Standing(s.DeviceID); o.At.Before(standing.Result.ValidUntil) {
		o.Posture = posture(standing.Result.Claims)
	}
	o.Files = t.config.Files(s.DeviceID)
	o.Files = o.Files[:min(len(o.Files), maxFiles)]
	return o
}

// whose starts an observation of now with who it is about. The peers of a
// person are those of the same agency in exactly the same groups: people of the
// same duties, which is what groups stand for. Of an agency that keeps no groups
// they are everybody.
func (t *Trust) whose(personID, agency string, groups []string) wire.Observation {
	o := wire.Observation{Person: t.config.History.Pseudonym("person", personID), At: t.config.Clock().UTC()}
	if agency != "" {
		groups = slices.Clone(groups)
		slices.Sort(groups)
		o.Group = t.config.History.Pseudonym("group", strings.Join(append([]string{agency}, slices.Compact(groups)...), "\x00"))
	}
	return o
}

func posture(claims []wire.Claim) []wire.ObservedClaim {
	all := make([]wire.ObservedClaim, 0, min(len(claims), maxClaims))
	for _, c := range claims {
		if len(all) < maxClaims {
			all = append(all, wire.ObservedClaim{ID: string(c.ID), State: string(c.State)})
		}
	}
	slices.SortFunc(all, func(a, b wire.ObservedClaim) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// uses are a session's requests since it was observed last.
type uses struct {
	count uint64
	grade wire.Action
	since time.Time
}

// Used notes requests of a session, whatever came of them. It takes no longer
// than a look-up; it is not made for the path of a request.
func (t *Trust) Used(sessionID string, grade wire.Action, n uint64) {
	one := t.find(sessionID)
	if one == nil {
		return
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.uses.count += n
	one.uses.grade = higher(one.uses.grade, grade)
}

// take returns the requests since the last observation, over what time, and the
// highest grade among them and now.
func (s *session) take(at time.Time, now wire.Action) (requests uint64, over time.Duration, grade string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.uses.since.IsZero() {
		over = max(0, at.Sub(s.uses.since))
	}
	requests, grade = s.uses.count, string(higher(s.uses.grade, now))
	s.uses = uses{since: at}
	return requests, over, grade
}

func higher(a, b wire.Action) wire.Action {
	grades := []wire.Action{"", wire.ActionRead, wire.ActionWrite, wire.ActionAdmin}
	if slices.Index(grades, b) > slices.Index(grades, a) {
		return b
	}
	return a
}

// Failed takes note of a refused sign-in. It does not block: beyond a bound
// what waits is dropped, so that a flood of them harms nobody else.
func (t *Trust) Failed(f wire.FailedSignIn) {
	select {
	case t.failures <- f:
	default:
		t.config.Logger.Warn("refused sign-ins are not observed: too many wait", "person", f.Person.ID)
	}
}

// fail keeps a refused sign-in and teaches it.
func (t *Trust) fail(ctx context.Context, f wire.FailedSignIn) {
	o := t.whose(f.Person.ID, f.Person.Agency, f.Person.Groups)
	o.Kind, o.At, o.Portal = wire.ObservedFailure, f.At, t.config.History.Pseudonym("portal", f.Portal)
	o.IP, o.Address = wire.NetworkAddress(f.Address), ""
	if f.Address.IsValid() {
		o.Address = f.Address.Unmap().WithZone("").String()
	}
	if err := t.config.History.Add(ctx, o); err != nil {
		t.config.Logger.Error("a refused sign-in could not be kept for the plugins", "reason", err.Error())
	}
	t.config.Plugins.Observe(ctx, o)
}

// Judge takes an officer's word on a sign-in that the history holds: that of
// the person around that time. What was not the person is never taught again
// (requirements 31). An error wraps store.ErrNotFound where it is not held.
func (t *Trust) Judge(ctx context.Context, personID string, signIn time.Time, genuine bool) error {
	o, again, err := t.config.History.judge(ctx, personID, signIn, genuine)
	if err != nil || again {
		return err
	}
	return t.config.Plugins.Learn(ctx, o, genuine)
}

// Erase forgets a person, here and in every plugin.
func (t *Trust) Erase(ctx context.Context, personID string) error {
	if err := t.config.History.Erase(ctx, personID); err != nil {
		return err
	}
	t.config.Plugins.Forget(ctx, t.config.History.Pseudonym("person", personID))
	return nil
}
