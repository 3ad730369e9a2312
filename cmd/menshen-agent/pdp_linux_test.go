package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

const webOrigin = "https://pdp.example.gov.tw"

// pdp is the PDP as an agent meets it: the real verifier behind the agents'
// protocol, without a store. It can be made to refuse.
type pdp struct {
	*httptest.Server
	ca       *x509.Certificate
	endorser *verifier.Endorser

	mu        sync.Mutex
	device    wire.Device
	secret    []byte
	certify   [wire.NonceSize]byte
	ek        *verifier.EndorsementKey
	nonces    map[string]issued
	kept      *wire.Kept
	interval  int
	refuse    string
	results   chan appraised
	commands  chan wire.Command
	confirmed chan wire.DeviceConfirmation
}

func (p *pdp) enrolled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.device.ID != ""
}

type issued struct {
	nonce   [wire.NonceSize]byte
	channel []byte
	at      time.Time
}

type appraised struct {
	wire.AttestationResult
	at time.Time
}

func newPDP(t *testing.T, roots, intermediates *x509.CertPool) *pdp {
	t.Helper()
	endorser, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &pdp{
		endorser: endorser, nonces: map[string]issued{}, interval: 300,
		results: make(chan appraised, 1000), commands: make(chan wire.Command, 10), confirmed: make(chan wire.DeviceConfirmation, 10),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/enrol/start", p.enrolStart)
	mux.HandleFunc("POST /v1/enrol/finish", p.enrolFinish)
	mux.HandleFunc("POST /v1/attest/nonce", p.known(p.nonce))
	mux.HandleFunc("POST /v1/attest", p.known(p.attest))
	mux.HandleFunc("POST /v1/confirm", p.known(p.confirm))
	mux.HandleFunc("GET /v1/poll", p.known(p.poll))
	p.Server = httptest.NewUnstartedServer(mux)
	var server tls.Certificate
	p.ca, server = certificates(t)
	p.TLS = &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true}
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func certificates(t *testing.T) (*x509.Certificate, tls.Certificate) {
	t.Helper()
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate, key
	}
	ca, caKey := make(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	leaf, key := make(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "pdp"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	return ca, tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: key}
}

func (p *pdp) address() string { return strings.TrimPrefix(p.URL, "https://") }

func (p *pdp) code() string {
	digest := sha256.Sum256(p.ca.Raw)
	return "menshen1." + base64.RawURLEncoding.EncodeToString(digest[:]) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 32))
}

func spkiOf(r *http.Request) [32]byte {
	return sha256.Sum256(r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo)
}

func (p *pdp) enrolStart(w http.ResponseWriter, r *http.Request) {
	var in wire.EnrolStart
	if !problem.ReadJSON(w, r, 1<<16, &in) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key, err := p.endorser.Endorse(in.EKCertificate, in.EKIntermediates, time.Now())
	if err != nil {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.EnrolEKRefused))
		return
	}
	p.ek, p.secret = key, make([]byte, 32)
	_, _ = rand.Read(p.secret)
	_, _ = rand.Read(p.certify[:])
	spki := spkiOf(r)
	p.device = wire.Device{AK: in.AK, TLSSPKI: spki[:]}
	blob, encrypted, err := key.Challenge(in.AK, p.secret)
	if err != nil {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.EnrolAKRefused))
		return
	}
	problem.WriteJSON(w, r, wire.EnrolChallenge{Enrolment: "sealed", EK: key.Template(), CredentialBlob: blob, EncryptedSecret: encrypted, CertifyNonce: p.certify[:]})
}

func (p *pdp) enrolFinish(w http.ResponseWriter, r *http.Request) {
	var in wire.EnrolFinish
	if !problem.ReadJSON(w, r, 1<<16, &in) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name, err := p.ek.QualifiedName(p.device.AK)
	if err == nil {
		_, err = p.endorser.Certified(in.TLSKey, p.device.AK, name, verifier.PurposeTLS, p.certify, spkiOf(r))
	}
	if err == nil {
		_, err = p.endorser.Certified(in.SigningKey, p.device.AK, name, verifier.PurposeSigning, p.certify, spkiOf(r))
	}
	if err != nil || !bytes.Equal(in.Secret, p.secret) {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.EnrolActivation))
		return
	}
	p.device.ID, p.device.Name, p.device.Status = "dev-"+strings.Repeat("0", 26), "LT-2231", wire.DeviceActive
	p.device.Provenance, p.device.AKQualifiedName = wire.ProvenanceTPM, name
	problem.WriteJSON(w, r, wire.Enrolled{DeviceID: p.device.ID, DeviceName: p.device.Name, Agency: "moda", Provenance: wire.ProvenanceTPM, WebOrigin: webOrigin})
}

// known admits the enrolled device alone.
func (p *pdp) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		spki := spkiOf(r)
		refuse := p.refuse
		if !bytes.Equal(p.device.TLSSPKI, spki[:]) {
			refuse = reason.DeviceUnknown
		}
		p.mu.Unlock()
		if refuse != "" {
			problem.Write(w, r, http.StatusForbidden, reason.New(refuse))
			return
		}
		next(w, r)
	}
}

func channelOf(r *http.Request) []byte {
	material, err := r.TLS.ExportKeyingMaterial("EXPORTER-menshen-attest", nil, 32)
	if err != nil {
		panic(err)
	}
	return material
}

func (p *pdp) nonce(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := issued{channel: channelOf(r), at: time.Now()}
	_, _ = rand.Read(i.nonce[:])
	ticket := base64.RawURLEncoding.EncodeToString(i.nonce[:])
	p.nonces[ticket] = i
	problem.WriteJSON(w, r, wire.NonceAnswer{Nonce: i.nonce[:], Ticket: ticket, ExpiresInSeconds: 120})
}

func (p *pdp) attest(w http.ResponseWriter, r *http.Request) {
	var in wire.AttestRequest
	if !problem.ReadJSON(w, r, 1<<20, &in) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.nonces[in.Ticket]
	delete(p.nonces, in.Ticket)
	if !ok || !bytes.Equal(i.channel, channelOf(r)) {
		problem.Write(w, r, http.StatusForbidden, reason.New(reason.NonceChannel))
		return
	}
	debian, err := verifier.ParseOS("debian 12")
	if err != nil {
		panic(err)
	}
	out := verifier.Appraise(verifier.Input{
		Evidence: in.Evidence, Device: p.device, Nonce: i.nonce,
		Rules:    verifier.Rules{Policy: verifier.Policy{SupportedOS: []verifier.OS{debian}}},
		Recall:   func() *wire.Kept { return p.kept },
		IssuedAt: i.at, Now: time.Now(), ValidFor: 3 * time.Duration(p.interval) * time.Second,
	})
	if out.Kept != nil {
		p.kept = out.Kept
	}
	result := out.AttestationResult
	p.results <- appraised{result, time.Now()}
	problem.WriteJSON(w, r, wire.AttestAnswer{
		Accepted: result.Vector.InstanceIdentity == wire.Affirming, Result: result, NextInSeconds: p.interval, Wants: out.Wants, IMAFrom: out.IMAFrom,
	})
}

func (p *pdp) confirm(w http.ResponseWriter, r *http.Request) {
	var in wire.DeviceConfirmation
	if problem.ReadJSON(w, r, 1<<16, &in) {
		p.confirmed <- in
		problem.WriteJSON(w, r, wire.DeviceConfirmed{Accepted: true})
	}
}

func (p *pdp) poll(w http.ResponseWriter, r *http.Request) {
	select {
	case c := <-p.commands:
		problem.WriteJSON(w, r, wire.PollAnswer{Commands: []wire.Command{c}})
	case <-time.After(wire.PollLife):
		problem.WriteJSON(w, r, wire.PollAnswer{})
	case <-r.Context().Done():
	}
}

func (p *pdp) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}
