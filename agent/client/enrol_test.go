package client

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/problem"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

type failingSigner struct{ crypto.Signer }

func (failingSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errTPM }

// keys stands in for agent/tpm's Keys, which have tests with a TPM of their own.
type keys struct {
	signer crypto.Signer
	nonces [][wire.NonceSize]byte
}

func (k *keys) AK() []byte               { return []byte("ak") }
func (k *keys) EKTemplate() string       { return "p-256" }
func (k *keys) TLSSigner() crypto.Signer { return k.signer }
func (k *keys) Activate(blob, secret []byte) ([]byte, error) {
	return append(append([]byte("released:"), blob...), secret...), nil
}

func (k *keys) CertifyTLSKey(nonce [wire.NonceSize]byte) (wire.CertifiedKey, error) {
	k.nonces = append(k.nonces, nonce)
	return wire.CertifiedKey{Public: []byte("tls")}, nil
}

func (k *keys) CertifySigningKey(nonce [wire.NonceSize]byte) (wire.CertifiedKey, error) {
	k.nonces = append(k.nonces, nonce)
	return wire.CertifiedKey{Public: []byte("signing")}, nil
}

func enrolment(t *testing.T, p *pdp, code Code) Enrolment {
	t.Helper()
	return Enrolment{
		Address: p.address(), Code: code, Keys: &keys{signer: newKey(t)}, EKCertificate: []byte("ek"),
		Hostname: "lt", OS: "linux", Clock: time.Now, Random: rand.Reader,
	}
}

func goodChallenge() wire.EnrolChallenge {
	return wire.EnrolChallenge{Enrolment: "sealed", EK: "p-256", CredentialBlob: []byte("b"), EncryptedSecret: []byte("s"), CertifyNonce: bytes.Repeat([]byte{7}, 32)}
}

func goodEnrolled() wire.Enrolled {
	return wire.Enrolled{DeviceID: "dev-" + strings.Repeat("0", 26), DeviceName: "LT-1", Agency: "moda", Provenance: wire.ProvenanceTPM, WebOrigin: "https://pdp.test"}
}

func (p *pdp) enrolment(t *testing.T, challenge wire.EnrolChallenge, done wire.Enrolled) *wire.EnrolFinish {
	var finish wire.EnrolFinish
	p.mux.HandleFunc("POST /v1/enrol/start", func(w http.ResponseWriter, r *http.Request) {
		var in wire.EnrolStart
		if problem.ReadJSON(w, r, 1<<16, &in) {
			if !strings.HasPrefix(in.Code, "menshen1.") || string(in.AK) != "ak" || string(in.EKCertificate) != "ek" {
				t.Errorf("%+v", in)
			}
			problem.WriteJSON(w, r, challenge)
		}
	})
	p.mux.HandleFunc("POST /v1/enrol/finish", func(w http.ResponseWriter, r *http.Request) {
		if problem.ReadJSON(w, r, 1<<16, &finish) {
			problem.WriteJSON(w, r, done)
		}
	})
	return &finish
}

func TestEnrol(t *testing.T) {
	ca := newAuthority(t)
	p := newPDP(t, ca.server(t, nil))
	finish := p.enrolment(t, goodChallenge(), goodEnrolled())
	e := enrolment(t, p, ca.code())
	out, err := Enrol(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if out.DeviceName != "LT-1" || !bytes.Equal(out.CA, ca.certificate.Raw) {
		t.Errorf("%+v", out)
	}
	if string(finish.Secret) != "released:bs" || finish.Enrolment != "sealed" || string(finish.TLSKey.Public) != "tls" || string(finish.SigningKey.Public) != "signing" {
		t.Errorf("%+v", finish)
	}
	if n := e.Keys.(*keys).nonces; len(n) != 2 || n[0] != [32]byte(goodChallenge().CertifyNonce) || n[1] != n[0] {
		t.Errorf("nonces %x", n)
	}
}

func TestOddEnrolmentsAreRefused(t *testing.T) {
	ca := newAuthority(t)
	for name, spoil := range map[string]func(*wire.EnrolChallenge, *wire.Enrolled){
		"short nonce":   func(c *wire.EnrolChallenge, _ *wire.Enrolled) { c.CertifyNonce = c.CertifyNonce[1:] },
		"no enrolment":  func(c *wire.EnrolChallenge, _ *wire.Enrolled) { c.Enrolment = "" },
		"no credential": func(c *wire.EnrolChallenge, _ *wire.Enrolled) { c.CredentialBlob = nil },
		"no secret":     func(c *wire.EnrolChallenge, _ *wire.Enrolled) { c.EncryptedSecret = nil },
		"another EK":    func(c *wire.EnrolChallenge, _ *wire.Enrolled) { c.EK = "rsa-2048" },
		"no device id":  func(_ *wire.EnrolChallenge, d *wire.Enrolled) { d.DeviceID = "x" },
		"http origin":   func(_ *wire.EnrolChallenge, d *wire.Enrolled) { d.WebOrigin = "http://pdp.test" },
		"no origin":     func(_ *wire.EnrolChallenge, d *wire.Enrolled) { d.WebOrigin = "" },
		"any origin":    func(_ *wire.EnrolChallenge, d *wire.Enrolled) { d.WebOrigin = "*" },
		"a path":        func(_ *wire.EnrolChallenge, d *wire.Enrolled) { d.WebOrigin = "https://pdp.test/" },
		"a user":        func(_ *wire.EnrolChallenge, d *wire.Enrolled) { d.WebOrigin = "https://u@pdp.test" },
	} {
		t.Run(name, func(t *testing.T) {
			challenge, done := goodChallenge(), goodEnrolled()
			spoil(&challenge, &done)
			p := newPDP(t, ca.server(t, nil))
			p.enrolment(t, challenge, done)
			if _, err := Enrol(t.Context(), enrolment(t, p, ca.code())); reasonOf(t, err) != reason.PDPAnswerOdd {
				t.Error(err)
			}
		})
	}
}

// TestTheDigestMustBeTheCAs: the code names a CA, not any certificate that the
// server happens to send.
func TestTheDigestMustBeTheCAs(t *testing.T) {
	ca := newAuthority(t)
	good := ca.server(t, nil)
	leaf, err := x509.ParseCertificate(good.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server tls.Certificate
		code   Code
	}{
		"CA left out":         {tls.Certificate{Certificate: good.Certificate[:1], PrivateKey: good.PrivateKey}, ca.code()},
		"digest of the leaf":  {good, authority{certificate: leaf}.code()},
		"leaf by another key": {tls.Certificate{Certificate: [][]byte{newAuthority(t).server(t, nil).Certificate[0], ca.certificate.Raw}, PrivateKey: good.PrivateKey}, ca.code()},
	} {
		t.Run(name, func(t *testing.T) {
			chain, _ := parseAll(c.server.Certificate)
			if _, err := verifyPinned(chain, "127.0.0.1", c.code.CADigest, time.Now()); err == nil {
				t.Error("believed")
			}
		})
	}
	chain, err := parseAll(good.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifyPinned(chain, "127.0.0.1", ca.code().CADigest, time.Now()); err != nil {
		t.Errorf("the right one: %v", err)
	}
	if _, err := verifyPinned(nil, "127.0.0.1", ca.code().CADigest, time.Now()); err == nil {
		t.Error("nothing was believed")
	}
}

func parseAll(ders [][]byte) (chain []*x509.Certificate, err error) {
	for _, der := range ders {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	return chain, nil
}

func TestParseCode(t *testing.T) {
	part := func(n int) string { return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xfe}, n)) }
	good := "menshen1." + part(32) + "." + part(32)
	if c, err := ParseCode(" " + good + "\n"); err != nil || c.text != good || c.CADigest[0] != 0xfe {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{
		"", "menshen1", "menshen2." + part(32) + "." + part(32), "menshen1." + part(31) + "." + part(32),
		"menshen1." + part(32) + "." + part(31), "menshen1." + part(32), good + ".x", "menshen1." + part(32) + "." + strings.Repeat("!", 43),
	} {
		if _, err := ParseCode(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("menshen1." + strings.Repeat("A", 43) + "." + strings.Repeat("A", 43))
	f.Add("menshen1..")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCode(text); err == nil && c.text != strings.TrimSpace(text) {
			t.Errorf("%q became %q", text, c.text)
		}
	})
}
