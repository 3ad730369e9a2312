package attacker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Simulated is a device without a TPM, whose keys were never enrolled but
// written into the PDP's store: what enrolment keeps out, and what a bench needs
// thousands of. Its signatures are real.
type Simulated struct {
	AK, TLS *ecdsa.PrivateKey
	Public  []byte // the AK's TPMT_PUBLIC
	Name    []byte // the AK's Qualified Name
	SPKI    [sha256.Size]byte
	clock   uint64
}

// NewSimulated is the n-th simulated device: the same keys for the same number.
func NewSimulated(n int) (*Simulated, error) {
	s := new(Simulated)
	for name, key := range map[string]**ecdsa.PrivateKey{"ak": &s.AK, "tls": &s.TLS} {
		seed := sha256.Sum256(fmt.Appendf(nil, "simulated %s %d", name, n))
		seed[0] &= 0x7f // below the group's order
		var err error
		if *key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:]); err != nil {
			return nil, err
		}
	}
	var err error
	if s.Public, err = area(&s.AK.PublicKey, true); err != nil {
		return nil, err
	}
	tls, err := area(&s.TLS.PublicKey, false)
	if err != nil {
		return nil, err
	}
	if s.SPKI, err = SPKI(tls); err != nil {
		return nil, err
	}
	name := sha256.Sum256(s.Public)
	s.Name = append([]byte{0, 0x0b}, name[:]...)
	return s, nil
}

// area is a key's TPMT_PUBLIC.
func area(key *ecdsa.PublicKey, restricted bool) ([]byte, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	template := Template(restricted)
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: point[1:33]}, Y: tpm2.TPM2BECCParameter{Buffer: point[33:]},
	})
	return tpm2.Marshal(template), nil
}

// Quote is one over PCRs, as a TPM that never resets would make it.
func (s *Simulated) Quote(extra []byte, pcrs []wire.PCRValue) (wire.Quote, error) {
	s.clock++
	sized := func(to, b []byte) []byte { return append(binary.BigEndian.AppendUint16(to, uint16(len(b))), b...) }
	attest := sized([]byte{0xff, 0x54, 0x43, 0x47, 0x80, 0x18}, s.Name)
	attest = sized(attest, extra)
	attest = binary.BigEndian.AppendUint64(attest, s.clock)
	attest = append(attest, 0, 0, 0, 1, 0, 0, 0, 0, 1) // resets, restarts, safe
	attest = binary.BigEndian.AppendUint64(attest, 1)
	attest = append(attest, 0, 0, 0, 1, 0, 0x0b, 3)
	var selected [3]byte
	h := sha256.New()
	for _, p := range pcrs {
		selected[p.Index/8] |= 1 << (p.Index % 8)
		h.Write(p.Digest)
	}
	attest = sized(append(attest, selected[:]...), h.Sum(nil))
	signature, err := s.sign(attest)
	return wire.Quote{Attest: attest, Signature: signature}, err
}

// sign makes a TPMT_SIGNATURE.
func (s *Simulated) sign(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	der, err := ecdsa.SignASN1(rand.Reader, s.AK, sum[:])
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	out := []byte{0, 0x18, 0, 0x0b}
	for _, n := range []*big.Int{pair.R, pair.S} {
		out = append(binary.BigEndian.AppendUint16(out, 32), n.FillBytes(make([]byte, 32))...)
	}
	return out, nil
}
