package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"
)

// errNotPinned: the PDP did not show the CA that the enrolment code names.
var errNotPinned = errors.New("client: the pinned CA is not in the PDP's chain")

// trust says which CA a server must come from: exactly one member is set.
type trust struct {
	ca     *x509.Certificate
	digest *[sha256.Size]byte // before the certificate itself is known
}

// tlsConfig builds the configuration of every connection: TLS 1.3 alone, the
// device's key, no resumption.
func tlsConfig(host string, t trust, certificate tls.Certificate, clock func() time.Time, learnt func(ca *x509.Certificate)) *tls.Config {
	c := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		ServerName:   host,
		Certificates: []tls.Certificate{certificate},
		Time:         clock,
		NextProtos:   []string{"http/1.1"},
		// Without ClientSessionCache nothing is resumed: each connection
		// proves the device's key again.
	}
	if t.ca != nil {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(t.ca)
		return c
	}
	c.InsecureSkipVerify = true // #nosec G402 -- VerifyConnection verifies the chain against the pinned digest
	c.VerifyConnection = func(state tls.ConnectionState) error {
		ca, err := verifyPinned(state.PeerCertificates, host, *t.digest, clock())
		if err == nil {
			learnt(ca)
		}
		return err
	}
	return c
}

// verifyPinned finds the CA with the digest in the chain that the server sent,
// and verifies the chain up to it and nothing else.
func verifyPinned(chain []*x509.Certificate, host string, digest [sha256.Size]byte, now time.Time) (*x509.Certificate, error) {
	var ca *x509.Certificate
	between := x509.NewCertPool()
	for _, certificate := range chain {
		if sha256.Sum256(certificate.Raw) == digest {
			ca = certificate
			continue
		}
		between.AddCert(certificate)
	}
	if ca == nil || len(chain) == 0 || chain[0] == ca || !ca.IsCA || !ca.BasicConstraintsValid {
		return nil, errNotPinned
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := chain[0].Verify(x509.VerifyOptions{
		DNSName: host, Roots: roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return ca, err
}

// selfSigned makes the certificate that carries the device's key. The PDP looks
// at the key alone, so nothing in it expires (RFC 5280, 4.1.2.5: no well-defined
// end).
func selfSigned(key crypto.Signer, random io.Reader) (tls.Certificate, error) {
	if _, ok := key.Public().(*ecdsa.PublicKey); !ok {
		return tls.Certificate{}, errors.New("client: the TLS key is not an ECDSA key")
	}
	serial, err := rand.Int(random, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("client: drawing a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "menshen device"},
		NotBefore:             time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		SignatureAlgorithm:    x509.ECDSAWithSHA256,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("client: making the device's certificate: %w", err)
	}
	return tls.Certificate{
		Certificate: [][]byte{der}, PrivateKey: key,
		SupportedSignatureAlgorithms: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	}, nil
}

// watchedSigner remembers why signing failed: crypto/tls keeps the text alone.
type watchedSigner struct {
	crypto.Signer
	mu     sync.Mutex
	failed error
}

// Sign implements crypto.Signer.
func (s *watchedSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := s.Signer.Sign(random, digest, opts)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = err
	}
	return signature, err
}

// take returns the last failure once.
func (s *watchedSigner) take() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed := s.failed
	s.failed = nil
	return failed
}
