package attacker

import (
	"context"
	"encoding/json"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Keys are what a device enrols with.
type Keys struct{ AK, TLS, Signing Key }

// NewKeys makes honest ones.
func (c *Chip) NewKeys() (k Keys, err error) {
	for _, one := range []struct {
		key        *Key
		restricted bool
	}{{&k.AK, true}, {&k.TLS, false}, {&k.Signing, false}} {
		if *one.key, err = c.Create(Template(one.restricted), nil); err != nil {
			return k, err
		}
	}
	return k, nil
}

// Enrolment is one attempt, honest but for what its hooks change.
type Enrolment struct {
	Chip *Chip
	Keys Keys
	Code string
	// Start and Finish change what is sent.
	Start  func(*wire.EnrolStart)
	Finish func(*wire.EnrolFinish, wire.EnrolChallenge) error
	// Between runs after the challenge; the link that it returns finishes.
	Between func(*Link) (*Link, error)
}

// Do enrols over l. A refusal is an answer, not an error.
func (e Enrolment) Do(ctx context.Context, l *Link) (wire.Enrolled, Answer, error) {
	var done wire.Enrolled
	certificate, err := e.Chip.EKCertificate()
	if err != nil {
		return done, Answer{}, err
	}
	start := wire.EnrolStart{Code: e.Code, EKCertificate: certificate, AK: e.Keys.AK.Public, Hostname: "lt-2231", OS: "linux"}
	if e.Start != nil {
		e.Start(&start)
	}
	answer, err := l.Post(ctx, "/v1/enrol/start", start)
	if err != nil || answer.Code != "" {
		return done, answer, err
	}
	var challenge wire.EnrolChallenge
	if err := json.Unmarshal(answer.Body, &challenge); err != nil {
		return done, answer, err
	}
	finish, err := e.finish(challenge)
	if err != nil {
		return done, answer, err
	}
	if e.Between != nil {
		if l, err = e.Between(l); err != nil {
			return done, answer, err
		}
	}
	if answer, err = l.Post(ctx, "/v1/enrol/finish", finish); err != nil || answer.Code != "" {
		return done, answer, err
	}
	return done, answer, json.Unmarshal(answer.Body, &done)
}

func (e Enrolment) finish(c wire.EnrolChallenge) (f wire.EnrolFinish, err error) {
	f.Enrolment = c.Enrolment
	// A challenge that this chip cannot answer is guessed at.
	if f.Secret, err = e.Chip.Activate(e.Keys.AK, c.CredentialBlob, c.EncryptedSecret); err != nil {
		f.Secret = make([]byte, 32)
	}
	spki, err := SPKI(e.Keys.TLS.Public)
	if err != nil {
		return f, err
	}
	for _, one := range []struct {
		to      *wire.CertifiedKey
		key     Key
		purpose string
	}{{&f.TLSKey, e.Keys.TLS, "tls"}, {&f.SigningKey, e.Keys.Signing, "signing"}} {
		binding := wire.CertifyBinding(one.purpose, [wire.NonceSize]byte(c.CertifyNonce), spki)
		if *one.to, err = e.Chip.Certify(e.Keys.AK, one.key, binding[:]); err != nil {
			return f, err
		}
	}
	if e.Finish != nil {
		err = e.Finish(&f, c)
	}
	return f, err
}
