package enrolment_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/enrolment"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
	"github.com/menshen-zt/menshen/pdp/verifier"
	"github.com/menshen-zt/menshen/pdp/verifier/endorsement"
)

// machine is a laptop with a real (software) TPM.
type machine struct {
	tpm         *tpm.TPM
	keys        *tpm.Keys
	certificate []byte
	spki        [32]byte
}

// Two machines of a maker that is trusted, and one of a maker that is not.
var laptop, second, stranger *machine

var makers *swtpm.CA

// power switches the machines on when the first test needs them: fuzzing,
// which runs this package many times, does not.
var power struct {
	once sync.Once
	dir  string
	off  func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if power.off != nil {
		power.off()
	}
	_ = os.RemoveAll(power.dir)
	os.Exit(code)
}

func powered(t *testing.T) {
	t.Helper()
	power.once.Do(func() {
		if power.dir, power.err = os.MkdirTemp("", "enrolment"); power.err == nil {
			power.off, power.err = powerOn(power.dir)
		}
	})
	if power.err != nil {
		t.Fatal("the software TPMs do not start: ", power.err)
	}
}

func powerOn(dir string) (stop func(), err error) {
	ctx := context.Background()
	if makers, err = swtpm.NewCA(filepath.Join(dir, "ca")); err != nil {
		return nil, err
	}
	others, err := swtpm.NewCA(filepath.Join(dir, "other-ca"))
	if err != nil {
		return nil, err
	}
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	for i, at := range []struct {
		ca *swtpm.CA
		to **machine
	}{{makers, &laptop}, {makers, &second}, {others, &stranger}} {
		one, off, err := newMachine(ctx, at.ca, filepath.Join(dir, fmt.Sprint("tpm", i)))
		if err != nil {
			stop()
			return nil, err
		}
		*at.to, stops = one, append(stops, off)
	}
	return stop, nil
}

func newMachine(ctx context.Context, ca *swtpm.CA, dir string) (*machine, func(), error) {
	if err := ca.Manufacture(ctx, dir); err != nil {
		return nil, nil, err
	}
	chip, err := swtpm.Start(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	stop := func() { _ = chip.Stop() }
	t, err := tpm.Open(chip.Device())
	if err != nil {
		stop()
		return nil, nil, err
	}
	m := &machine{tpm: t}
	off := func() { _ = t.Close(); stop() }
	certificates, err := t.EKCertificates()
	if err == nil && len(certificates) == 0 {
		err = errors.New("no EK certificate")
	}
	if err == nil {
		m.certificate = certificates[0].DER
		err = m.newKeys(certificates[0].Template)
	}
	if err != nil {
		off()
		return nil, nil, err
	}
	return m, off, nil
}

func (m *machine) newKeys(template string) error {
	blobs, err := m.tpm.CreateKeys(template, rand.Reader)
	if err != nil {
		return err
	}
	if m.keys, err = m.tpm.LoadKeys(blobs); err != nil {
		return err
	}
	m.spki = m.keys.TLSSPKI()
	return nil
}

// again returns the same machine with new keys, as after a new installation.
func (m *machine) again(t *testing.T) *machine {
	t.Helper()
	fresh := &machine{tpm: m.tpm, certificate: m.certificate}
	if err := fresh.newKeys(m.keys.EKTemplate()); err != nil {
		t.Fatal(err)
	}
	return fresh
}

// start is what the machine's agent sends first.
func (m *machine) start(code string) wire.EnrolStart {
	return wire.EnrolStart{Code: code, EKCertificate: m.certificate, AK: m.keys.AK(), Hostname: "lt-2231", OS: "linux"}
}

// unendorsed is start without a certificate.
func (m *machine) unendorsed(t *testing.T, code string) wire.EnrolStart {
	t.Helper()
	c, err := x509.ParseCertificate(m.certificate)
	if err != nil {
		t.Fatal(err)
	}
	in := m.start(code)
	if in.EKKey, err = x509.MarshalPKIXPublicKey(c.PublicKey); err != nil {
		t.Fatal(err)
	}
	in.EKCertificate = nil
	return in
}

// finish is the machine's honest answer to a challenge.
func (m *machine) finish(t *testing.T, c wire.EnrolChallenge) wire.EnrolFinish {
	t.Helper()
	secret, err := m.keys.Activate(c.CredentialBlob, c.EncryptedSecret)
	if err != nil {
		t.Fatal(err)
	}
	return m.certified(t, c, secret)
}

func (m *machine) certified(t *testing.T, c wire.EnrolChallenge, secret []byte) wire.EnrolFinish {
	t.Helper()
	nonce := [wire.NonceSize]byte(c.CertifyNonce)
	tlsKey, err := m.keys.CertifyTLSKey(nonce)
	if err != nil {
		t.Fatal(err)
	}
	signingKey, err := m.keys.CertifySigningKey(nonce)
	if err != nil {
		t.Fatal(err)
	}
	return wire.EnrolFinish{Enrolment: c.Enrolment, Secret: secret, TLSKey: tlsKey, SigningKey: signingKey}
}

// endorser wires the verifier's part as pdp.go does.
type endorser struct{ *verifier.Endorser }

func (e endorser) Endorse(certificate []byte, sent [][]byte, now time.Time) (enrolment.EndorsementKey, error) {
	key, err := e.Endorser.Endorse(certificate, sent, now)
	if errors.Is(err, endorsement.ErrValidity) {
		err = fmt.Errorf("%w: %w", enrolment.ErrEndorsementEnded, err)
	}
	return key, err
}

func (e endorser) Unendorsed(spki []byte) (enrolment.EndorsementKey, error) {
	return e.Endorser.Unendorsed(spki)
}

// log is an audit log in memory, or a full disk.
type log struct {
	mu      sync.Mutex
	records []wire.AuditRecord
	full    bool
}

func (l *log) Append(_ context.Context, r wire.AuditRecord) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return 0, errors.New("no space")
	}
	l.records = append(l.records, r)
	return uint64(len(l.records)), nil
}

type recorded struct {
	Step, Refused, Why, Replaces string
	DeviceName                   string `json:"device_name"`
}

func (l *log) last(t *testing.T) recorded {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		t.Fatal("nothing is recorded")
	}
	var r recorded
	if err := json.Unmarshal(l.records[len(l.records)-1].Detail, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

type fixture struct {
	*enrolment.Enroller
	config    enrolment.Config
	directory *directory.Directory
	store     store.Store
	audit     *log
	now       time.Time
}

func open(t *testing.T) *fixture {
	t.Helper()
	powered(t)
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{store: s, audit: &log{}, now: time.Now()}
	clock := func() time.Time { return f.now }
	f.directory = directory.New(s, clock, rand.Reader)
	for _, id := range []string{"moda", "nstc"} {
		if _, err := f.directory.CreateAgency(t.Context(), wire.Agency{ID: id, NameZH: "機關", NameEN: "Agency"}); err != nil {
			t.Fatal(err)
		}
	}
	roots, intermediates, err := makers.Pools()
	if err != nil {
		t.Fatal(err)
	}
	e, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.config = enrolment.Config{
		Store: s, Devices: f.directory, Fleet: f.directory, Endorser: endorser{e}, Sealer: seal.New([32]byte{1}), Recorder: f.audit,
		Clock: clock, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
		Authority: sha256.Sum256([]byte("ca")), WebOrigin: "https://pdp.example",
	}
	f.use(t, f.config)
	return f
}

func (f *fixture) use(t *testing.T, c enrolment.Config) {
	t.Helper()
	var err error
	if f.Enroller, err = enrolment.New(c); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) code(t *testing.T, agency, name string) string {
	t.Helper()
	code, err := f.IssueCode(t.Context(), agency, name, "uid:0", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (f *fixture) begin(t *testing.T, m *machine, code string) wire.EnrolChallenge {
	t.Helper()
	c, err := f.Start(t.Context(), m.start(code), m.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fixture) enrol(t *testing.T, m *machine, agency, name string) wire.Enrolled {
	t.Helper()
	out, err := f.Finish(t.Context(), m.finish(t, f.begin(t, m, f.code(t, agency, name))), m.spki)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// contents is everything that the store holds.
func (f *fixture) contents(t *testing.T) []byte {
	t.Helper()
	var all bytes.Buffer
	for after := ""; ; {
		page, err := f.store.Scan(t.Context(), "/", after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			fmt.Fprintf(&all, "%s %s\n", r.Key, r.Value)
		}
		if after = page.Next; after == "" {
			return all.Bytes()
		}
	}
}

func refusedWith(t *testing.T, err error, code string) {
	t.Helper()
	var told interface{ Reason() wire.Reason }
	if !errors.As(err, &told) || told.Reason().Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}
