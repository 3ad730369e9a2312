package endorsement

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// verify finds a chain from c to one of the roots, by way of the configured
// intermediates and of those that the device sent.
func verify(c *x509.Certificate, sent [][]byte, roots, intermediates *x509.CertPool, now time.Time) error {
	between, unusable := join(intermediates, sent)
	_, err := c.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // an EK's own purpose is checked by Check
	})
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: %w", ErrValidity, errors.Join(err, unusable))
	default:
		return fmt.Errorf("%w: %w", ErrChain, errors.Join(err, unusable))
	}
}

// join adds to the configured intermediates those that the device carries in
// its NV (EK Credential Profile, 2.2.1.5). They are hints from a stranger: one
// that is not fit to vouch for an EK is left out, and why is told where no
// chain is found without it.
func join(intermediates *x509.CertPool, sent [][]byte) (between *x509.CertPool, unusable error) {
	if len(sent) == 0 {
		return intermediates, nil
	}
	between = x509.NewCertPool()
	if intermediates != nil {
		between = intermediates.Clone()
	}
	for i, raw := range sent {
		c, err := parse(raw)
		if err == nil {
			err = vouches(c)
		}
		if err != nil {
			unusable = errors.Join(unusable, fmt.Errorf("intermediate %d of the device: %w", i, err))
			continue
		}
		between.AddCert(c)
	}
	return between, unusable
}

// maxRSABits is the longest RSA key of a TPM maker's CA.
const maxRSABits = 4096

var errNoAuthority = errors.New("it may not vouch for an EK")

// vouches demands of a certificate that the device sent all that makes it a CA
// for EKs. crypto/x509 takes a key usage that is absent for any, and is asked
// for any purpose; a TLS CA under a root that does both must not vouch for TPMs.
// Length of path, validity and name constraints are crypto/x509's to check, but
// not how long a stranger's key keeps it busy: that grows with the cube of the
// key's length, for each of a hundred signatures that it tries.
func vouches(c *x509.Certificate) error {
	purposes := len(c.ExtKeyUsage) + len(c.UnknownExtKeyUsage)
	key, isRSA := c.PublicKey.(*rsa.PublicKey)
	switch {
	case isRSA && key.N.BitLen() > maxRSABits:
		return fmt.Errorf("%w: its RSA key is longer than %d bits", errNoAuthority, maxRSABits)
	case !c.BasicConstraintsValid || !c.IsCA:
		return fmt.Errorf("%w: it is not a CA's", errNoAuthority)
	case c.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("%w: its key usage is not to sign certificates", errNoAuthority)
	case purposes > 0 && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) && !slices.ContainsFunc(c.UnknownExtKeyUsage, purpose.Equal):
		return fmt.Errorf("%w: its extended key usage is another", errNoAuthority)
	}
	return nil
}
