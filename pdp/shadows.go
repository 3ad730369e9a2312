package pdp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/trust"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// weights are those of the file that the configuration names, or the shipped.
func (c TrustConfig) weights() (*fusion.Weights, error) {
	if c.Weights == "" {
		return fusion.DefaultWeights()
	}
	text, err := os.ReadFile(c.Weights) // #nosec G304 -- the file that the configuration names
	if err != nil {
		return nil, fmt.Errorf("trust.weights: %w", err)
	}
	return fusion.ParseWeights(c.Weights, text)
}

// recordWeights puts on record which constants count from now on: they change
// with the configuration alone (requirements 30).
func recordWeights(ctx context.Context, s *state, w *fusion.Weights) error {
	detail, err := json.Marshal(map[string]string{"event": "trust-weights", "weights": w.Name()})
	if err != nil {
		return fmt.Errorf("pdp: %w", err)
	}
	_, err = s.log.Append(ctx, wire.AuditRecord{Kind: wire.AuditSystem, At: time.Now().UTC(), Detail: detail})
	return err
}

func (c PluginsConfig) inShadow(name string) bool {
	return slices.ContainsFunc(c.Run, func(p PluginConfig) bool { return p.Name == name && p.Shadow })
}

// maxShadowCounts bounds what is counted: candidates, portals and effects.
const maxShadowCounts = 4096

// shadows counts what candidates would have decided (requirements 13).
type shadows struct {
	mu     sync.Mutex
	since  time.Time
	counts map[wire.ShadowCount]uint64
	lost   uint64
}

func newShadows() *shadows {
	return &shadows{since: time.Now().UTC(), counts: map[wire.ShadowCount]uint64{}}
}

func (s *shadows) add(key wire.ShadowCount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.counts[key]; !known && len(s.counts) >= maxShadowCounts {
		s.lost++
		return
	}
	s.counts[key]++
}

// compare decides once more with each candidate's assessment, and counts.
func (s *situation) compare(sessionID string, set judgement, known wire.Facts, d *wire.Decision) {
	if known.Trust.Latched != "" {
		return // no candidate speaks against an officer
	}
	for _, c := range s.trust.Candidates(sessionID) {
		beside := known
		beside.Trust = c.TrustAssessment
		would := set.Decide(beside, d.Action, known.At)
		s.shadows.add(wire.ShadowCount{
			Candidate: c.Name, Portal: known.Portal.ID, Was: outcomeOf(d), Would: outcomeOf(&would),
		})
	}
}

// outcomeOf is an effect, with read-only told apart.
func outcomeOf(d *wire.Decision) string {
	if d.Effect == wire.Allow && d.Obligations.ReadOnly {
		return "read-only"
	}
	return d.Effect.String()
}

// trialKey is where the trial is kept, so that a restart does not end it.
func trialKey() string { return store.Key("trust-trial", "_", "weights") }

type keptTrial struct {
	V       int       `json:"v"`
	Since   time.Time `json:"since"`
	Weights string    `json:"weights,omitempty"`
	Points  int       `json:"points,omitempty"`
}

// trialInput says why something cannot be tried.
type trialInput struct{ why wire.Reason }

func (t trialInput) Error() string       { return "pdp: trial: " + t.why.Code }
func (t trialInput) Reason() wire.Reason { return t.why }

const maxPoints = 50

func parseTrial(k keptTrial) (*trust.Trial, error) {
	if k.Weights == "" && k.Points == 0 || k.Points < -maxPoints || k.Points > maxPoints {
		return nil, trialInput{reason.New(reason.TrialNothing)}
	}
	trial := &trust.Trial{Points: k.Points}
	if k.Weights != "" {
		w, err := fusion.ParseWeights("weights", []byte(k.Weights))
		if err != nil {
			return nil, trialInput{reason.New(reason.WeightsUnread, "problem", err.Error())}
		}
		trial.Weights = w
	}
	return trial, nil
}

// loadTrial goes on with what was tried. A trial counts nowhere, so one that
// cannot be read, as after an upgrade, does not stop the PDP.
func (s *situation) loadTrial(ctx context.Context, from store.Store, logger *slog.Logger) error {
	record, err := from.Get(ctx, trialKey(), store.Linearizable)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var k keptTrial
	err = json.Unmarshal(record.Value, &k)
	var trial *trust.Trial
	if err == nil {
		trial, err = parseTrial(k)
	}
	if err != nil {
		logger.Error("what was tried beside the weights in force cannot be read and is tried no more", "error", err)
		return nil
	}
	s.begin(k.Since, trial)
	return nil
}

func (s *situation) begin(since time.Time, trial *trust.Trial) {
	s.shadows.mu.Lock()
	s.shadows.since, s.shadows.counts, s.shadows.lost = since, map[wire.ShadowCount]uint64{}, 0
	s.shadows.mu.Unlock()
	s.trust.Try(trial)
}

// Try implements admin.Trust.
func (a adminTrust) Try(ctx context.Context, in client.Trial) (client.Shadow, error) {
	k := keptTrial{V: 1, Since: time.Now().UTC(), Weights: in.Weights, Points: in.Points}
	trial, err := parseTrial(k)
	if err != nil {
		return client.Shadow{}, err
	}
	value, err := json.Marshal(k)
	if err != nil {
		return client.Shadow{}, fmt.Errorf("pdp: %w", err)
	}
	if _, err := a.state.store.Txn(ctx, nil, []store.Op{{Key: trialKey(), Value: value}}); err != nil {
		return client.Shadow{}, err
	}
	a.situation.begin(k.Since, trial)
	return a.Shadow(), nil
}

// EndTrial implements admin.Trust.
func (a adminTrust) EndTrial(ctx context.Context) (client.Shadow, error) {
	if _, err := a.state.store.Txn(ctx, nil, []store.Op{{Key: trialKey(), Delete: true}}); err != nil {
		return client.Shadow{}, err
	}
	was := a.Shadow()
	a.situation.begin(time.Now().UTC(), nil)
	return was, nil
}

// Shadow implements admin.Trust.
func (a adminTrust) Shadow() client.Shadow {
	out := client.Shadow{}
	if trial := a.situation.trust.Tried(); trial != nil {
		out.Trial = trial.Name()
	}
	for _, p := range a.config.Plugins.Run {
		if p.Shadow {
			out.Plugins = append(out.Plugins, p.Name)
		}
	}
	s := a.situation.shadows
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Since, out.Lost = s.since, s.lost
	for key, n := range s.counts {
		key.Decisions = n
		out.Counts = append(out.Counts, key)
	}
	slices.SortFunc(out.Counts, func(x, y wire.ShadowCount) int {
		return cmp.Or(cmp.Compare(x.Candidate, y.Candidate), cmp.Compare(x.Portal, y.Portal), cmp.Compare(x.Was, y.Was), cmp.Compare(x.Would, y.Would))
	})
	return out
}
