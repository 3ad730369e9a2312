package keyring

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Approval is the key by which this PDP signs what was approved here (Ed25519,
// RFC 8032): reference values that were learned, and access policy sets, each
// under a label of its own. It is derived from the sealing
// key (HKDF, RFC 5869), which lies in the same folder under the same mode: so
// it needs no file of its own, and a ring that was made before has it too.
func (r *Ring) Approval() (ed25519.PrivateKey, error) {
	seed, err := hkdf.Key(sha256.New, r.Seal[:], nil, "menshen/reference-approval/v1", ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
