//go:build linux

package adversary

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

const (
	softwareFile       = "pdp/verifier/software.go"
	enrolSoftwareFile  = "pdp/enrolment/software.go"
	attestationPurpose = "attestation"
)

// soft is a device whose keys lie in software: whoever can read them, has them.
type soft struct {
	attestation, tls, signing *ecdsa.PrivateKey
	link                      *attacker.Link
	id                        string
}

var softNumber atomic.Int64

func (s *stage) newSoft() *soft {
	s.Helper()
	d := new(soft)
	for _, key := range []**ecdsa.PrivateKey{&d.attestation, &d.tls, &d.signing} {
		*key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(s)
	}
	d.link = must(attacker.NewLink(s.pdp.Agents, d.tls, s.pdp.CA))(s)
	return d
}

func (s *stage) spki(key *ecdsa.PrivateKey) []byte {
	s.Helper()
	return must(x509.MarshalPKIXPublicKey(key.Public()))(s)
}

// enrolSoft enrols a device without a TPM; start changes what it says first.
func (s *stage) enrolSoft(d *soft, name string, start func(*wire.EnrolStart)) attacker.Outcome {
	s.Helper()
	ctx := context.Background()
	in := wire.EnrolStart{Code: s.code(name), SoftwareKey: s.spki(d.attestation), Hostname: "lt", OS: "linux"}
	if start != nil {
		start(&in)
	}
	answer := must(d.link.Post(ctx, "/v1/enrol/start", in))(s)
	if answer.Code != "" {
		return attacker.Outcome{Answer: answer}
	}
	var c wire.EnrolChallenge
	s.ok(json.Unmarshal(answer.Body, &c))
	certify := func(purpose string, key *ecdsa.PrivateKey) wire.CertifiedKey {
		binding := wire.SoftwareCertifyBinding(purpose, [wire.NonceSize]byte(c.CertifyNonce), s.spki(key), sha256.Sum256(s.spki(d.tls)))
		return wire.CertifiedKey{Public: s.spki(key), Signature: must(ecdsa.SignASN1(rand.Reader, d.attestation, binding[:]))(s)}
	}
	finish := wire.EnrolFinish{
		Enrolment: c.Enrolment, Secret: certify(attestationPurpose, d.attestation).Signature,
		TLSKey: certify("tls", d.tls), SigningKey: certify("signing", d.signing),
	}
	o := attacker.Outcome{Answer: must(d.link.Post(ctx, "/v1/enrol/finish", finish))(s)}
	if o.Code == "" {
		var done wire.Enrolled
		s.ok(json.Unmarshal(o.Body, &done))
		d.id, o.Accepted = done.DeviceID, true
	}
	return o
}

// softDevice is an enrolled one that an administrator approved.
func (s *stage) softDevice() *soft {
	s.Helper()
	d := s.newSoft()
	if o := s.enrolSoft(d, fmt.Sprint("SOFT-", softNumber.Add(1)), nil); !o.Accepted {
		s.Fatalf("honest enrolment in software is refused: %s", o.Code)
	}
	must(s.pdp.Admin.ApproveDevice(context.Background(), "", d.id))(s)
	return d
}

// attestSoft attests with a counter; change may alter the Evidence.
func (s *stage) attestSoft(d *soft, counter uint64, change func(*wire.Evidence)) attacker.Outcome {
	s.Helper()
	asked := must((&attacker.Device{Link: d.link}).Nonce(context.Background()))(s)
	e := wire.Evidence{Claims: s.claims()}
	binding := wire.SoftwareBinding([wire.NonceSize]byte(asked.Nonce), e.Claims, sha256.Sum256(s.spki(d.tls)), counter)
	e.Software = &wire.SoftwareProof{Counter: counter, Signature: must(ecdsa.SignASN1(rand.Reader, d.attestation, binding[:]))(s)}
	if change != nil {
		change(&e)
	}
	return must((&attacker.Device{Link: d.link}).Send(context.Background(), asked.Ticket, e))(s)
}

func (s *stage) softAccepted(d *soft, counter uint64) {
	s.Helper()
	if o := s.attestSoft(d, counter, nil); !o.Accepted {
		s.Fatalf("honest Evidence in software is refused: %d %v", o.Status, o.Codes())
	}
}

func software() []attack {
	return []attack{
		{
			name: "software's proof for a TPM's device", after: "a key that can be copied in a TPM's place",
			try: changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
				e.Software = &wire.SoftwareProof{Counter: 1, Signature: must(ecdsa.SignASN1(rand.Reader, s.maker.key, make([]byte, 32)))(s)}
			}), want: []string{reason.SoftwareForTPM}, check: check{file: proofFile, code: "if in.Evidence.Software != nil {", without: "if false {"},
		},
		{
			name: "TPM's quote for a device in software", after: "two readers, two readings",
			try: func(s *stage) attacker.Outcome {
				d, other := s.softDevice(), s.enrolled(s.mine)
				s.softAccepted(d, 1)
				return s.attestSoft(d, 2, func(e *wire.Evidence) {
					e.Quote = must(other.Evidence(wire.NonceAnswer{Nonce: make([]byte, wire.NonceSize)}, e.Claims))(s).Quote
				})
			}, want: []string{reason.QuoteForSoftware}, check: check{file: softwareFile, code: "if !noTPM(e) {", without: "if false {"},
		},
		{
			name: "proof by another key in software", after: "wrong signer",
			try: func(s *stage) attacker.Outcome {
				d := s.softDevice()
				s.softAccepted(d, 1)
				mine := *d
				mine.attestation = d.signing
				return s.attestSoft(&mine, 2, nil)
			}, want: []string{reason.SoftwareProofBad},
			check: check{file: softwareFile, code: "|| !ecdsa.VerifyASN1(key, binding[:], e.Software.Signature) {", without: "|| key == nil || binding == [32]byte{} {"},
		},
		{
			name: "software key in the place of a TPM", after: "keylime #1820: identity takeover",
			try: func(s *stage) attacker.Outcome {
				s.enrolled(s.mine)
				return s.enrolSoft(s.newSoft(), s.mine.name, nil)
			}, want: []string{reason.EnrolNameTaken},
			check: check{file: enrolSoftwareFile, code: `case named.ID == "" && c.Replaces == "":`, without: `case c.Replaces == "":`},
		},
		{
			name: "software key beside a TPM's", after: "two readers, two readings",
			try: func(s *stage) attacker.Outcome {
				return s.enrolSoft(s.newSoft(), fmt.Sprint("SOFT-", softNumber.Add(1)), func(in *wire.EnrolStart) {
					in.AK = must(s.mine.chip.NewKeys())(s).AK.Public
				})
			}, want: []string{reason.EnrolSoftwareMixed},
			check: check{file: enrolSoftwareFile, code: "if len(in.AK)+len(in.EKCertificate)+len(in.EKKey)+len(in.EKIntermediates) > 0 {", without: "if false {"},
		},
		{
			name: "one key for attestation and TLS in software", after: "keys of one purpose each",
			try: func(s *stage) attacker.Outcome {
				d := s.newSoft()
				d.tls = d.attestation
				d.link = must(attacker.NewLink(s.pdp.Agents, d.tls, s.pdp.CA))(s)
				return s.enrolSoft(d, fmt.Sprint("SOFT-", softNumber.Add(1)), nil)
			}, want: []string{reason.EnrolTLSKey},
			check: check{file: enrolSoftwareFile, code: "if err == nil && (certified != tlsSPKI || certified == own) {", without: "if err == nil && certified != tlsSPKI {"},
		},
	}
}
