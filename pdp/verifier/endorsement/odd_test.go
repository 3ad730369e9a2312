package endorsement

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"
)

// oddity is something that a maker did to its certificates.
type oddity struct {
	template func(*x509.Certificate)
	// encoded changes the part that is signed, before it is signed.
	encoded func([]byte) []byte
	public  crypto.PublicKey
	// bare leaves out the authority's key identifier.
	bare bool
	// padding stands behind the certificate.
	padding []byte
	// unread says that crypto/x509 alone does not read it.
	unread bool
}

// signedPart is a Certificate of RFC 5280, 4.1.
type signedPart struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// certify issues an EK certificate with an oddity and a further change.
func (m *maker) certify(t testing.TB, o oddity, change func(*x509.Certificate)) []byte {
	t.Helper()
	template := ekTemplate(t)
	template.SerialNumber = new(big.Int).SetBytes([]byte{0x71, 0x42, 3, 4, 5, 6, 7, 8})
	for _, f := range []func(*x509.Certificate){o.template, change} {
		if f != nil {
			f(template)
		}
	}
	parent := *m.middle
	if o.bare {
		parent.SubjectKeyId = nil
	}
	der := issue(t, template, &parent, o.public, m.middleKey).Raw
	if o.encoded == nil {
		return append(der, o.padding...)
	}
	var c signedPart
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		t.Fatal(err)
	}
	c.TBS = asn1.RawValue{FullBytes: o.encoded(bytes.Clone(c.TBS.FullBytes))}
	digest := sha256.Sum256(c.TBS.FullBytes)
	signature, err := ecdsa.SignASN1(rand.Reader, m.middleKey, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	c.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	if der, err = asn1.Marshal(c); err != nil {
		t.Fatal(err)
	}
	return append(der, o.padding...)
}

func replaced(old, by []byte) func([]byte) []byte {
	return func(tbs []byte) []byte { return bytes.Replace(tbs, old, by, 1) }
}

func oddities(t testing.TB) map[string]oddity {
	ec, rsaKey := &newECKey(t, elliptic.P256()).PublicKey, mustRSA(t)
	serial := []byte{2, 8, 0x71, 0x42}
	usage := func(u x509.KeyUsage) func(*x509.Certificate) { return func(c *x509.Certificate) { c.KeyUsage = u } }
	return map[string]oddity{
		"negative serial number":           {public: ec, encoded: replaced(serial, []byte{2, 8, 0x87, 0x42}), unread: true},
		"serial number of needless ones":   {public: ec, encoded: replaced(serial, []byte{2, 8, 0xff, 0xc2}), unread: true},
		"serial number of needless zeros":  {public: ec, encoded: replaced(serial, []byte{2, 8, 0, 0x42}), unread: true},
		"critical name, empty subject":     {public: ec},
		"RSA key for OAEP":                 {public: rsaKey, encoded: replaced([]byte{0xf7, 13, 1, 1, 1}, []byte{0xf7, 13, 1, 1, 7})},
		"zeros behind it":                  {public: ec, padding: make([]byte, 400)},
		"ones behind it":                   {public: ec, padding: bytes.Repeat([]byte{0xff}, 400)},
		"no authority key identifier":      {public: ec, bare: true},
		"no well-defined end":              {public: ec, template: func(c *x509.Certificate) { c.NotAfter = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }},
		"key encipherment with an ECC key": {public: ec, template: usage(x509.KeyUsageKeyEncipherment)},
		"key agreement with an RSA key":    {public: rsaKey, template: usage(x509.KeyUsageKeyAgreement)},
		"no key usage":                     {public: ec, template: usage(0)},
		"basic constraints that spell FALSE": {public: ec, template: func(c *x509.Certificate) {
			c.BasicConstraintsValid = false
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0}})
		}},
	}
}

// Each oddity passes, and its forged twin does not.
func TestOddCertificatesAndTheirForgedTwins(t *testing.T) {
	m := newMaker(t)
	impostor := *m // the same names, other keys
	impostor.middleKey = newECKey(t, elliptic.P256())
	impostor.middle, _ = x509.ParseCertificate(m.middle.Raw)
	impostor.middle.PublicKey = &impostor.middleKey.PublicKey
	authority := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid = true, true
		for i, e := range c.ExtraExtensions {
			if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 19}) {
				c.ExtraExtensions = append(c.ExtraExtensions[:i:i], c.ExtraExtensions[i+1:]...)
			}
		}
	}
	for name, o := range oddities(t) {
		t.Run(name, func(t *testing.T) {
			genuine := m.certify(t, o, nil)
			if _, err := x509.ParseCertificate(genuine[:len(genuine)-len(o.padding)]); (err != nil) != o.unread {
				t.Errorf("crypto/x509 by itself: %v", err)
			}
			k, err := Check(genuine, nil, m.roots, m.intermediates, noon)
			if err != nil {
				t.Fatal(err)
			}
			if want, err := Rebuild(o.public); err != nil || k.Digest() != want.Digest() {
				t.Errorf("another EK was rebuilt: %v", err)
			}
			signature := bytes.Clone(genuine)
			signature[len(genuine)-len(o.padding)-1] ^= 1
			body := bytes.Clone(genuine)
			body[bytes.Index(body, []byte("model"))] ^= 1
			serial := bytes.Clone(genuine)
			serial[bytes.Index(serial, []byte{3, 4, 5, 6, 7, 8})] ^= 1
			for fault, c := range map[string]struct {
				der  []byte
				want error
			}{
				"signature changed":     {signature, ErrChain},
				"content changed":       {body, ErrChain},
				"serial number changed": {serial, ErrChain},
				"signed by another":     {impostor.certify(t, o, nil), ErrChain},
				"a CA's":                {m.certify(t, o, authority), ErrPurpose},
				"without its purpose":   {m.certify(t, o, func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil }), ErrPurpose},
				"unknown critical besides": {m.certify(t, o, func(c *x509.Certificate) {
					c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
				}), ErrChain},
				"something more behind it": {append(bytes.Clone(genuine), 1), ErrCertificate},
				"of another time":          {m.certify(t, o, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) }), ErrValidity},
			} {
				if _, err := Check(c.der, nil, m.roots, m.intermediates, noon); !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", fault, err, c.want)
				}
			}
		})
	}
}

// What was read of an odd certificate is what its maker wrote.
func TestAnOddCertificateKeepsItsBytes(t *testing.T) {
	m := newMaker(t)
	for name, want := range map[string]int64{"negative serial number": -0x78bdfcfbfaf9f8f8, "serial number of needless zeros": 0x42030405060708} {
		der := m.certify(t, oddities(t)[name], nil)
		c, err := decode(der)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.Raw, der) || !bytes.Contains(der, c.RawTBSCertificate) || c.SerialNumber.Int64() != want {
			t.Errorf("%s: serial number %d", name, c.SerialNumber)
		}
		if err := c.CheckSignatureFrom(m.middle); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A maker's CA may be odd as well: in the folder, and in a TPM.
func TestOddAuthorities(t *testing.T) {
	m := newMaker(t)
	var c signedPart
	if _, err := asn1.Unmarshal(m.middle.Raw, &c); err != nil {
		t.Fatal(err)
	}
	tbs := bytes.Replace(bytes.Clone(c.TBS.FullBytes), []byte{2, 1, 1}, []byte{2, 1, 0x81}, 1)
	digest := sha256.Sum256(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, m.rootKey, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	c.TBS, c.Signature = asn1.RawValue{FullBytes: tbs}, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	odd, err := asn1.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	ek := m.ek(t, &newECKey(t, elliptic.P256()).PublicKey)
	_, folder, err := Pools(map[string][]byte{"odd.pem": armoured(odd)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(ek, nil, m.roots, folder, noon); err != nil {
		t.Error("from the folder:", err)
	}
	if _, err := Check(ek, [][]byte{odd}, m.roots, nil, noon); err != nil {
		t.Error("from the TPM:", err)
	}
	odd[len(odd)-1] ^= 1
	if _, err := Check(ek, [][]byte{odd}, m.roots, nil, noon); !errors.Is(err, ErrChain) {
		t.Error("a forged one:", err)
	}
}
