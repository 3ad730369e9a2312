package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Outcomes of an act. Asked is recorded before anything is changed.
const (
	outcomeAsked   = "asked"
	outcomeDone    = "done"
	outcomeRefused = "refused"
	outcomeFailed  = "failed"
)

// act is the detail of an audit record of administration. It holds no secrets.
type act struct {
	Action  string `json:"action"`
	Target  string `json:"target,omitempty"`
	Input   any    `json:"input,omitempty"`
	By      string `json:"by"`
	PID     int32  `json:"pid,omitempty"`
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
	Made    string `json:"made,omitempty"` // the id of what was made
	Times   int    `json:"times,omitempty"`

	agency, person, device, portal, session string
}

func (a *Admin) record(ctx context.Context, what act) error {
	detail, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	_, err = a.Recorder.Append(ctx, wire.AuditRecord{
		Kind: wire.AuditAdmin, At: a.Clock().UTC(), Agency: what.agency,
		Subject: what.person, Device: what.device, Portal: what.portal, Session: what.session, Detail: detail,
	})
	if err != nil {
		a.Logger.Error("an administrator's act cannot be recorded", "action", what.Action, "outcome", what.Outcome, "error", err)
	}
	return err
}

// change records that somebody asks for a change, makes it, records how it
// went, and only then answers. Do returns what to answer and the id it made.
func change[Out any](a *Admin, w http.ResponseWriter, r *http.Request, what act, do func(ctx context.Context, by string) (out Out, made string, err error)) {
	p, ok := r.Context().Value(peerKey{}).(peer)
	if !ok {
		a.fail(w, r, what.Action, errNoPeer)
		return
	}
	// A client that hangs up must not leave a change without its record.
	ctx := context.WithoutCancel(r.Context())
	what.By, what.PID, what.Outcome = p.text(), p.pid, outcomeAsked
	if err := a.record(ctx, what); err != nil {
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.AuditClosed))
		return
	}
	out, made, err := do(ctx, p.text())
	what.Outcome, what.Made, what.Input = outcomeDone, made, nil
	if err != nil {
		what.Outcome, what.Why = outcomeFailed, err.Error()
	}
	if recordErr := a.record(ctx, what); recordErr != nil && err == nil {
		problem.Write(w, r, http.StatusServiceUnavailable, reason.New(reason.AuditClosed))
		return
	}
	if err != nil {
		a.fail(w, r, what.Target, err)
		return
	}
	problem.WriteJSON(w, r, out)
}
