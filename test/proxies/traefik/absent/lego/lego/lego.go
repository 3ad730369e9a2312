// Package lego stands in for a library that the tests do not need: this build
// of Traefik obtains no certificates.
package lego

import (
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/challenge/http01"
	"github.com/go-acme/lego/v5/challenge/tlsalpn01"
	"github.com/go-acme/lego/v5/registration"
)

var errAbsent = errors.New("ACME is not in this build")

// DirectoryURLLetsEncrypt is nowhere.
const DirectoryURLLetsEncrypt = "https://acme.invalid/directory"

// Config of a client.
type Config struct {
	CADirURL, UserAgent string
	Certificate         struct{ Timeout time.Duration }
	HTTPClient          *http.Client
}

// NewConfig returns an empty one.
func NewConfig(any) *Config { return &Config{} }

// Client does nothing.
type Client struct {
	Certificate  *certificate.Certifier
	Registration *registration.Registrar
	Challenge    *Challenges
}

// Challenges takes none.
type Challenges struct{}

// SetDNS01Provider fails.
func (*Challenges) SetDNS01Provider(challenge.Provider, ...dns01.ChallengeOption) error {
	return errAbsent
}

// SetHTTP01Provider fails.
func (*Challenges) SetHTTP01Provider(challenge.Provider, ...http01.ChallengeOption) error {
	return errAbsent
}

// SetTLSALPN01Provider fails.
func (*Challenges) SetTLSALPN01Provider(challenge.Provider, ...tlsalpn01.ChallengeOption) error {
	return errAbsent
}

// NewClient fails.
func NewClient(*Config) (*Client, error) { return nil, errAbsent }

// CreateCertPool fails.
func CreateCertPool([]string, bool) (*x509.CertPool, error) { return nil, errAbsent }
