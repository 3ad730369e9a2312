package attacker

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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/problem"
)

// exporterLabel is what the PDP binds nonces to (docs/agents-openapi.yaml).
const exporterLabel = "EXPORTER-menshen-attest"

// Link is one connection to the PDP's agents' port, by the key that it proves.
type Link struct {
	base string
	http *http.Client

	mu    sync.Mutex
	state tls.ConnectionState
}

// NewLink prepares a connection to address. The attacker looks at the PDP's
// certificate as little as he likes, unless roots are given.
func NewLink(address string, key crypto.Signer, roots *x509.CertPool) (*Link, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: host, RootCAs: roots, InsecureSkipVerify: roots == nil,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
	l := &Link{base: "https://" + address}
	l.http = &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{
		MaxConnsPerHost: 1,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.state = conn.(*tls.Conn).ConnectionState()
			return conn, nil
		},
	}}
	return l, nil
}

// Reconnect drops the connection; the next call makes another.
func (l *Link) Reconnect() { l.http.CloseIdleConnections() }

// Channel is the digest that the PDP knows the present connection by.
func (l *Link) Channel() ([sha256.Size]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	material, err := l.state.ExportKeyingMaterial(exporterLabel, nil, 32)
	return sha256.Sum256(material), err
}

// Answer is what the PDP said.
type Answer struct {
	Status int
	Code   string // of a refusal
	Body   []byte
}

// Post sends body as JSON, or as it is where it is bytes already.
func (l *Link) Post(ctx context.Context, path string, body any) (Answer, error) {
	raw, ready := body.([]byte)
	if !ready {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return Answer{}, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base+path, bytes.NewReader(raw))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	return l.do(req)
}

// Get asks for path.
func (l *Link) Get(ctx context.Context, path string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+path, nil)
	if err != nil {
		return Answer{}, err
	}
	return l.do(req)
}

func (l *Link) do(req *http.Request) (Answer, error) {
	resp, err := l.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode}
	if a.Body, err = io.ReadAll(io.LimitReader(resp.Body, 8<<20)); err != nil {
		return a, err
	}
	if a.Status == http.StatusOK {
		return a, nil
	}
	var refusal problem.Document
	if err := json.Unmarshal(a.Body, &refusal); err != nil {
		return a, fmt.Errorf("attacker: status %d without a problem document: %w", a.Status, err)
	}
	a.Code = refusal.Code
	return a, nil
}

// signer lends a key in a TPM to crypto/tls.
type signer struct {
	chip   *Chip
	key    Key
	public *ecdsa.PublicKey
}

// Signer lends an unrestricted key for TLS.
func (c *Chip) Signer(key Key) (crypto.Signer, error) {
	public, err := publicKey(key.Public)
	if err != nil {
		return nil, err
	}
	return &signer{c, key, public}, nil
}

func (s *signer) Public() crypto.PublicKey { return s.public }

func (s *signer) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	raw, err := s.chip.Sign(s.key, digest)
	if err != nil {
		return nil, err
	}
	signature, err := tpm2.Unmarshal[tpm2.TPMTSignature](raw)
	if err != nil {
		return nil, err
	}
	pair, err := signature.Signature.ECDSA()
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(pair.SignatureR.Buffer), new(big.Int).SetBytes(pair.SignatureS.Buffer),
	})
}

func publicKey(area []byte) (*ecdsa.PublicKey, error) {
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](area)
	if err != nil {
		return nil, err
	}
	key, err := tpm2.Pub(*public)
	if err != nil {
		return nil, err
	}
	point, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("attacker: not an ECDSA key")
	}
	return point, nil
}

// SPKI is SHA-256 over a key's SubjectPublicKeyInfo.
func SPKI(area []byte) ([sha256.Size]byte, error) {
	key, err := publicKey(area)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return sha256.Sum256(der), err
}
