package pdp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/recorded"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store"
)

// taken lets the scene's person in and then denies them: two decisions.
func taken(t *testing.T) (s *scene, allowed, denied *wire.Decision) {
	t.Helper()
	s = newScene(t, wire.PortalNormal, wire.ProvenanceTPM)
	allowed = s.ask().Decision
	_, err := s.names.QuarantineDevice(t.Context(), s.laptop.ID, "lost")
	s.must(err)
	denied = s.ask().Decision
	if allowed == nil || allowed.Effect != wire.Allow || denied == nil || denied.Effect != wire.Deny {
		t.Fatalf("%+v, %+v", allowed, denied)
	}
	return s, allowed, denied
}

func (s *scene) replays(id, code string) {
	s.t.Helper()
	r, err := s.history.Replay(s.t.Context(), id)
	s.must(err)
	if r.Same != (code == "") || (r.Why == nil) != (code == "") || r.Why != nil && r.Why.Code != code {
		s.t.Errorf("%v, %+v, want %q\nrecorded %s\ncomputed %s", r.Same, r.Why, code, r.Recorded, r.Computed)
	}
}

func TestReplayComesToTheSameBytes(t *testing.T) {
	s, allowed, denied := taken(t)
	s.replays(allowed.ID, "")
	s.replays(denied.ID, "")
	r, err := s.history.Replay(t.Context(), denied.ID)
	s.must(err)
	if raw, err := json.Marshal(denied); err != nil || !bytes.Equal(r.Computed, raw) || r.PolicyVersion != denied.PolicyVersion {
		t.Errorf("computed %s, decided %s", r.Computed, raw)
	}
	if _, err := s.history.Replay(t.Context(), "dec-00000000000000000000000000"); !errors.Is(err, store.ErrNotFound) {
		t.Error("a decision that nobody took:", err)
	}
}

// The same inputs under another policy are another decision.
func TestReplayUnderAnotherPolicyDiffers(t *testing.T) {
	s, allowed, denied := taken(t)
	other, err := policy.Load(map[string][]byte{"a.cedar": []byte(`@id("all") permit (principal, action, resource);`)})
	s.must(err)
	s.history.policyOf = func(context.Context, string) (policyJudge, error) { return other, nil }
	s.replays(allowed.ID, reason.ReplayDiffers)
	s.replays(denied.ID, reason.ReplayDiffers)
	s.history.policyOf = func(context.Context, string) (policyJudge, error) { return nil, store.ErrNotFound }
	s.replays(denied.ID, reason.PolicyGone)
	s.history.policyOf = func(context.Context, string) (policyJudge, error) { return nil, errors.New("store gone") }
	if _, err := s.history.Replay(t.Context(), denied.ID); err == nil {
		t.Error("answered without the policy")
	}
}

// Where no policy set can be trusted, the denial that follows has no version
// and comes out of its record as well.
func TestReplayOfADenialWithoutPolicy(t *testing.T) {
	s, _, denied := taken(t)
	why := reason.New(reason.PolicyUntrusted)
	in := wire.DecisionInputs{NoPolicy: &why, ID: denied.ID, Action: wire.ActionRead, At: denied.At}
	d := session.Conclude(withoutPolicy(why, in.Facts, in.Action), &in)
	canonical, err := json.Marshal(in)
	s.must(err)
	d.InputsDigest = session.Digest(canonical)
	s.forge(func(r *wire.AuditRecord) {
		if r.Decision == denied.ID {
			sealed, err := s.pdp.inputs.Seal(t.Context(), r.Agency, r.Subject, r.Decision, canonical)
			s.must(err)
			r.Inputs = &sealed
			r.Detail, err = json.Marshal(wire.DecisionDetail{Decision: &d})
			s.must(err)
		}
	})
	s.replays(denied.ID, "")
}

func TestReplayAfterErasure(t *testing.T) {
	s, allowed, denied := taken(t)
	n, err := s.pdp.inputs.Erase(t.Context(), s.person.ID, []string{"moda", "nstc"})
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.replays(allowed.ID, reason.InputsErased)
	s.replays(denied.ID, reason.InputsErased)
	if _, err := audit.Verify(s.history.dir); err != nil {
		t.Error("the chain does not hold any more:", err)
	}
}

// forge writes a log that holds the records of this one as change leaves them.
func (s *scene) forge(change func(*wire.AuditRecord)) {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "forged")
	log, err := audit.Open(dir, audit.Options{ReserveBytes: 64 << 10})
	s.must(err)
	for e, err := range audit.Entries(s.history.dir, 0) {
		s.must(err)
		if e.Record.Kind == wire.AuditDecision {
			change(&e.Record)
			_, err := log.Append(s.t.Context(), e.Record)
			s.must(err)
		}
	}
	s.must(log.Close())
	s.history.dir = dir
}

func TestReplayOfForgedRecords(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *scene, r *wire.AuditRecord)
		code   string
	}{
		"a flipped bit": {func(_ *scene, r *wire.AuditRecord) { r.Inputs.Box[40] ^= 1 }, reason.InputsForged},
		"the inputs of another decision, sealed anew": {func(s *scene, r *wire.AuditRecord) {
			sealed, err := s.pdp.inputs.Seal(s.t.Context(), r.Agency, r.Subject, r.Decision, []byte(`{"id":"`+r.Decision+`"}`))
			s.must(err)
			r.Inputs = &sealed
		}, reason.InputsForged},
		"another effect": {func(s *scene, r *wire.AuditRecord) {
			r.Detail = bytes.Replace(r.Detail, []byte(`"effect":"deny"`), []byte(`"effect":"allow"`), 1)
		}, reason.ReplayDiffers},
		"no inputs": {func(_ *scene, r *wire.AuditRecord) { r.Inputs = nil }, reason.InputsMissing},
		"no detail": {func(_ *scene, r *wire.AuditRecord) { r.Detail = []byte(`{"decision":{"at":1}}`) }, reason.InputsForged},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, denied := taken(t)
			s.forge(func(r *wire.AuditRecord) {
				if r.Decision == denied.ID {
					c.change(s, r)
				}
			})
			s.replays(denied.ID, c.code)
		})
	}
}

// list reads the whole history.
func (s *scene) list(since time.Time) (all []wire.RecordedDecision, failed []error) {
	for one, err := range s.history.Decisions(s.t.Context(), since) {
		if err != nil {
			failed = append(failed, err)
			continue
		}
		all = append(all, one)
	}
	return all, failed
}

func TestDecisionsComeWithTheirInputs(t *testing.T) {
	s, allowed, denied := taken(t)
	all, failed := s.list(time.Time{})
	if len(all) != 2 || failed != nil || all[0].Decision.ID != allowed.ID || all[1].Decision.ID != denied.ID {
		t.Fatalf("%+v, %v", all, failed)
	}
	one := all[1]
	if one.Agency != "moda" || one.Portal != s.portal.ID || one.Subject != s.person.ID || one.Session == "" ||
		one.Facts.Device.Status != wire.DeviceQuarantined || one.Decision.Reasons[0].Code != denied.Reasons[0].Code {
		t.Errorf("%+v", one)
	}
	if some, _ := s.list(denied.At); len(some) != 1 || some[0].Decision.ID != denied.ID {
		t.Errorf("since the second: %d", len(some))
	}
	if _, err := s.pdp.inputs.Erase(t.Context(), s.person.ID, []string{"moda"}); err != nil {
		t.Fatal(err)
	}
	all, failed = s.list(time.Time{})
	if len(all) != 0 || len(failed) != 2 || !errors.Is(failed[0], recorded.ErrErased) {
		t.Errorf("%d, %v", len(all), failed)
	}
	var told interface{ Reason() wire.Reason }
	if !errors.As(failed[1], &told) || told.Reason().Code != reason.InputsErased {
		t.Error(failed[1])
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	for _, err := range s.history.Decisions(ctx, time.Time{}) {
		t.Error("read on after its end:", err)
	}
	s.must(os.WriteFile(filepath.Join(s.history.dir, "00000000000000000001.log"), []byte("x\n"), 0o600))
	all, failed = s.list(time.Time{})
	if len(all) != 0 || len(failed) != 1 {
		t.Errorf("a broken log: %d, %v", len(all), failed)
	}
}
