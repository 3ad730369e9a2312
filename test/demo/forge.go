//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"time"

	"github.com/menshen-zt/menshen/agent/evidence"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/wire"
)

// forgeVerb runs this program as somebody with root on the laptop: it has the
// agent's state file, the TPM, and so the device's own connection to the PDP.
// What it does not have is a TPM that signs lies with the attestation key.
const forgeVerb = "forge"

// forged is one attempt and what the PDP answered.
type forged struct {
	What     string   `json:"what"`
	Accepted bool     `json:"accepted"`
	Codes    []string `json:"codes"`
}

// forger is the attacker's own agent.
type forger struct {
	keys *tpm.Keys
	http *http.Client
	base string
}

func runForger(args []string) error {
	if len(args) != 2 {
		return errors.New("forge STATE TPM")
	}
	saved, err := state.At(args[0]).Load()
	if err != nil {
		return err
	}
	t, err := tpm.Open(args[1])
	if err != nil {
		return err
	}
	defer t.Close()
	var blobs tpm.Blobs
	if err := json.Unmarshal(saved.Keys, &blobs); err != nil {
		return err
	}
	keys, err := t.LoadKeys(blobs)
	if err != nil {
		return err
	}
	f, err := newForger(keys, saved)
	if err != nil {
		return err
	}
	var all []forged
	for _, attempt := range []func() (forged, error){f.unrestrictedKey, f.swappedClaims, f.replayedNonce} {
		one, err := attempt()
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func newForger(keys *tpm.Keys, saved *state.State) (*forger, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	signer := keys.TLSSigner()
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(saved.CACertificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return &forger{keys: keys, base: "https://" + saved.PDP, http: &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: roots,
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: signer}},
		}},
	}}, nil
}

// lie is what the attacker would like the PDP to believe.
func lie(at time.Time) ([]byte, error) {
	var all []wire.Claim
	for _, id := range []wire.ClaimID{wire.ClaimOSRelease, wire.ClaimDiskEncryption, wire.ClaimFirewall, wire.ClaimSecureBoot} {
		all = append(all, wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: at, Source: "forged"})
	}
	return evidence.Marshal(wire.Claims{Claims: all})
}

// unrestrictedKey signs a quote that no TPM made with the signing key, which
// the TPM lends for any data.
func (f *forger) unrestrictedKey() (forged, error) {
	asked, nonce, err := f.nonce()
	if err != nil {
		return forged{}, err
	}
	claims, err := lie(time.Now().UTC())
	if err != nil {
		return forged{}, err
	}
	quote, pcrs, err := f.keys.Quote(nonce, []byte("{}"))
	if err != nil {
		return forged{}, err
	}
	was := wire.QuoteBinding(nonce, []byte("{}"), f.keys.TLSSPKI())
	wants := wire.QuoteBinding(nonce, claims, f.keys.TLSSPKI())
	quote.Attest = bytes.Replace(quote.Attest, was[:], wants[:], 1)
	if quote.Signature, err = signAnything(f.keys.Signer(), quote.Attest); err != nil {
		return forged{}, err
	}
	return f.send("a quote signed by an unrestricted key", asked.Ticket, evidence.Assemble(claims, quote, pcrs, nil))
}

// signAnything makes a TPMT_SIGNATURE (ECDSA, SHA-256) over data.
func signAnything(key crypto.Signer, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	der, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if public, ok := key.Public().(*ecdsa.PublicKey); !ok || !ecdsa.VerifyASN1(public, sum[:], der) {
		return nil, errors.New("the signing key does not sign")
	}
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		return nil, err
	}
	out := []byte{0x00, 0x18, 0x00, 0x0b}
	for _, n := range []*big.Int{s.R, s.S} {
		out = binary.BigEndian.AppendUint16(out, 32)
		out = append(out, n.FillBytes(make([]byte, 32))...)
	}
	return out, nil
}

// swappedClaims quotes the truth and sends the lie.
func (f *forger) swappedClaims() (forged, error) {
	asked, nonce, err := f.nonce()
	if err != nil {
		return forged{}, err
	}
	quote, pcrs, err := f.keys.Quote(nonce, []byte(`{"claims":[]}`))
	if err != nil {
		return forged{}, err
	}
	claims, err := lie(time.Now().UTC())
	if err != nil {
		return forged{}, err
	}
	return f.send("a true quote with swapped claims", asked.Ticket, evidence.Assemble(claims, quote, pcrs, nil))
}

// replayedNonce sends true Evidence twice.
func (f *forger) replayedNonce() (forged, error) {
	asked, nonce, err := f.nonce()
	if err != nil {
		return forged{}, err
	}
	claims, err := lie(time.Now().UTC())
	if err != nil {
		return forged{}, err
	}
	quote, pcrs, err := f.keys.Quote(nonce, claims)
	if err != nil {
		return forged{}, err
	}
	whole := evidence.Assemble(claims, quote, pcrs, nil)
	if _, err := f.send("", asked.Ticket, whole); err != nil {
		return forged{}, err
	}
	return f.send("a nonce used a second time", asked.Ticket, whole)
}

func (f *forger) nonce() (wire.NonceAnswer, [wire.NonceSize]byte, error) {
	var asked wire.NonceAnswer
	status, raw, err := f.post("/v1/attest/nonce", struct{}{})
	if err != nil {
		return asked, [wire.NonceSize]byte{}, err
	}
	if err := json.Unmarshal(raw, &asked); err != nil || len(asked.Nonce) != wire.NonceSize {
		return asked, [wire.NonceSize]byte{}, fmt.Errorf("no nonce: %d %s", status, raw)
	}
	return asked, [wire.NonceSize]byte(asked.Nonce), nil
}

func (f *forger) send(what, ticket string, e wire.Evidence) (forged, error) {
	status, raw, err := f.post("/v1/attest", wire.AttestRequest{Ticket: ticket, Evidence: e})
	if err != nil {
		return forged{}, err
	}
	out := forged{What: what}
	if status != http.StatusOK {
		var refusal problem.Document
		err := json.Unmarshal(raw, &refusal)
		out.Codes = []string{refusal.Code}
		return out, err
	}
	var answer wire.AttestAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return out, err
	}
	out.Accepted = answer.Accepted
	for _, finding := range answer.Result.Findings {
		if finding.Type == wire.FindingTampered {
			out.Codes = append(out.Codes, finding.Reason.Code)
		}
	}
	return out, nil
}

func (f *forger) post(path string, body any) (int, []byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, f.base+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, answer, err
}
