package endorsement

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func armoured(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// under issues a CA certificate under another CA.
func under(t testing.TB, parent *x509.Certificate, signer *ecdsa.PrivateKey, name string, change func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key := newECKey(t, elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: name}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	return issue(t, template, parent, &key.PublicKey, signer), key
}

// A chain of two CAs below the root, of which the TPM alone has both.
func TestIntermediatesOfTheDevice(t *testing.T) {
	m := newMaker(t)
	issuing, key := under(t, m.middle, m.middleKey, "issuing", nil)
	ek := issue(t, ekTemplate(t), issuing, &newECKey(t, elliptic.P384()).PublicKey, key).Raw
	for name, sent := range map[string][][]byte{
		"both":                    {issuing.Raw, m.middle.Raw},
		"in another order":        {m.middle.Raw, issuing.Raw},
		"padded":                  {append(bytes.Clone(issuing.Raw), 0xff, 0xff), m.middle.Raw},
		"the root with them":      {issuing.Raw, m.middle.Raw, m.root.Raw},
		"one that cannot be read": {{0x30, 0}, issuing.Raw, m.middle.Raw},
		"a leaf with them":        {ek, issuing.Raw, m.middle.Raw},
	} {
		if _, err := Check(ek, sent, m.roots, nil, noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Check(ek, [][]byte{issuing.Raw}, m.roots, m.intermediates, noon); err != nil {
		t.Error("one from the TPM, one from the folder:", err)
	}
	for name, sent := range map[string][][]byte{"none": nil, "the upper only": {m.middle.Raw}, "the lower only": {issuing.Raw}} {
		if _, err := Check(ek, sent, m.roots, nil, noon); !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m.intermediates.Equal(x509.NewCertPool()) {
		t.Fatal("the folder's pool is empty")
	}
	if _, err := Check(ek, nil, m.roots, m.intermediates, noon); !errors.Is(err, ErrChain) {
		t.Error("what one device sent serves the next:", err)
	}
}

// No certificate of a stranger turns a foreign chain into one of a maker's.
func TestIntermediatesThatMustNotVouch(t *testing.T) {
	m := newMaker(t)
	public := &newECKey(t, elliptic.P256()).PublicKey
	below := func(ca *x509.Certificate, key *ecdsa.PrivateKey) []byte {
		return issue(t, ekTemplate(t), ca, public, key).Raw
	}
	// An EK's own certificate as a CA: its key cannot sign, but another's might.
	leafKey := newECKey(t, elliptic.P256())
	leaf := issue(t, ekTemplate(t), m.middle, &leafKey.PublicKey, m.middleKey)
	signsNothing, signsNothingKey := under(t, m.root, m.rootKey, "no certSign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	usageAbsent, usageAbsentKey := under(t, m.root, m.rootKey, "no usage", func(c *x509.Certificate) { c.KeyUsage = 0 })
	web, webKey := under(t, m.root, m.rootKey, "web", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	noCA, noCAKey := under(t, m.root, m.rootKey, "no CA", func(c *x509.Certificate) { c.IsCA = false })
	short, shortKey := under(t, m.root, m.rootKey, "short", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	tooDeep, tooDeepKey := under(t, short, shortKey, "too deep", nil)
	expired, expiredKey := under(t, m.root, m.rootKey, "expired", func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })
	critical, criticalKey := under(t, m.root, m.rootKey, "critical", func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	})
	heavyKey := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), maxRSABits, 1), E: 1<<31 - 1}
	heavy := issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "heavy"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, m.root, heavyKey, m.rootKey)
	byHeavy := *heavy
	byHeavy.PublicKey = nil // nobody has the private key
	own := newMaker(t)
	cross, _ := under(t, own.root, own.rootKey, m.root.Subject.CommonName, nil) // carries the maker's name
	for name, c := range map[string]struct {
		ek   []byte
		sent [][]byte
		want error
		says string
	}{
		"a foreign chain with its root":  {own.ek(t, public), [][]byte{own.middle.Raw, own.root.Raw}, ErrChain, ""},
		"a foreign CA of a maker's name": {own.ek(t, public), [][]byte{own.middle.Raw, own.root.Raw, cross.Raw}, ErrChain, ""},
		"an EK as CA":                    {issue(t, ekTemplate(t), leaf, public, leafKey).Raw, [][]byte{leaf.Raw, m.middle.Raw}, ErrChain, "not a CA's"},
		"no CA":                          {below(noCA, noCAKey), [][]byte{noCA.Raw}, ErrChain, "not a CA's"},
		"may sign no certificates":       {below(signsNothing, signsNothingKey), [][]byte{signsNothing.Raw}, ErrChain, "key usage"},
		"does not say what it may":       {below(usageAbsent, usageAbsentKey), [][]byte{usageAbsent.Raw}, ErrChain, "key usage"},
		"a CA for the web":               {below(web, webKey), [][]byte{web.Raw}, ErrChain, "extended key usage"},
		"longer than its path":           {below(tooDeep, tooDeepKey), [][]byte{tooDeep.Raw, short.Raw}, ErrChain, ""},
		"expired":                        {below(expired, expiredKey), [][]byte{expired.Raw}, ErrValidity, ""},
		"unknown critical extension":     {below(critical, criticalKey), [][]byte{critical.Raw}, ErrChain, ""},
		"a key that takes long":          {below(&byHeavy, m.rootKey), [][]byte{heavy.Raw}, ErrChain, "RSA key is longer"},
		"cut off":                        {below(short, shortKey), [][]byte{short.Raw[:len(short.Raw)-1]}, ErrChain, "malformed"},
		"too large":                      {below(short, shortKey), [][]byte{append(bytes.Clone(short.Raw), make([]byte, maxCertificate)...)}, ErrChain, "larger"},
	} {
		_, err := Check(c.ek, c.sent, m.roots, nil, noon)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, err, c.want, c.says)
		}
	}
	if _, err := Check(below(short, shortKey), [][]byte{short.Raw}, m.roots, nil, noon); err != nil {
		t.Error("a path of the permitted length:", err)
	}
	forEKs, forEKsKey := under(t, m.root, m.rootKey, "for EKs", func(c *x509.Certificate) {
		c.ExtKeyUsage, c.UnknownExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []asn1.ObjectIdentifier{purpose}
	})
	if _, err := Check(below(forEKs, forEKsKey), [][]byte{forEKs.Raw}, m.roots, nil, noon); err != nil {
		t.Error("a CA for EKs among others:", err)
	}
}
