package tpm

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"
)

func TestTLS13WithTheTPMsKey(t *testing.T) {
	b := newBench(t)
	signer := b.keys(t, EKP256).TLSSigner()
	if _, err := signer.Sign(nil, make([]byte, 48), crypto.SHA384); !errors.Is(err, errDigest) {
		t.Error(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer}
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
		done <- conn.HandshakeContext(t.Context())
	}()
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	conn := tls.Client(client, &tls.Config{
		InsecureSkipVerify: true, // #nosec G402 -- the key is compared below
		MinVersion:         tls.VersionTLS13,
	})
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !conn.ConnectionState().PeerCertificates[0].Equal(leaf) {
		t.Error("another certificate")
	}
}
