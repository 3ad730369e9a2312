//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
)

// lastTrust returns the assessment behind the newest decision in the audit log.
func (w *world) lastTrust() (wire.TrustAssessment, error) {
	var last []byte
	for e, err := range audit.Entries(w.path("pdp", "data", "audit"), 0) {
		if err != nil {
			return wire.TrustAssessment{}, err
		}
		if e.Record.Kind == wire.AuditDecision {
			last = e.Record.Detail
		}
	}
	var detail struct {
		Trust wire.TrustAssessment `json:"trust"`
	}
	if last == nil {
		return wire.TrustAssessment{}, errors.New("no decision is recorded")
	}
	return detail.Trust, json.Unmarshal(last, &detail)
}

// tamper changes one byte in a copy of the log and has it verified.
func (w *world) tamper(tell tell) error {
	dir := w.path("root", "tampered")
	if err := os.CopyFS(dir, os.DirFS(w.path("pdp", "data", "audit"))); err != nil {
		return err
	}
	segments, err := filepath.Glob(filepath.Join(dir, "0*"))
	if err != nil || len(segments) == 0 {
		return fmt.Errorf("no segment in %s: %w", dir, errors.Join(errMissing, err))
	}
	raw, err := os.ReadFile(segments[0])
	if err != nil {
		return err
	}
	changed := bytes.Replace(raw, []byte("wang"), []byte("wong"), 1)
	if bytes.Equal(raw, changed) {
		changed[len(changed)/2] ^= 1
	}
	if err := os.WriteFile(segments[0], changed, 0o600); err != nil { // #nosec G703 -- the demo's own folder
		return err
	}
	if _, err := w.ctl("audit", "verify", dir); err == nil {
		return errors.New("a changed record went unnoticed")
	}
	tell("one changed byte in a copy: `menshenctl audit verify` says where")
	return nil
}
