package api

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// backend stands behind the port and remembers what reached it.
type backend struct {
	mu        sync.Mutex
	devices   map[[32]byte]wire.Device
	reached   []string
	err       error
	confirmed struct{ device, network string }
	channel   [32]byte
	connected int
	wait      chan struct{} // enrolments wait here, if set
	commands  chan []wire.Command
}

func (b *backend) reach(what string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reached = append(b.reached, what)
	return b.err
}

func (b *backend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.reached)
}

func (b *backend) DeviceBySPKI(_ context.Context, spki [32]byte) (wire.Device, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d, ok := b.devices[spki]; ok {
		return d, nil
	}
	return wire.Device{}, store.ErrNotFound
}

func (b *backend) Start(ctx context.Context, _ wire.EnrolStart, _ [32]byte, _ string) (wire.EnrolChallenge, error) {
	if b.wait != nil {
		select {
		case <-b.wait:
		case <-ctx.Done():
		}
	}
	return wire.EnrolChallenge{EK: "p-256"}, b.reach("start")
}

func (b *backend) Finish(context.Context, wire.EnrolFinish, [32]byte) (wire.Enrolled, error) {
	return wire.Enrolled{}, b.reach("finish")
}

func (b *backend) Nonce(_ context.Context, _ wire.Device, channel [32]byte) (wire.NonceAnswer, error) {
	b.mu.Lock()
	b.channel = channel
	b.mu.Unlock()
	return wire.NonceAnswer{Ticket: "t"}, b.reach("nonce")
}

func (b *backend) Attest(_ context.Context, d wire.Device, channel [32]byte, _ wire.AttestRequest) (wire.AttestAnswer, error) {
	b.mu.Lock()
	same := channel == b.channel
	b.mu.Unlock()
	return wire.AttestAnswer{Accepted: same}, b.reach("attest " + d.ID)
}

func (b *backend) Remedied(_ context.Context, d wire.Device, in wire.RemedyReport) error {
	return b.reach("remedy " + d.ID + " " + in.Command)
}

func (b *backend) Connected(string) func() {
	b.mu.Lock()
	b.connected++
	b.mu.Unlock()
	return func() { b.mu.Lock(); b.connected--; b.mu.Unlock() }
}

func (b *backend) standing() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.connected
}

func (b *backend) Commands(ctx context.Context, _ string) []wire.Command {
	select {
	case c := <-b.commands:
		return c
	case <-ctx.Done():
		return nil
	}
}

func (b *backend) Confirm(_ context.Context, device string, _ wire.DeviceConfirmation, network string) error {
	b.mu.Lock()
	b.confirmed.device, b.confirmed.network = device, network
	b.mu.Unlock()
	return b.reach("confirm")
}

func (b *backend) Keep(context.Context, wire.Device, []byte) ([]byte, error) {
	return nil, b.reach("inventory")
}

type fixture struct {
	*API
	behind    *backend
	address   string
	server    tls.Certificate
	listening *http.Server
}

func newFixture(t *testing.T, limits ...Limits) *fixture {
	t.Helper()
	f := &fixture{behind: &backend{devices: map[[32]byte]wire.Device{}, commands: make(chan []wire.Command, 1)}}
	c := Config{
		Devices: f.behind, Enrolment: f.behind, Appraisal: f.behind, Confirmer: f.behind, Inventories: f.behind,
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	for _, l := range limits {
		c.Limits = l
	}
	var err error
	if f.API, err = New(c); err != nil {
		t.Fatal(err)
	}
	f.server = certify(t, newKey(t, elliptic.P256()), nil, "valid")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.address = listener.Addr().String()
	f.listening = f.Server(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &f.server, nil })
	ended := make(chan error, 1)
	go func() { ended <- f.listening.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		if err := f.listening.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return f
}

func newKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certify makes a self-signed certificate, or one signed by another key.
func certify(t *testing.T, key, signer crypto.Signer, name ...string) tls.Certificate {
	t.Helper()
	if signer == nil {
		signer = key
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"pdp"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0), // long over: dates mean nothing here
	}
	if len(name) > 0 {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.DNSNames = append(template.DNSNames, name...)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// agent is a device that calls the port.
type agent struct {
	http *http.Client
	base string
	spki [32]byte
}

func (f *fixture) agent(t *testing.T) *agent {
	t.Helper()
	return f.agentWith(t, certify(t, newKey(t, elliptic.P256()), nil))
}

func (f *fixture) agentWith(t *testing.T, certificate tls.Certificate) *agent {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: clientConfig(certificate)}
	t.Cleanup(transport.CloseIdleConnections)
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return &agent{http: &http.Client{Transport: transport}, base: "https://" + f.address, spki: sha256.Sum256(leaf.RawSubjectPublicKeyInfo)}
}

func clientConfig(certificate tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates:       []tls.Certificate{certificate},
		InsecureSkipVerify: true, // the server's side is judged here
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
}

// known makes the agent an active device.
func (f *fixture) known(t *testing.T) *agent {
	t.Helper()
	a := f.agent(t)
	f.is(a, wire.DeviceActive)
	return a
}

const deviceID = "dev-00000000000000000000000001"

func (f *fixture) is(a *agent, status wire.DeviceStatus) {
	f.behind.mu.Lock()
	defer f.behind.mu.Unlock()
	f.behind.devices[a.spki] = wire.Device{ID: deviceID, Name: "LT-1", Agency: "moda", Status: status}
}

type answered struct {
	status int
	header http.Header
	body   []byte
	code   string // of a problem document
}

func (a *agent) send(t *testing.T, method, path, kind, body string) answered {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := a.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out := answered{status: answer.StatusCode, header: answer.Header}
	if out.body, err = io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get("Content-Type") == "application/problem+json" {
		var d problem.Document
		if err := json.Unmarshal(out.body, &d); err != nil {
			t.Fatal(err)
		}
		out.code = d.Code
	}
	return out
}

func (a *agent) post(t *testing.T, path string, in any) answered {
	t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return a.send(t, http.MethodPost, path, "application/json", string(raw))
}

func wants(t *testing.T, got answered, status int, code string) {
	t.Helper()
	if got.status != status || got.code != code {
		t.Errorf("answer %d %s, want %d %s: %s", got.status, got.code, status, code, got.body)
	}
}
