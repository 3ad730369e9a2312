package endorsement

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// maker is a TPM maker's CA: a root and an intermediate.
type maker struct {
	root, middle          *x509.Certificate
	rootKey, middleKey    *ecdsa.PrivateKey
	roots, intermediates  *x509.CertPool
	rootBegin, rootEnd    time.Time
	middleBegin, middeEnd time.Time
}

func newMaker(t testing.TB, change ...func(*maker)) *maker {
	t.Helper()
	m := &maker{
		rootBegin: noon.AddDate(-5, 0, 0), rootEnd: noon.AddDate(20, 0, 0),
		middleBegin: noon.AddDate(-4, 0, 0), middeEnd: noon.AddDate(10, 0, 0),
	}
	for _, f := range change {
		f(m)
	}
	if m.rootKey == nil {
		m.rootKey, m.middleKey = newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	}
	authority := func(name string, begin, end time.Time) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: begin, NotAfter: end,
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	root := authority("root", m.rootBegin, m.rootEnd)
	m.root = issue(t, root, root, &m.rootKey.PublicKey, m.rootKey)
	m.middle = issue(t, authority("middle", m.middleBegin, m.middeEnd), m.root, &m.middleKey.PublicKey, m.rootKey)
	m.roots, m.intermediates = x509.NewCertPool(), x509.NewCertPool()
	m.roots.AddCert(m.root)
	m.intermediates.AddCert(m.middle)
	return m
}

func newECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func fixedKey(t testing.TB, n byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func issue(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(nil, template, parent, public, signer) // signed as RFC 6979 says
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ekTemplate is an EK certificate as makers write it: an empty subject, and a
// critical alternative name that holds a directory name alone.
func ekTemplate(t testing.TB) *x509.Certificate {
	t.Helper()
	return &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(5, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageKeyAgreement,
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{purpose},
		ExtraExtensions:    []pkix.Extension{{Id: subjectAltName, Critical: true, Value: directoryName(t)}},
	}
}

func directoryName(t testing.TB) []byte {
	t.Helper()
	name, err := asn1.Marshal(pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 23, 133, 2, 1}, Value: "id:00001014"},
		{Type: asn1.ObjectIdentifier{2, 23, 133, 2, 2}, Value: "model"},
	}}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	names, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: name}})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (m *maker) ek(t testing.TB, public crypto.PublicKey, change ...func(*x509.Certificate)) []byte {
	t.Helper()
	template := ekTemplate(t)
	for _, f := range change {
		f(template)
	}
	return issue(t, template, m.middle, public, m.middleKey).Raw
}

func TestEKCertificatesOfEachKind(t *testing.T) {
	m := newMaker(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for template, public := range map[string]crypto.PublicKey{
		RSA2048: &rsaKey.PublicKey,
		P256:    &newECKey(t, elliptic.P256()).PublicKey,
		P384:    &newECKey(t, elliptic.P384()).PublicKey,
	} {
		der := m.ek(t, public)
		for _, padding := range [][]byte{nil, make([]byte, 100), bytes.Repeat([]byte{0xff}, 33)} {
			k, err := Check(append(bytes.Clone(der), padding...), nil, m.roots, m.intermediates, noon)
			if err != nil || k.Template() != template {
				t.Errorf("%s with %d bytes of padding: %v", template, len(padding), err)
			}
		}
	}
}

func TestRefusedCertificates(t *testing.T) {
	m, stranger := newMaker(t), newMaker(t)
	public := &newECKey(t, elliptic.P256()).PublicKey
	der := m.ek(t, public)
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	oddExponent := &rsa.PublicKey{N: mustRSA(t).N, E: 3}
	otherCritical := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	expiredMiddle := newMaker(t, func(m *maker) { m.middeEnd = noon.Add(-time.Hour) })
	for name, c := range map[string]struct {
		der  []byte
		want error
	}{
		"empty":                  {nil, ErrCertificate},
		"not a certificate":      {[]byte{0x30, 3, 2, 1, 0}, ErrCertificate},
		"cut off":                {der[:len(der)-1], ErrCertificate},
		"something behind it":    {append(bytes.Clone(der), 0, 1), ErrCertificate},
		"another behind it":      {append(bytes.Clone(der), der...), ErrCertificate},
		"mixed padding":          {append(bytes.Clone(der), 0, 0xff), ErrCertificate},
		"too large":              {append(bytes.Clone(der), make([]byte, maxCertificate)...), ErrCertificate},
		"another maker's":        {stranger.ek(t, public), ErrChain},
		"signature changed":      {append(bytes.Clone(der[:len(der)-1]), der[len(der)-1]^1), ErrChain},
		"signed by itself":       {selfSigned(t), ErrChain},
		"another critical thing": {m.ek(t, public, func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, otherCritical) }), ErrChain},
		"not yet valid":          {m.ek(t, public, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Minute) }), ErrValidity},
		"expired":                {m.ek(t, public, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }), ErrValidity},
		"a CA's":                 {m.ek(t, public, func(c *x509.Certificate) { c.IsCA = true }), ErrPurpose},
		"may sign certificates":  {m.ek(t, public, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }), ErrPurpose},
		"no purpose":             {m.ek(t, public, func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil }), ErrPurpose},
		"an AK's purpose":        {m.ek(t, public, func(c *x509.Certificate) { c.UnknownExtKeyUsage[0] = asn1.ObjectIdentifier{2, 23, 133, 8, 3} }), ErrPurpose},
		"a client's purpose": {m.ek(t, public, func(c *x509.Certificate) {
			c.UnknownExtKeyUsage, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), ErrPurpose},
		"any purpose": {m.ek(t, public, func(c *x509.Certificate) {
			c.UnknownExtKeyUsage, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		}), ErrPurpose},
		"P-521":           {m.ek(t, &newECKey(t, elliptic.P521()).PublicKey), ErrKey},
		"P-224":           {m.ek(t, &newECKey(t, elliptic.P224()).PublicKey), ErrKey},
		"RSA-3072":        {m.ek(t, &large.PublicKey), ErrKey},
		"another e":       {m.ek(t, oddExponent), ErrKey},
		"Ed25519":         {m.ek(t, ed), ErrKey},
		"the root itself": {m.root.Raw, ErrPurpose},
		"the issuing CA":  {m.middle.Raw, ErrPurpose},
	} {
		if _, err := Check(c.der, nil, m.roots, m.intermediates, noon); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Check(expiredMiddle.ek(t, public), nil, expiredMiddle.roots, expiredMiddle.intermediates, noon); !errors.Is(err, ErrValidity) {
		t.Errorf("expired issuer: %v", err)
	}
	if _, err := Check(der, nil, m.roots, m.intermediates, noon.AddDate(50, 0, 0)); !errors.Is(err, ErrValidity) {
		t.Errorf("long after: %v", err)
	}
	if _, err := Check(der, nil, m.roots, nil, noon); !errors.Is(err, ErrChain) {
		t.Errorf("without the issuing CA: %v", err)
	}
}

// Nothing defaults to the system's roots or the clock's time.
func TestRootsAndTimeAreNeeded(t *testing.T) {
	m := newMaker(t)
	der := m.ek(t, &newECKey(t, elliptic.P256()).PublicKey)
	if _, err := Check(der, nil, nil, m.intermediates, noon); !errors.Is(err, ErrAuthority) {
		t.Error("no roots:", err)
	}
	if _, err := Check(der, nil, m.roots, m.intermediates, time.Time{}); !errors.Is(err, ErrAuthority) {
		t.Error("no time:", err)
	}
	if _, err := Check(der, nil, x509.NewCertPool(), m.intermediates, noon); !errors.Is(err, ErrChain) {
		t.Error("empty roots:", err)
	}
}

func TestPools(t *testing.T) {
	m := newMaker(t)
	armour := func(certificates ...*x509.Certificate) []byte {
		var out []byte
		for _, c := range certificates {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
		return out
	}
	der := m.ek(t, &newECKey(t, elliptic.P256()).PublicKey)
	for name, files := range map[string]map[string][]byte{
		"two files": {"a.pem": armour(m.middle), "b.pem": armour(m.root)},
		"one file":  {"all.pem": armour(m.middle, m.root)},
	} {
		roots, intermediates, err := Pools(files)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Check(der, nil, roots, intermediates, noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	roots, intermediates, err := Pools(map[string][]byte{"a.pem": armour(m.middle)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(der, nil, roots, intermediates, noon); !errors.Is(err, ErrChain) {
		t.Error("an intermediate is taken for a root:", err)
	}
	// A certificate that only says it is its own issuer is no root.
	liar := *m.middle
	impostor := newECKey(t, elliptic.P256())
	liar.RawSubject = m.root.RawSubject
	claimed := issue(t, &liar, m.root, &impostor.PublicKey, m.rootKey)
	if roots, _, err = Pools(map[string][]byte{"a.pem": armour(claimed)}); err != nil || !roots.Equal(x509.NewCertPool()) {
		t.Error("a certificate that another signed is taken for a root:", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"no PEM": []byte("x"), "empty": nil, "no CA": armour(leaf),
		"bad DER": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
	} {
		if _, _, err := Pools(map[string][]byte{"x.pem": file}); !errors.Is(err, ErrAuthority) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustRSA(t testing.TB) *rsa.PublicKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func selfSigned(t testing.TB) []byte {
	t.Helper()
	key := newECKey(t, elliptic.P256())
	template := ekTemplate(t)
	return issue(t, template, template, &key.PublicKey, key).Raw
}

func TestUnendorsed(t *testing.T) {
	public := mustRSA(t)
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Unendorsed(spki)
	if err != nil || k.Template() != RSA2048 {
		t.Error(err)
	}
	same, err := Rebuild(public)
	if err != nil || same.Digest() != k.Digest() {
		t.Error("one EK has two digests", err)
	}
	for name, spki := range map[string][]byte{"empty": nil, "cut off": spki[:20], "trailing byte": append(bytes.Clone(spki), 0)} {
		if _, err := Unendorsed(spki); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCheck: whatever a stranger sends as certificate, nothing panics, and only
// what the maker signed is accepted.
func FuzzCheck(f *testing.F) {
	// Always the same keys: a fuzzer's processes must agree on what is genuine.
	m := newMaker(f, func(m *maker) { m.rootKey, m.middleKey = fixedKey(f, 1), fixedKey(f, 2) })
	genuine := m.ek(f, &fixedKey(f, 3).PublicKey)
	f.Add(genuine)
	f.Add(append(bytes.Clone(genuine), 0, 0))
	f.Add(m.root.Raw)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, err := Check(der, nil, m.roots, m.intermediates, noon); err == nil && !bytes.HasPrefix(der, genuine) {
			t.Errorf("accepted % x", der)
		}
	})
}
