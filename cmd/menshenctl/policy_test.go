package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/policy"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/store"
)

// deed is an audit log that takes everything.
type deed struct{}

func (deed) Append(context.Context, wire.AuditRecord) (uint64, error) { return 1, nil }

// newPolicySets is a true keeper with the true engine. One officer is enough:
// this test has one user. The recorded decisions are of somebody unknown.
func newPolicySets(t *testing.T, s store.Store) *policyset.Keeper {
	t.Helper()
	_, approval, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := policyset.New(t.Context(), policyset.Config{
		Store: s, Configured: policy.Baseline(), Approval: approval, Approvers: 1, ConfirmAbove: 5,
		Recorder: deed{}, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Load: func(files map[string][]byte) (policyset.Evaluator, error) {
			e, err := policy.Load(files)
			if err != nil {
				return nil, err
			}
			return e, nil
		},
		Recorded: func(_ context.Context, since time.Time) iter.Seq2[wire.RecordedDecision, error] {
			return func(yield func(wire.RecordedDecision, error) bool) {
				one := wire.RecordedDecision{Subject: "per-1", Portal: "por-1", Facts: wire.Facts{At: since}}
				one.Decision = wire.Decision{ID: "dec-1", Action: wire.ActionRead}
				yield(one, nil)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}
