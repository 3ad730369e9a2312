// Package agentsport has the agent's own client, with a real TPM, speak to the
// PDP's agents' port over a real connection: enrolment, attestation, silence,
// and what a device must not be able to do.
package agentsport_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/evidence"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/api"
	"github.com/menshen-zt/menshen/pdp/appraisal"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/enrolment"
	"github.com/menshen-zt/menshen/pdp/inventory"
	"github.com/menshen-zt/menshen/pdp/keyring"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// pdp is the part of the PDP that agents see.
type pdp struct {
	address   string
	directory *directory.Directory
	enrolment *enrolment.Enroller
	appraisal *appraisal.Appraiser
}

// audit keeps nothing: what is recorded is tested where it is recorded.
type audit struct{}

func (audit) Append(context.Context, wire.AuditRecord) (uint64, error) { return 1, nil }

// ceremony takes confirmations and remembers whose they were.
type ceremony struct {
	mu   sync.Mutex
	from []string
}

func (c *ceremony) Confirm(_ context.Context, deviceID string, _ wire.DeviceConfirmation, network string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from = append(c.from, deviceID+" "+network)
	return nil
}

type endorser struct{ *verifier.Endorser }

func (e endorser) Endorse(certificate []byte, sent [][]byte, now time.Time) (enrolment.EndorsementKey, error) {
	return e.Endorser.Endorse(certificate, sent, now)
}

func (e endorser) Unendorsed(spki []byte) (enrolment.EndorsementKey, error) {
	return e.Endorser.Unendorsed(spki)
}

func verify(in appraisal.Input) wire.Appraised {
	return verifier.Appraise(verifier.Input{
		Evidence: in.Evidence, Device: in.Device, Nonce: in.Nonce, Previous: in.Previous, Cloned: in.Cloned,
		Last: in.Last, Rests: in.Rests, Recall: in.Recall, RecallBoot: in.RecallBoot,
		Rules:    verifier.Rules{Policy: verifier.Policy{SupportedOS: []verifier.OS{{ID: "debian", Version: "13"}}}},
		IssuedAt: in.IssuedAt, Now: in.Now, ValidFor: in.ValidFor,
	})
}

// boots keeps none: these machines have no event log.
type boots struct{}

func (boots) Boot(context.Context, string) (wire.Boot, error)   { return wire.Boot{}, store.ErrNotFound }
func (boots) Saw(context.Context, wire.Device, wire.Boot) error { return nil }

func review(in appraisal.Reviewed) wire.Appraised {
	return verifier.Review(verifier.Rules{}, in.Device, in.Now, in.Last, in.Kept, in.RecallBoot)
}

func newPDP(t *testing.T, makers *swtpm.CA, confirm *ceremony) *pdp {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	must(err)
	t.Cleanup(func() { _ = s.Close() })
	ca, err := keyring.NewAuthority(time.Now())
	must(err)
	roots, intermediates, err := makers.Pools()
	must(err)
	e, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	must(err)
	box, logger := seal.New([32]byte{3}), slog.New(slog.DiscardHandler)

	p := &pdp{directory: directory.New(s, time.Now, rand.Reader)}
	_, err = p.directory.CreateAgency(t.Context(), wire.Agency{ID: "moda", NameZH: "機關", NameEN: "Agency"})
	must(err)
	p.enrolment, err = enrolment.New(enrolment.Config{
		Store: s, Devices: p.directory, Fleet: p.directory, Endorser: endorser{e}, Sealer: box, Recorder: audit{},
		Clock: time.Now, Random: rand.Reader, Logger: logger, Authority: ca.Fingerprint(), WebOrigin: "https://pdp.example",
	})
	must(err)
	p.appraisal, err = appraisal.New(t.Context(), appraisal.Config{
		Store: s, Sealer: box, Verify: verify, Review: review, Boots: boots{}, Recorder: audit{}, Clock: time.Now, Random: rand.Reader, Logger: logger,
		SilentAfter: time.Second,
	})
	must(err)
	names, err := inventory.LoadNames("")
	must(err)
	software, err := inventory.New(inventory.Config{Store: s, Names: names, Clock: time.Now, Logger: logger})
	must(err)
	port, err := api.New(api.Config{
		Devices: p.directory, Enrolment: p.enrolment, Appraisal: p.appraisal, Confirmer: confirm, Inventories: software, Clock: time.Now, Logger: logger,
	})
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	p.address = listener.Addr().String()
	server := port.Server(keyring.NewServer(ca, []string{"127.0.0.1"}, time.Now).Certificate)
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		must(server.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

// laptop is a machine with a TPM and an agent's client.
type laptop struct {
	keys        *tpm.Keys
	certificate tpm.EKCertificate
	id          string
	client      *client.Client
}

func newLaptop(t *testing.T, makers *swtpm.CA) *laptop {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tpm")
	if err := makers.Manufacture(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	chip, err := swtpm.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chip.Stop() })
	opened, err := tpm.Open(chip.Device())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	certificates, err := opened.EKCertificates()
	if err != nil || len(certificates) == 0 {
		t.Fatal("no EK certificate: ", err)
	}
	blobs, err := opened.CreateKeys(certificates[0].Template, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &laptop{certificate: certificates[0]}
	if l.keys, err = opened.LoadKeys(blobs); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *laptop) enrol(t *testing.T, p *pdp, text string) error {
	t.Helper()
	code, err := client.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	done, err := client.Enrol(t.Context(), client.Enrolment{
		Address: p.address, Code: code, Keys: l.keys, EKCertificate: l.certificate.DER,
		Hostname: "lt-2231", OS: "linux", Clock: time.Now, Random: rand.Reader,
	})
	if err != nil {
		return err
	}
	ca, err := x509.ParseCertificate(done.CA)
	if err != nil {
		t.Fatal(err)
	}
	l.id = done.DeviceID
	l.client, err = client.New(client.Config{Address: p.address, CA: ca, Key: l.keys.TLSSigner(), Clock: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	return nil
}

// measure is an honest measurement.
func (l *laptop) measure(nonce [wire.NonceSize]byte) (wire.Evidence, error) {
	claims, err := evidence.Marshal(wire.Claims{Claims: []wire.Claim{
		{ID: wire.ClaimOSRelease, State: wire.ClaimPass, Value: map[string]string{"id": "debian", "version_id": "13"}, MeasuredAt: time.Now(), Source: "/etc/os-release"},
		{ID: wire.ClaimFirewall, State: wire.ClaimPass, MeasuredAt: time.Now(), Source: "nftables"},
	}})
	if err != nil {
		return wire.Evidence{}, err
	}
	quote, pcrs, err := l.keys.Quote(nonce, claims)
	return evidence.Assemble(claims, quote, pcrs, nil), err
}

func wantsCode(t *testing.T, err error, code string) {
	t.Helper()
	var told *client.Error
	if !errors.As(err, &told) || told.Given != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func TestTheAgentAndTheAgentsPort(t *testing.T) {
	makers, err := swtpm.NewCA(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	one, two := newLaptop(t, makers), newLaptop(t, makers)
	confirm := new(ceremony)
	p := newPDP(t, makers, confirm)
	issue := func(name string) string {
		code, err := p.enrolment.IssueCode(t.Context(), "moda", name, "uid:0", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}

	code := issue("LT-2231")
	if err := one.enrol(t, p, code); err != nil {
		t.Fatal("enrolment: ", err)
	}
	wantsCode(t, two.enrol(t, p, code), reason.EnrolCodeUnknown)
	wantsCode(t, two.enrol(t, p, issue("LT-2231")), reason.EnrolNameTaken)
	if err := two.enrol(t, p, issue("LT-2")); err != nil {
		t.Fatal("the second enrolment: ", err)
	}

	answer, err := one.client.Attest(t.Context(), one.measure)
	if err != nil || !answer.Accepted || answer.Result.DeviceID != one.id {
		t.Fatalf("attestation: %+v %v", answer, err)
	}
	wantsStanding(t, p, one, wire.StandingFresh)

	t.Run("commands and silence", func(t *testing.T) { standing(t, p, one) })
	t.Run("confirmation", func(t *testing.T) {
		if err := one.client.Confirm(t.Context(), wire.DeviceConfirmation{Nonce: "n", ReturnCode: make([]byte, 32), Seat: wire.SeatActive, Way: wire.BindingFetch}); err != nil {
			t.Fatal(err)
		}
		if want := one.id + " 127.0.0.0/24"; len(confirm.from) != 1 || confirm.from[0] != want {
			t.Errorf("confirmed by %v, want %s", confirm.from, want)
		}
	})
	t.Run("evidence of another TPM", func(t *testing.T) {
		answer, err := one.client.Attest(t.Context(), two.measure)
		if err != nil || answer.Accepted {
			t.Fatalf("%+v %v", answer, err)
		}
		wantsStanding(t, p, one, wire.StandingRefused)
		wantsStanding(t, p, two, wire.StandingUnknown)
		if answer, err = one.client.Attest(t.Context(), one.measure); err != nil || !answer.Accepted {
			t.Fatalf("an honest measurement after it: %+v %v", answer, err)
		}
		wantsStanding(t, p, one, wire.StandingFresh)
	})
	t.Run("retired", func(t *testing.T) {
		if _, err := p.directory.RetireDevice(t.Context(), one.id); err != nil {
			t.Fatal(err)
		}
		_, err := one.client.Attest(t.Context(), one.measure)
		wantsCode(t, err, reason.DeviceRetired)
	})
}

func wantsStanding(t *testing.T, p *pdp, l *laptop, want wire.Standing) {
	t.Helper()
	if got := p.appraisal.Standing(l.id); got.Standing != want {
		t.Errorf("standing %q, want %q; findings %+v", got.Standing, want, got.Result.Findings)
	}
}

// standing holds the long poll: a question reaches the agent by it, its answer
// closes the question, and without it the device falls silent.
func standing(t *testing.T, p *pdp, l *laptop) {
	ctx, cancel := context.WithCancel(t.Context())
	asked, ended := make(chan wire.Command, 1), make(chan struct{})
	go func() {
		defer close(ended)
		l.client.Stand(ctx, func(c wire.Command) { asked <- c }, func(error) {})
	}()
	id, done := p.appraisal.Ask(l.id)
	select {
	case c := <-asked:
		if c.ID != id || c.Kind != wire.CommandMeasure {
			t.Errorf("asked %+v", c)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the question did not come")
	}
	if _, err := l.client.Attest(t.Context(), l.measure); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(time.Second):
		t.Error("the question stands after its answer")
	}
	time.Sleep(1500 * time.Millisecond)
	wantsStanding(t, p, l, wire.StandingFresh) // longer than SilentAfter: the poll holds it
	cancel()
	<-ended
	l.client.Reconnect()
	for deadline := time.Now().Add(5 * time.Second); p.appraisal.Standing(l.id).Standing != wire.StandingSilent; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never fell silent")
		}
	}
}
