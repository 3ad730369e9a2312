package pdp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/session"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Replay computes a recorded decision again, from its inputs and under the
// policy set of its version, and compares the bytes (design: §5, Replay). An
// error means that there is no such decision, or that it could not be tried.
func (h *history) Replay(ctx context.Context, id string) (client.Replay, error) {
	record, _, err := h.taken(id)
	if err != nil {
		return client.Replay{}, err
	}
	answer := client.Replay{ID: id, At: record.At}
	if record.Kind == wire.AuditEvaluation {
		return h.replayEvaluation(ctx, &record, answer)
	}
	var was struct {
		Decision json.RawMessage `json:"decision"`
	}
	if err := json.Unmarshal(record.Detail, &was); err != nil {
		return client.Replay{}, fmt.Errorf("pdp: %w", err)
	}
	answer.Recorded = was.Decision
	again, err := h.recompute(ctx, &record)
	var why interface{ Reason() wire.Reason }
	switch {
	case errors.As(err, &why):
		return answer.Told(why.Reason()), nil
	case err != nil:
		return client.Replay{}, err
	}
	answer.PolicyVersion = again.PolicyVersion
	if answer.Computed, err = json.Marshal(again); err != nil {
		return client.Replay{}, fmt.Errorf("pdp: %w", err)
	}
	if !bytes.Equal(answer.Computed, answer.Recorded) {
		return answer.Told(reason.New(reason.ReplayDiffers)), nil
	}
	answer.Same = true
	return answer, nil
}

// recompute takes a decision again as the session took it.
func (h *history) recompute(ctx context.Context, record *wire.AuditRecord) (wire.Decision, error) {
	_, canonical, err := h.read(ctx, record)
	if err != nil {
		return wire.Decision{}, err
	}
	var in wire.DecisionInputs
	if err := json.Unmarshal(canonical, &in); err != nil {
		return wire.Decision{}, unopened{reason.New(reason.InputsForged), err}
	}
	again, err := h.judge(ctx, &in)
	again.InputsDigest = session.Digest(canonical)
	return again, err
}

// judge takes a decision from its inputs, under the policy set of its version.
func (h *history) judge(ctx context.Context, in *wire.DecisionInputs) (wire.Decision, error) {
	var judged wire.Decision
	switch {
	case in.EngineFailed:
	case in.NoPolicy != nil:
		judged = withoutPolicy(*in.NoPolicy, in.Facts, in.Action)
	default:
		set, err := h.policyOf(ctx, in.PolicyVersion)
		if errors.Is(err, store.ErrNotFound) {
			return wire.Decision{}, unopened{reason.New(reason.PolicyGone, "version", in.PolicyVersion), err}
		}
		if err != nil {
			return wire.Decision{}, err
		}
		judged = set.Decide(in.Facts, in.Action, in.Facts.At)
	}
	return session.Conclude(judged, in), nil
}

// inForce is the version that decides now; none does where it is empty.
func (e *engine) inForce() string {
	version, _ := e.sets.ActiveFiles()
	return version
}

// policyOf returns the kept set of a version.
func (e *engine) policyOf(ctx context.Context, version string) (policyJudge, error) {
	set, err := e.sets.At(ctx, version)
	if err != nil {
		return nil, err
	}
	judge, ok := set.(policyJudge)
	if !ok {
		return nil, fmt.Errorf("pdp: policy set %s does not know its places", version)
	}
	return judge, nil
}
