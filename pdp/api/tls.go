package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// exporterLabel binds a nonce to the connection it was given on (RFC 8446 7.5).
const exporterLabel = "EXPORTER-menshen-attest"

// maxCertificate bounds a device's self-signed certificate.
const maxCertificate = 2 << 10

// ErrCertificate is returned for a client certificate that no agent makes.
var ErrCertificate = errors.New("api: client certificate not acceptable")

// TLSConfig returns the agents' port's TLS: version 1.3 alone, a client
// certificate whose key the handshake proves, no resumption (a resumed
// connection would not prove the key again).
func TLSConfig(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate:         certificate,
		MinVersion:             tls.VersionTLS13,
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true,
		NextProtos:             []string{"http/1.1"},
		VerifyConnection:       verifyConnection,
	}
}

// verifyConnection accepts one self-signed P-256 certificate. Its dates and
// names mean nothing: the device is known by its key, which never expires.
func verifyConnection(state tls.ConnectionState) error {
	if len(state.PeerCertificates) != 1 {
		return fmt.Errorf("%w: one certificate is expected", ErrCertificate)
	}
	c := state.PeerCertificates[0]
	if len(c.Raw) > maxCertificate {
		return fmt.Errorf("%w: too large", ErrCertificate)
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || c.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return fmt.Errorf("%w: not P-256 with SHA-256", ErrCertificate)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return fmt.Errorf("%w: not signed by its own key", ErrCertificate)
	}
	return nil
}

// Server returns the agents' port's server: handler, TLS and time bounds.
func (a *API) Server(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *http.Server {
	// HTTP/1.1 alone: the agent asks one thing at a time on a connection.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           a,
		TLSConfig:         TLSConfig(certificate),
		ReadHeaderTimeout: 10 * time.Second, // bounds the handshake too
		ReadTimeout:       wire.PollLife + 10*time.Second,
		WriteTimeout:      wire.PollLife + 20*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		Protocols:         protocols,
		// Handshake errors of strangers are debug information.
		ErrorLog: slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
	// Every agent has a poll out, which would hold a shutdown up for as long as
	// it may last.
	server.RegisterOnShutdown(a.end)
	return server
}

// channelOf returns the digest that stands for one TLS connection.
func channelOf(state *tls.ConnectionState) ([sha256.Size]byte, error) {
	material, err := state.ExportKeyingMaterial(exporterLabel, nil, 32)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("api: exporting from TLS: %w", err)
	}
	return sha256.Sum256(material), nil
}
