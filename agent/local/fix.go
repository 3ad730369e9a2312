package local

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Paths of the repairs.
const (
	pathRemedies = "/v1/remedies"
	pathFix      = "/v1/fix"
)

// Remedy is where a repair by the agent stands.
type Remedy struct {
	Claim    wire.ClaimID `json:"claim"`
	Allowed  bool         `json:"allowed"`
	Recorded bool         `json:"recorded"`
	Applied  bool         `json:"applied"`
	At       time.Time    `json:"at,omitzero"`
}

// Fixed is the answer to both questions about repairs.
type Fixed struct {
	// Reason says why it was not done; nil if it was.
	Reason   *wire.Reason `json:"reason,omitempty"`
	Remedies []Remedy     `json:"remedies,omitempty"`
	// Status is how it stands after measuring again.
	Status *Status `json:"status,omitempty"`
}

type fixQuestion struct {
	Claim wire.ClaimID `json:"claim"`
}

const maxFixQuestion = 256

func (c ControlConfig) fixes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathRemedies, func(w http.ResponseWriter, r *http.Request) {
		problem.WriteJSON(w, r, c.Agent.Remedies(r.Context()))
	})
	mux.HandleFunc("POST "+pathFix, func(w http.ResponseWriter, r *http.Request) {
		var q fixQuestion
		if err := strictjson.Decode(r.Body, maxFixQuestion, &q); err != nil {
			problem.Write(w, r, http.StatusBadRequest, reason.New(reason.LocalFetchOdd))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		defer cancel()
		problem.WriteJSON(w, r, c.Agent.Fix(ctx, q.Claim))
	})
}

// AskRemedies asks the agent where its repairs stand.
func AskRemedies(ctx context.Context, socket string) (Fixed, error) {
	var f Fixed
	err := exchange(ctx, socket, http.MethodGet, pathRemedies, nil, &f)
	return f, err
}

// AskFix has the agent repair what a claim is about, and measure again.
func AskFix(ctx context.Context, socket string, claim wire.ClaimID) (Fixed, error) {
	body, err := json.Marshal(fixQuestion{claim})
	if err != nil {
		return Fixed{}, fmt.Errorf("local: %w", err)
	}
	var f Fixed
	err = exchange(ctx, socket, http.MethodPost, pathFix, body, &f)
	return f, err
}
