//go:build linux

package adversary

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

// maker is a TPM maker whom the PDP trusts and who certifies what the attacker
// asks for: so a certificate is wrong in one place, and not in its signer.
type maker struct {
	file string // its certificate, PEM
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newMaker(t *testing.T, dir string) *maker {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Careless TPM Maker"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{file: filepath.Join(dir, "careless.pem"), key: key}
	if m.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// certifies returns an EK certificate for the machine's own EK, changed.
func (s *stage) certifies(m *machine, change func(*x509.Certificate)) []byte {
	s.Helper()
	public, err := tpm2.Pub(*must(m.chip.EKPublic())(s))
	s.ok(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageKeyAgreement,
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}},
	}
	if change != nil {
		change(template)
	}
	return must(x509.CreateCertificate(rand.Reader, template, s.maker.root, public, s.maker.key))(s)
}

// withCertificate enrols with a certificate of the careless maker, once it has
// seen that an honest one of that maker is taken.
func withCertificate(change func(*x509.Certificate)) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		for _, forged := range []bool{false, true} {
			e := s.enrolment(s.mine)
			e.Start = func(in *wire.EnrolStart) {
				if forged {
					in.EKCertificate = s.certifies(s.mine, change)
				} else {
					in.EKCertificate = s.certifies(s.mine, nil)
				}
			}
			o := s.enrol(s.mine, e)
			if forged {
				return o
			}
			if !o.Accepted {
				s.Fatalf("the control is refused: %s", o.Code)
			}
		}
		panic("unreachable")
	}
}

// akFrom enrols with an AK that is not an honest one.
func akFrom(template func() tpm2.TPMTPublic, above *tpm2.CreatePrimary) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		e := s.enrolment(s.mine)
		e.Keys.AK = must(s.mine.chip.Create(template(), above))(s)
		return s.enrol(s.mine, e)
	}
}

func restricted() tpm2.TPMTPublic { return attacker.Template(true) }

const (
	publicFile      = "pdp/verifier/endorsement/public.go"
	certificateFile = "pdp/verifier/endorsement/certificate.go"
	chainFile       = "pdp/verifier/endorsement/chain.go"
	verifyFile      = "pdp/verifier/quote/verify.go"
	startFile       = "pdp/enrolment/start.go"
	finishFile      = "pdp/enrolment/finish.go"
	codeFile        = "pdp/enrolment/code.go"
	endorserFile    = "pdp/verifier/endorser.go"
)

var (
	signedByAK = check{file: verifyFile, code: "if !ecdsa.VerifyASN1(", without: "if false && !ecdsa.VerifyASN1("}
	signer     = check{file: verifyFile, code: "case !bytes.Equal(a.QualifiedSigner, k.qualifiedName):", without: "case false:"}
	activated  = check{file: finishFile, code: "if subtle.ConstantTimeCompare(secret[:], sealed.SecretHash) != 1 {", without: "if _ = subtle.ConstantTimeCompare(secret[:], sealed.SecretHash); false {"}
	extraData  = check{file: verifyFile, code: "case !bytes.Equal(a.ExtraData, extraData[:]):", without: "case false:"}
)

func enrolments() []attack {
	return []attack{
		{
			name: "AK that signs anything", after: "demonstrated: an unrestricted key passes ActivateCredential",
			try: akFrom(func() tpm2.TPMTPublic { return attacker.Template(false) }, nil), want: []string{reason.EnrolAKRefused},
			check: check{file: publicFile, code: "if (p.attributes&mask != 0) != d.set {", without: "if d.bit != 16 && (p.attributes&mask != 0) != d.set {"},
		},
		{
			name: "AK that may leave its TPM", after: "TPM 2.0 part 1, 25.1",
			try: akFrom(func() tpm2.TPMTPublic {
				t := attacker.Template(true)
				t.ObjectAttributes.FixedTPM, t.ObjectAttributes.FixedParent = false, false
				return t
			}, nil), want: []string{reason.EnrolAKRefused},
			check: check{file: publicFile, code: "if (p.attributes&mask != 0) != d.set {", without: "if false && (p.attributes&mask != 0) != d.set {"},
		},
		{
			name: "AK of the owner hierarchy", after: "counters and firmware version of such a key are obfuscated",
			try: akFrom(restricted, attacker.Under(tpm2.TPMRHOwner)), want: []string{reason.EnrolTLSKey}, check: signer,
		},
		{
			name: "AK of the NULL hierarchy", after: "such keys pass ActivateCredential",
			try: akFrom(restricted, attacker.Under(tpm2.TPMRHNull)), want: []string{reason.EnrolTLSKey}, check: signer,
		},
		{
			name: "another machine's EK certificate", after: "CVE-2021-3406: AK and EK of two TPMs",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.others)
				e.Code = s.code("LT-new")
				e.Start = func(in *wire.EnrolStart) { in.EKCertificate = must(s.foreignTo(s.others).chip.EKCertificate())(s) }
				return s.enrol(s.others, e)
			}, want: []string{reason.EnrolEKOtherName},
			check: check{file: startFile, code: "case mine.ID != \"\" && mine.Agency == w.agency:", without: "case false:", also: [2]string{"case mine.ID != \"\":", "case false:"}},
		},
		{
			name: "challenge answered by a guess", after: "CVE-2021-3406: AK and EK of two TPMs",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.others)
				e.Code = s.code(s.mine.name)
				e.Start = func(in *wire.EnrolStart) { in.EKCertificate = must(s.mine.chip.EKCertificate())(s) }
				return s.enrol(s.others, e)
			}, want: []string{reason.EnrolActivation}, check: activated,
		},
		{
			name: "secret of another challenge", after: "CVE-2021-3406: a credential for another EK",
			try: func(s *stage) attacker.Outcome {
				var earlier []byte
				first := s.enrolment(s.mine)
				first.Finish = func(f *wire.EnrolFinish, _ wire.EnrolChallenge) error { earlier = f.Secret; return nil }
				if !s.enrol(s.mine, first).Accepted {
					s.Fatal("the control is refused")
				}
				e := s.enrolment(s.mine)
				e.Finish = func(f *wire.EnrolFinish, _ wire.EnrolChallenge) error { f.Secret = earlier; return nil }
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolActivation}, check: activated,
		},
		{
			name: "EK key beside a certificate", after: "CVE-2021-3406: the EK comes from the client",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.mine)
				e.Start = func(in *wire.EnrolStart) {
					public, err := tpm2.Pub(*must(s.others.chip.EKPublic())(s))
					s.ok(err)
					in.EKKey = must(x509.MarshalPKIXPublicKey(public))(s)
				}
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolMalformed},
			check: check{file: startFile, code: "if (len(in.EKCertificate) == 0) == (len(in.EKKey) == 0) {", without: "if false {"},
		},
		{
			name: "name of a device with another EK", after: "keylime #1820: identity takeover",
			try: func(s *stage) attacker.Outcome {
				s.enrolled(s.mine)
				e := s.enrolment(s.others)
				e.Code = s.code(s.mine.name)
				return s.enrol(s.others, e)
			}, want: []string{reason.EnrolNameTaken},
			check: check{file: startFile, code: "return none, refuse(nil, reason.EnrolNameTaken)", without: "return named, nil"},
		},
		{
			name: "EK certificate of a CA", after: "EK Credential Profile 2.5, 3.2",
			try:  withCertificate(func(c *x509.Certificate) { c.IsCA = true }),
			want: []string{reason.EnrolEKRefused}, check: check{file: certificateFile, code: "case c.IsCA, c.KeyUsage&x509.KeyUsageCertSign != 0:", without: "case c.KeyUsage&x509.KeyUsageCertSign != 0:"},
		},
		{
			name: "EK certificate that may sign certificates", after: "EK Credential Profile 2.5, 3.2",
			try:  withCertificate(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }),
			want: []string{reason.EnrolEKRefused}, check: check{file: certificateFile, code: "case c.IsCA, c.KeyUsage&x509.KeyUsageCertSign != 0:", without: "case c.IsCA:"},
		},
		{
			name: "EK certificate without the EK's purpose", after: "EK Credential Profile 2.5, 3.2.16",
			try: withCertificate(func(c *x509.Certificate) {
				c.UnknownExtKeyUsage = nil
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			}),
			want: []string{reason.EnrolEKRefused}, check: check{file: certificateFile, code: "case !slices.ContainsFunc(c.UnknownExtKeyUsage, purpose.Equal):", without: "case !slices.ContainsFunc(c.UnknownExtKeyUsage, purpose.Equal) && false:"},
		},
		{
			name: "EK certificate that has ended", after: "RFC 5280, 4.1.2.5",
			try:  withCertificate(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
			want: []string{reason.EnrolEKEnded}, check: check{file: chainFile, code: "return fmt.Errorf(\"%w: %w\", ErrValidity, errors.Join(err, unusable))", without: "return nil"},
		},
		{
			name: "EK certificate with an unknown critical extension", after: "Go's unhandled critical SAN, taken off too widely",
			try: withCertificate(func(c *x509.Certificate) {
				c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
			}),
			want: []string{reason.EnrolEKRefused}, check: check{file: certificateFile, code: "slices.DeleteFunc(c.UnhandledCriticalExtensions, subjectAltName.Equal)", without: "nil"},
		},
		{
			name: "EK certificate of a maker whom nobody trusts", after: "EK Credential Profile 2.5, 3",
			try:  func(s *stage) attacker.Outcome { return s.enrol(s.foreign, s.enrolment(s.foreign)) },
			want: []string{reason.EnrolEKRefused}, check: check{file: chainFile, code: "return fmt.Errorf(\"%w: %w\", ErrChain, errors.Join(err, unusable))", without: "return nil"},
		},
		{
			name: "own CA sent as the maker's intermediate", after: "EK Credential Profile 2.5, 2.2.1.5: NV is the client's word",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.foreign)
				e.Start = func(in *wire.EnrolStart) {
					for _, file := range []string{s.foreignCA.Root(), s.foreignCA.Issuer()} {
						block, _ := pem.Decode(must(os.ReadFile(file))(s))
						in.EKIntermediates = append(in.EKIntermediates, block.Bytes)
					}
				}
				return s.enrol(s.foreign, e)
			}, want: []string{reason.EnrolEKRefused}, check: check{file: chainFile, code: "Roots: roots, Intermediates: between,", without: "Roots: between, Intermediates: between,"},
		},
		{
			name: "keys certified by another AK", after: "CVE-2022-1053: one AK shown at registration, another used later",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.mine)
				e.Finish = func(f *wire.EnrolFinish, c wire.EnrolChallenge) error {
					spki := must(attacker.SPKI(e.Keys.TLS.Public))(s)
					binding := wire.CertifyBinding("tls", [wire.NonceSize]byte(c.CertifyNonce), spki)
					var err error
					f.TLSKey, err = s.mine.chip.Certify(must(s.mine.chip.Create(restricted(), nil))(s), e.Keys.TLS, binding[:])
					return err
				}
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolTLSKey}, check: check{file: verifyFile, code: signedByAK.code, without: signedByAK.without, also: [2]string{signer.code, signer.without}},
		},
		{
			name: "another key's certification", after: "the Name covers the whole public area",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.mine)
				e.Finish = func(f *wire.EnrolFinish, c wire.EnrolChallenge) error {
					spki := must(attacker.SPKI(e.Keys.TLS.Public))(s)
					binding := wire.CertifyBinding("tls", [wire.NonceSize]byte(c.CertifyNonce), spki)
					other := must(s.mine.chip.Certify(e.Keys.AK, e.Keys.Signing, binding[:]))(s)
					other.Public = e.Keys.TLS.Public
					f.TLSKey = other
					return nil
				}
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolTLSKey}, check: check{file: endorserFile, code: "if !bytes.Equal(certified.Name, name) {", without: "if false && !bytes.Equal(certified.Name, name) {"},
		},
		{
			name: "certification for another enrolment", after: "a nonce that is not asked for again",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.mine)
				e.Finish = func(f *wire.EnrolFinish, _ wire.EnrolChallenge) error {
					spki := must(attacker.SPKI(e.Keys.TLS.Public))(s)
					binding := wire.CertifyBinding("tls", [wire.NonceSize]byte{1}, spki)
					var err error
					f.TLSKey, err = s.mine.chip.Certify(e.Keys.AK, e.Keys.TLS, binding[:])
					return err
				}
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolTLSKey}, check: extraData,
		},
		{
			name: "one key for TLS and for signing", after: "keys of one purpose each",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.mine)
				e.Keys.Signing = e.Keys.TLS
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolSigningKey}, check: check{file: finishFile, code: "if err == nil && certified == tlsSPKI {", without: "if false {"},
		},
		{
			name: "enrolment finished on another connection", after: "RFC 8446, 4.4.3",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.mine)
				e.Between = func(*attacker.Link) (*attacker.Link, error) {
					return s.link(s.others, must(s.others.chip.Create(attacker.Template(false), nil))(s)), nil
				}
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolChannel}, check: check{file: finishFile, code: "if subtle.ConstantTimeCompare(sealed.TLSSPKI, tlsSPKI[:]) != 1 {", without: "if false {"},
		},
		{
			name: "code of another TPM", after: "keylime #1820: identity takeover",
			try: func(s *stage) attacker.Outcome {
				code := s.code("LT-seen")
				watched := s.enrolment(s.others)
				watched.Code = code
				// The owner has begun; his answer is lost, and the code was seen.
				watched.Finish = func(f *wire.EnrolFinish, _ wire.EnrolChallenge) error { f.Secret = nil; return nil }
				s.ok(s.retire(s.others))
				s.enrol(s.others, watched)
				s.ok(s.retire(s.mine))
				e := s.enrolment(s.mine)
				e.Code = code
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolCodeBound}, check: check{file: codeFile, code: "if subtle.ConstantTimeCompare(c.EK, ek) != 1 {", without: "if false && subtle.ConstantTimeCompare(c.EK, ek) != 1 {"},
		},
		{
			name: "code used twice", after: "design, invariant 2",
			try: func(s *stage) attacker.Outcome {
				e := s.enrolment(s.mine)
				if !s.enrol(s.mine, e).Accepted {
					s.Fatal("the control is refused")
				}
				e.Keys = must(s.mine.chip.NewKeys())(s)
				return s.enrol(s.mine, e)
			}, want: []string{reason.EnrolCodeUnknown}, check: check{file: "pdp/enrolment/warrant.go", code: "ops: []store.Op{{Key: c.key, Delete: true}},", without: "ops: nil,"},
		},
	}
}

// foreignTo is an enrolled machine that is not m.
func (s *stage) foreignTo(m *machine) *machine {
	s.Helper()
	other := s.mine
	if m == s.mine {
		other = s.others
	}
	s.enrolled(other)
	return other
}

// retire ends the device that stands under the machine's name, if one does.
func (s *stage) retire(m *machine) error {
	devices, err := s.pdp.Admin.Devices(context.Background(), "moda")
	if err != nil {
		return err
	}
	for _, d := range devices {
		if d.Device.Name == m.name && d.Device.Status != wire.DeviceRetired {
			_, err := s.pdp.Admin.RetireDevice(context.Background(), "", d.Device.ID)
			return err
		}
	}
	return nil
}
