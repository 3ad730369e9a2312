package agentsport_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
)

// plainMachine is a machine without a TPM and the folder that its agent has.
type plainMachine struct {
	dir    string
	config agent.Config
}

func newPlainMachine(t *testing.T, p *pdp, port int) *plainMachine {
	t.Helper()
	dir := t.TempDir()
	m := &plainMachine{dir, agent.Config{
		TPM: filepath.Join(dir, "no-tpm"), Keys: agent.KeysSoftware, SoftwareSecret: filepath.Join(dir, "secret"), PDP: p.address,
		State: filepath.Join(dir, "state.json"), Helper: filepath.Join(dir, "helper.sock"), Control: filepath.Join(dir, "agent.sock"),
		Port: port, Seat: agent.SeatNone, AllowRoot: true,
	}}
	if err := os.WriteFile(m.config.SoftwareSecret, bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *plainMachine) enrol(t *testing.T, code string) string {
	t.Helper()
	s, err := agent.Enrol(t.Context(), m.config, agent.Enrolment{Code: code, Replace: true}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if s.Provenance != wire.ProvenanceSoftware {
		t.Errorf("provenance %s", s.Provenance)
	}
	return s.DeviceID
}

// newPlainPDP is a PDP; it trusts a maker of TPMs, who plays no part here.
func newPlainPDP(t *testing.T) *pdp {
	t.Helper()
	makers, err := swtpm.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := makers.Manufacture(t.Context(), filepath.Join(t.TempDir(), "tpm")); err != nil {
		t.Fatal(err)
	}
	return newPDP(t, makers, &ceremony{})
}

// copyTo is what a copied disk carries: state, counter and the secret too.
func (m *plainMachine) copyTo(t *testing.T, to *plainMachine) {
	t.Helper()
	for _, name := range []string{"state.json", "state.json.counter", "secret"} {
		raw, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to.dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// attestOnce has the machine's agent run until it attested, and returns its
// health's reasons.
func (m *plainMachine) attestOnce(t *testing.T) (accepted bool, codes []string) {
	t.Helper()
	a, err := agent.New(m.config, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, began := make(chan error, 1), time.Now()
	go func() { ended <- a.Run(ctx) }()
	waiting, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		s := a.Check(waiting)
		if s.Result != nil && s.Result.IssuedAt.After(began) {
			accepted = s.Accepted
			for _, f := range s.Result.Findings {
				codes = append(codes, f.Reason.Code)
			}
			break
		}
		if waiting.Err() != nil {
			t.Fatalf("no attestation: %+v", s)
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return accepted, codes
}

// TestTwoMachinesWithOneStateFile: the disk of a machine without a TPM is
// copied. The first report of the second copy that does not count on from the
// first shows it; then neither opens anything until the device enrols anew.
func TestTwoMachinesWithOneStateFile(t *testing.T) {
	p := newPlainPDP(t)
	first, second := newPlainMachine(t, p, 47911), newPlainMachine(t, p, 47912)
	code, err := p.enrolment.IssueCode(t.Context(), "moda", "VM-1", "uid:0", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id := first.enrol(t, code)
	if dev, err := p.directory.Device(t.Context(), id); err != nil || dev.Status != wire.DevicePending || dev.Provenance != wire.ProvenanceSoftware {
		t.Fatalf("%+v %v", dev, err)
	}
	if _, err := p.directory.ApproveDevice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if accepted, codes := first.attestOnce(t); !accepted || !slices.Contains(codes, reason.SoftwareKeys) || slices.Contains(codes, reason.SoftwareCloned) {
		t.Fatalf("accepted %v, %v", accepted, codes)
	}
	if v := p.appraisal.Standing(id).Result.Vector; v.InstanceIdentity != wire.Affirming || v.Hardware != wire.TrustNone || v.Executables != wire.TrustNone || v.Configuration == wire.Affirming {
		t.Errorf("vector %+v", v)
	}

	first.copyTo(t, second)
	if accepted, codes := first.attestOnce(t); !accepted {
		t.Fatalf("the original alone is refused: %v", codes)
	}
	for _, m := range []*plainMachine{second, first, second, first} {
		if accepted, codes := m.attestOnce(t); accepted || !slices.Equal(codes, []string{reason.SoftwareCloned}) {
			t.Errorf("accepted %v, %v", accepted, codes)
		}
		if s := p.appraisal.Standing(id); s.Standing != wire.StandingRefused || s.Result.Vector.InstanceIdentity != wire.Contraindicated {
			t.Errorf("standing %+v", s)
		}
	}

	// Each machine that is to stay enrols for itself.
	if _, err := p.directory.RetireDevice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*plainMachine{"VM-1": first, "VM-2": second} {
		code, err := p.enrolment.IssueCode(t.Context(), "moda", name, "uid:0", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.directory.ApproveDevice(t.Context(), m.enrol(t, code)); err != nil {
			t.Fatal(err)
		}
		if accepted, codes := m.attestOnce(t); !accepted {
			t.Errorf("%s is refused: %v", name, codes)
		}
	}
}

// TestAMovedDeviceGoesOnWithoutEnrollingAgain: another agency, another id, the
// same keys; the agent learns all of it from its next attestation.
func TestAMovedDeviceGoesOnWithoutEnrollingAgain(t *testing.T) {
	p := newPlainPDP(t)
	if _, err := p.directory.CreateAgency(t.Context(), wire.Agency{ID: "nstc", NameZH: "國科會", NameEN: "Science"}); err != nil {
		t.Fatal(err)
	}
	m := newPlainMachine(t, p, 47913)
	code, err := p.enrolment.IssueCode(t.Context(), "moda", "VM-1", "uid:0", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	old := m.enrol(t, code)
	if _, err := p.directory.ApproveDevice(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	m.attestOnce(t)
	moved, err := p.directory.TransferDevice(t.Context(), directory.Transfer{ID: old, Agency: "nstc", Name: "NS-9", Carry: p.appraisal.Inherit})
	if err != nil {
		t.Fatal(err)
	}
	if accepted, codes := m.attestOnce(t); !accepted {
		t.Fatalf("refused after the move: %v", codes)
	}
	raw, err := os.ReadFile(m.config.State)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{moved.ID, "NS-9", "nstc"} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("the agent did not learn %q", want)
		}
	}
	if s := p.appraisal.Standing(moved.ID); s.Result.DeviceID != moved.ID || s.Result.Vector.InstanceIdentity != wire.Affirming {
		t.Errorf("standing %+v", s)
	}
	// A quarantined device goes on attesting.
	if _, err := p.directory.QuarantineDevice(t.Context(), moved.ID, "lost"); err != nil {
		t.Fatal(err)
	}
	if accepted, codes := m.attestOnce(t); !accepted {
		t.Errorf("a quarantined device cannot attest: %v", codes)
	}
}

// TestAMissingTPMIsNeverMadeUpFor: with keys: tpm there is no TPM, and no key.
func TestAMissingTPMIsNeverMadeUpFor(t *testing.T) {
	p := newPlainPDP(t)
	m := newPlainMachine(t, p, 47914)
	code, err := p.enrolment.IssueCode(t.Context(), "moda", "VM-1", "uid:0", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	withTPM := m.config
	withTPM.Keys, withTPM.SoftwareSecret = agent.KeysTPM, ""
	_, err = agent.Enrol(t.Context(), withTPM, agent.Enrolment{Code: code}, func(int) {})
	if why := agent.ReasonOf(err); why.Code != reason.TPMNotFound {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(m.config.State); err == nil {
		t.Error("something enrolled")
	}
	// Nor does a software enrolment run under keys: tpm.
	m.enrol(t, code)
	a, err := agent.New(withTPM, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for {
		if s := a.Status(); len(s.Problems) > 0 {
			if s.Problems[0].Code != reason.SoftkeySetting {
				t.Errorf("%+v", s.Problems)
			}
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
