package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// authority is a private CA like the one that the PDP's init makes.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	return authority{sign(t, template, template, &key.PublicKey, key), key}
}

func sign(t testing.TB, template, parent *x509.Certificate, public any, key any) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// server issues a server certificate; change may spoil it.
func (a authority) server(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "pdp"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	leaf := sign(t, template, a.certificate, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, a.certificate.Raw}, PrivateKey: key}
}

func (a authority) code() Code {
	digest := sha256.Sum256(a.certificate.Raw)
	code, err := ParseCode("menshen1." + base64.RawURLEncoding.EncodeToString(digest[:]) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		panic(err)
	}
	return code
}

// pdp speaks the agents' protocol as far as the agent can tell.
type pdp struct {
	*httptest.Server
	mux         *http.ServeMux
	connections atomic.Int32
	mu          sync.Mutex
	channels    map[string][]byte // of the nonces given out, by ticket
	peer        []byte            // SPKI of the last caller
}

func newPDP(t testing.TB, certificate tls.Certificate) *pdp {
	t.Helper()
	p := &pdp{mux: http.NewServeMux(), channels: map[string][]byte{}}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.peer = r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo
		p.mu.Unlock()
		p.mux.ServeHTTP(w, r)
	}))
	p.TLS = &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
	}
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			p.connections.Add(1)
		}
	}
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *pdp) address() string { return strings.TrimPrefix(p.URL, "https://") }

func channelOf(r *http.Request) []byte {
	material, err := r.TLS.ExportKeyingMaterial("EXPORTER-menshen-attest", nil, 32)
	if err != nil {
		panic(err)
	}
	return material
}

// attestation answers nonce and attest, binding the one to the other's channel.
func (p *pdp) attestation() {
	p.mux.HandleFunc("POST /v1/attest/nonce", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		ticket := base64.RawURLEncoding.EncodeToString([]byte{byte(len(p.channels))})
		p.channels[ticket] = channelOf(r)
		problem.WriteJSON(w, r, wire.NonceAnswer{Nonce: make([]byte, wire.NonceSize), Ticket: ticket, ExpiresInSeconds: 120})
	})
	p.mux.HandleFunc("POST /v1/attest", func(w http.ResponseWriter, r *http.Request) {
		var in wire.AttestRequest
		if !problem.ReadJSON(w, r, 1<<20, &in) {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if string(p.channels[in.Ticket]) != string(channelOf(r)) {
			problem.Write(w, r, http.StatusForbidden, reason.New(reason.NonceChannel))
			return
		}
		delete(p.channels, in.Ticket)
		problem.WriteJSON(w, r, wire.AttestAnswer{Accepted: true, NextInSeconds: 300})
	})
}

func newClient(t testing.TB, p *pdp, ca *x509.Certificate) *Client {
	t.Helper()
	c, err := New(Config{Address: p.address(), CA: ca, Key: newKey(t), Clock: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func reasonOf(t testing.TB, err error) string {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T %v carries no reason", err, err)
	}
	return e.why.Code
}

func writeRaw(w http.ResponseWriter, contentType string, status int, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func mustJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
