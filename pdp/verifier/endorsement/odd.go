package endorsement

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// TPM makers issued certificates that crypto/x509 refuses to read. Each such
// oddity is met here for itself; the signature is always verified over the
// bytes that the maker signed.

// decode reads one certificate. A serial number that is negative, or that
// begins with needless zeros, is against RFC 5280, 4.1.2.2 and X.690, 8.3.2,
// and burnt into chips all the same. The serial number decides nothing here, so
// a twin with another serial number of the same length is read, and is then
// given back the maker's own bytes: crypto/x509 verifies the signature over
// RawTBSCertificate and tells certificates apart by Raw. (Go's own setting for
// negative numbers, x509negativeserial, would hold for the whole process, its
// TLS too.)
func decode(der []byte) (*x509.Certificate, error) {
	serial, ok := oddSerial(der)
	if !ok {
		return x509.ParseCertificate(der)
	}
	twin := bytes.Clone(der)
	twin[serial.begin] = 1
	c, err := x509.ParseCertificate(twin)
	if err != nil {
		return nil, err
	}
	c.Raw = bytes.Clone(der)
	c.RawTBSCertificate = c.Raw[serial.tbs : serial.tbs+len(c.RawTBSCertificate)]
	c.SerialNumber = signed(der[serial.begin:serial.end])
	return c, nil
}

// place is where a certificate's serial number lies.
type place struct{ tbs, begin, end int }

// oddSerial finds a serial number that crypto/x509 refuses; false for any
// other certificate, and for what is none.
func oddSerial(der []byte) (place, bool) {
	var outer, tbs, first, serial asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return place{}, false
	}
	if _, err := asn1.Unmarshal(outer.Bytes, &tbs); err != nil {
		return place{}, false
	}
	rest, err := asn1.Unmarshal(tbs.Bytes, &first)
	if err != nil {
		return place{}, false
	}
	if serial = first; first.Class == asn1.ClassContextSpecific && first.Tag == 0 { // the version
		if _, err := asn1.Unmarshal(rest, &serial); err != nil {
			return place{}, false
		}
	} else {
		rest = tbs.Bytes
	}
	b := serial.Bytes
	if serial.Class != asn1.ClassUniversal || serial.Tag != asn1.TagInteger || len(b) == 0 {
		return place{}, false
	}
	negative, padded := b[0]&0x80 != 0, len(b) > 1 && b[0] == 0 && b[1]&0x80 == 0
	if !negative && !padded {
		return place{}, false
	}
	at := place{tbs: len(outer.FullBytes) - len(outer.Bytes)}
	afterTBSHeader := at.tbs + len(tbs.FullBytes) - len(tbs.Bytes)
	at.begin = afterTBSHeader + len(tbs.Bytes) - len(rest) + len(serial.FullBytes) - len(b)
	at.end = at.begin + len(b)
	return at, true
}

// signed reads a two's complement number.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b)))) // #nosec G115 -- a length
	}
	return n
}

// rsaesOAEP marks an RSA key that is for OAEP alone (RFC 4055, 4.1), as EKs are.
var rsaesOAEP = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7}

// publicKey returns the certified key. crypto/x509 knows RSA keys under
// rsaEncryption only; how an EK pads is said by its template, so the
// parameters of id-RSAES-OAEP say nothing more.
func publicKey(c *x509.Certificate) (crypto.PublicKey, error) {
	if c.PublicKey != nil {
		return c.PublicKey, nil
	}
	var info struct {
		Algorithm struct {
			ID         asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Key asn1.BitString
	}
	rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info)
	if err != nil || len(rest) != 0 || !info.Algorithm.ID.Equal(rsaesOAEP) {
		return nil, fmt.Errorf("%w: neither RSA nor ECDSA", ErrKey)
	}
	key, err := x509.ParsePKCS1PublicKey(info.Key.RightAlign())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}
