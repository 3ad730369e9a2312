package token

import "fmt"

// EnsureSET makes an agency's keys for security events if it has none. Their
// public halves are published beside those of its access tokens.
func (i *Issuer) EnsureSET(agency string) error {
	_, err := i.ring(agency, i.events, true)
	return err
}

// SignSET signs the claims of a Security Event Token (RFC 8417) in an agency's
// name: RS256, typ secevent+jwt. It makes no key: see EnsureSET.
func (i *Issuer) SignSET(agency string, claims []byte) (string, error) {
	ring, err := i.ring(agency, i.events, false)
	if err != nil {
		return "", err
	}
	signed, err := ring.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("token: signing an event: %w", err)
	}
	return signed.CompactSerialize()
}
