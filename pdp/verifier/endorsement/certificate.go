package endorsement

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"
)

// maxCertificate bounds an EK certificate with its padding.
const maxCertificate = 8 << 10

// purpose is tcg-kp-EKCertificate (EK Credential Profile, 3.2.16).
var purpose = asn1.ObjectIdentifier{2, 23, 133, 8, 1}

// subjectAltName is a critical extension in EK certificates whose subject is
// empty (RFC 5280, 4.2.1.6). It holds the TPM's maker and model as a directory
// name, which crypto/x509 does not handle; nothing here depends on it.
var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// Check judges an EK certificate at the given time and rebuilds the EK. Sent
// are certificates that the device carries beside it: they may lie between the
// EK and a root, and are never roots.
func Check(certificate []byte, sent [][]byte, roots, intermediates *x509.CertPool, now time.Time) (*Key, error) {
	if roots == nil || now.IsZero() {
		// crypto/x509 would take the system's roots, and the clock's time.
		return nil, fmt.Errorf("%w: roots and a time are needed", ErrAuthority)
	}
	c, err := parse(certificate)
	if err != nil {
		return nil, err
	}
	switch {
	case c.IsCA, c.KeyUsage&x509.KeyUsageCertSign != 0:
		return nil, fmt.Errorf("%w: it is a CA's", ErrPurpose)
	case !slices.ContainsFunc(c.UnknownExtKeyUsage, purpose.Equal):
		return nil, fmt.Errorf("%w: its extended key usage does not say so", ErrPurpose)
	}
	if err := verify(c, sent, roots, intermediates, now); err != nil {
		return nil, err
	}
	key, err := publicKey(c)
	if err != nil {
		return nil, err
	}
	return Rebuild(key)
}

// parse reads one certificate behind which the NV area's padding may stand, and
// takes the subject's alternative name, and nothing else, off the list of
// critical extensions that nobody handled.
func parse(raw []byte) (*x509.Certificate, error) {
	if len(raw) > maxCertificate {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrCertificate, maxCertificate)
	}
	var outer asn1.RawValue
	padding, err := asn1.Unmarshal(raw, &outer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if !isPadding(padding) {
		return nil, fmt.Errorf("%w: something else follows it", ErrCertificate)
	}
	c, err := decode(outer.FullBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	c.UnhandledCriticalExtensions = slices.DeleteFunc(c.UnhandledCriticalExtensions, subjectAltName.Equal)
	return c, nil
}

// isPadding reports whether b is what a blank NV area holds.
func isPadding(b []byte) bool {
	return len(bytes.Trim(b, "\x00")) == 0 || len(bytes.Trim(b, "\xff")) == 0
}

// Pools sorts PEM files of TPM makers' CA certificates into roots, which sign
// themselves, and intermediates, which alone are trusted for nothing.
func Pools(files map[string][]byte) (roots, intermediates *x509.CertPool, err error) {
	roots, intermediates = x509.NewCertPool(), x509.NewCertPool()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		found := false
		for block, rest := pem.Decode(files[name]); block != nil; block, rest = pem.Decode(rest) {
			c, err := parse(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("%w: %s: %w", ErrAuthority, name, err)
			}
			switch {
			case !c.IsCA:
				return nil, nil, fmt.Errorf("%w: %s holds a certificate that is not a CA's", ErrAuthority, name)
			case c.CheckSignatureFrom(c) == nil:
				roots.AddCert(c)
			default:
				intermediates.AddCert(c)
			}
			found = true
		}
		if !found {
			return nil, nil, fmt.Errorf("%w: %s holds no certificate in PEM", ErrAuthority, name)
		}
	}
	return roots, intermediates, nil
}
