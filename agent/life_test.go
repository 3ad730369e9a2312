package agent

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// TestTheAgentLearnsWhatBecameOfItsDevice: another agency and a quarantine come
// with the PDP's answer, go onto the disk, and are over when the PDP says so.
func TestTheAgentLearnsWhatBecameOfItsDevice(t *testing.T) {
	a := newAgent(t)
	a.file = state.At(filepath.Join(t.TempDir(), "state.json"))
	a.view.state = &state.State{
		DeviceID: "dev-00000000000000000000000004", DeviceName: "LT-1", Agency: "moda", Keys: []byte(`{"v":1}`),
		V: state.Version, PDP: "pdp.example:8444", WebOrigin: "https://pdp.example", CADigest: make([]byte, 32), CACertificate: []byte{1}, Enrolled: time.Now(),
	}
	const id = "dev-00000000000000000000000008"
	told := func(k wire.KnownDevice) *state.State {
		t.Helper()
		a.keep(wire.AttestAnswer{Accepted: true, Result: wire.AttestationResult{ValidUntil: time.Now().Add(time.Hour)}, Device: k})
		s, err := a.file.Load()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := told(wire.KnownDevice{ID: id, Name: "NS-9", Agency: "nstc", Status: wire.DeviceQuarantined})
	if s.DeviceID != id || s.DeviceName != "NS-9" || s.Agency != "nstc" || string(s.Keys) == "" {
		t.Errorf("kept %+v", s)
	}
	if got := a.Status(); got.Health != local.HealthFailing || got.Reason == nil || got.Reason.Code != reason.DeviceQuarantined || got.DeviceName != "NS-9" {
		t.Errorf("status %+v", got)
	}
	// Half an answer changes nothing of who the device is.
	for _, odd := range []wire.KnownDevice{{}, {ID: "dev-1", Name: "x", Agency: "y"}, {ID: id, Name: "x"}, {ID: id, Agency: "y"}} {
		if s := told(odd); s.DeviceID != id || s.DeviceName != "NS-9" || s.Agency != "nstc" {
			t.Errorf("%+v: kept %+v", odd, s)
		}
	}
	told(wire.KnownDevice{ID: id, Name: "NS-9", Agency: "nstc", Status: wire.DeviceActive})
	if got := a.Status(); got.Health != local.HealthGood {
		t.Errorf("status after the release %+v", got)
	}
}
