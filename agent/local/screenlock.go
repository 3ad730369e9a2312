package local

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
)

const pathScreenLock = "/v1/screen-lock"

// ScreenLockReport is what a person's desktop session says of its screen. It is
// that person's own word: whose it is, the kernel says of the connection.
type ScreenLockReport struct {
	Desktop string `json:"desktop"`
	Enabled bool   `json:"enabled"`
	// AfterSeconds is how long the screen is idle until it is locked.
	AfterSeconds int64 `json:"after_seconds"`
	// Problem says why it is not known.
	Problem string `json:"problem,omitempty"`
}

// Bounds of a report.
const (
	maxReport     = 2 << 10
	maxReportText = 200
	maxSeconds    = 1 << 31
)

func (r ScreenLockReport) sensible() bool {
	return r.AfterSeconds >= 0 && r.AfterSeconds < maxSeconds &&
		utf8.RuneCountInString(r.Desktop) <= maxReportText && utf8.RuneCountInString(r.Problem) <= maxReportText
}

func (c ControlConfig) takeScreenLock(w http.ResponseWriter, r *http.Request) {
	p, ok := r.Context().Value(peerKey{}).(peer)
	if !ok || p.err != nil {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.LocalUserUnknown))
		return
	}
	var report ScreenLockReport
	if err := strictjson.Decode(r.Body, maxReport, &report); err != nil || !report.sensible() {
		problem.Write(w, r, http.StatusBadRequest, reason.New(reason.LocalFetchOdd))
		return
	}
	c.Agent.ScreenLock(p.uid, report)
	problem.WriteJSON(w, r, struct{}{})
}

// ReportScreenLock tells the agent behind a control socket of this session's
// screen.
func ReportScreenLock(ctx context.Context, socket string, report ScreenLockReport) error {
	body, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return exchange(ctx, socket, http.MethodPost, pathScreenLock, body, &struct{}{})
}
