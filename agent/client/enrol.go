package client

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Enroller is what enrolment asks of the device's keys; agent/tpm's Keys are it.
type Enroller interface {
	// AK is the attestation key's TPMT_PUBLIC.
	AK() []byte
	// EKTemplate names the template of the EK above the keys.
	EKTemplate() string
	TLSSigner() crypto.Signer
	// Activate answers the credential challenge (TPM2_ActivateCredential).
	Activate(credentialBlob, encryptedSecret []byte) ([]byte, error)
	// CertifyTLSKey and CertifySigningKey have the AK certify the keys.
	CertifyTLSKey(nonce [wire.NonceSize]byte) (wire.CertifiedKey, error)
	CertifySigningKey(nonce [wire.NonceSize]byte) (wire.CertifiedKey, error)
}

// SoftwareEnroller is what enrolment asks of keys where there is no TPM;
// agent/softkey's Keys are it.
type SoftwareEnroller interface {
	// Attestation is the attestation key's SubjectPublicKeyInfo.
	Attestation() []byte
	TLSSigner() crypto.Signer
	// Certified has the attestation key sign itself, the TLS key and the
	// signing key.
	Certified(nonce [wire.NonceSize]byte) (own, tls, signing wire.CertifiedKey, err error)
}

// start is what opens the enrolment, with the key of the connection.
func (e *Enrolment) start() (wire.EnrolStart, crypto.Signer) {
	in := wire.EnrolStart{Code: e.Code.text, Hostname: e.Hostname, OS: e.OS}
	if e.Software != nil {
		in.SoftwareKey = e.Software.Attestation()
		return in, e.Software.TLSSigner()
	}
	in.EKCertificate, in.EKIntermediates, in.EKKey, in.AK = e.EKCertificate, e.EKIntermediates, e.EKKey, e.Keys.AK()
	return in, e.Keys.TLSSigner()
}

// answer is what closes it.
func (e *Enrolment) answer(c wire.EnrolChallenge) (wire.EnrolFinish, error) {
	if e.Software == nil {
		return answerChallenge(e.Keys, c)
	}
	if len(c.CertifyNonce) != wire.NonceSize || c.Enrolment == "" || c.EK != wire.SoftwareTemplate {
		return wire.EnrolFinish{}, odd("a challenge that is not for a software key")
	}
	own, tls, signing, err := e.Software.Certified([wire.NonceSize]byte(c.CertifyNonce))
	return wire.EnrolFinish{Enrolment: c.Enrolment, Secret: own.Signature, TLSKey: tls, SigningKey: signing}, err
}

// Enrolment is what Enrol needs to know.
type Enrolment struct {
	Address string // host:port of the agents' port
	Code    Code
	// Keys are a TPM's; where there is none, Software stands for them.
	Keys     Enroller
	Software SoftwareEnroller
	// EKCertificate is DER; where there is none, EKKey is the EK's
	// SubjectPublicKeyInfo. EKIntermediates complete the certificate's chain.
	EKCertificate, EKKey []byte
	EKIntermediates      [][]byte
	Hostname, OS         string
	// Language is the person's, in which a refusal is told; English if empty.
	Language string
	Clock    func() time.Time
	Random   io.Reader
}

// Outcome is a finished enrolment.
type Outcome struct {
	wire.Enrolled
	// CA is the PDP's CA certificate (DER) with the code's digest.
	CA []byte
}

// Enrol makes this device known to the PDP: it starts with the one-time code,
// or as a device that is expected, answers the credential challenge, has its keys certified, and finishes.
func Enrol(ctx context.Context, e Enrolment) (Outcome, error) {
	var ca *x509.Certificate
	pinned := trust{digest: &e.Code.CADigest}
	start, key := e.start()
	c, err := newCaller(e.Address, pinned, key, e.Clock, e.Random, func(found *x509.Certificate) { ca = found })
	if err != nil {
		return Outcome{}, err
	}
	if e.Language != "" {
		c.language = e.Language
	}
	h := c.newHTTP(1, time.Minute)
	defer h.CloseIdleConnections()
	var challenge wire.EnrolChallenge
	if err := c.timed(ctx, h, "/v1/enrol/start", start, &challenge); err != nil {
		return Outcome{}, err
	}
	finish, err := e.answer(challenge)
	if err != nil {
		return Outcome{}, err
	}
	var done wire.Enrolled
	if err := c.timed(ctx, h, "/v1/enrol/finish", finish, &done); err != nil {
		return Outcome{}, err
	}
	if err := check(done); err != nil {
		return Outcome{}, err
	}
	return Outcome{Enrolled: done, CA: ca.Raw}, nil
}

func (c *caller) timed(ctx context.Context, h *http.Client, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	return c.call(ctx, h, http.MethodPost, path, in, out)
}

func answerChallenge(keys Enroller, c wire.EnrolChallenge) (wire.EnrolFinish, error) {
	if len(c.CertifyNonce) != wire.NonceSize || c.Enrolment == "" || len(c.CredentialBlob) == 0 || len(c.EncryptedSecret) == 0 {
		return wire.EnrolFinish{}, odd("an incomplete challenge")
	}
	if c.EK != keys.EKTemplate() {
		return wire.EnrolFinish{}, odd("a challenge for the EK %.20q, the keys stand under %q", c.EK, keys.EKTemplate())
	}
	secret, err := keys.Activate(c.CredentialBlob, c.EncryptedSecret)
	if err != nil {
		return wire.EnrolFinish{}, err
	}
	nonce := [wire.NonceSize]byte(c.CertifyNonce)
	tlsKey, err := keys.CertifyTLSKey(nonce)
	if err != nil {
		return wire.EnrolFinish{}, err
	}
	signingKey, err := keys.CertifySigningKey(nonce)
	if err != nil {
		return wire.EnrolFinish{}, err
	}
	return wire.EnrolFinish{Enrolment: c.Enrolment, Secret: secret, TLSKey: tlsKey, SigningKey: signingKey}, nil
}

func check(done wire.Enrolled) error {
	if err := wire.CheckID(wire.PrefixDevice, done.DeviceID); err != nil {
		return odd("a device id: %w", err)
	}
	if err := checkOrigin(done.WebOrigin); err != nil {
		return odd("the web origin: %w", err)
	}
	return nil
}

var errOrigin = errors.New("not an https origin")

// checkOrigin accepts what a browser sends as Origin for an https page, and
// nothing else: the loopback listener compares it byte by byte.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil {
		return err
	}
	if u.Host == "" || u.Port() == "443" || origin != "https://"+u.Host {
		return errOrigin
	}
	return nil
}
