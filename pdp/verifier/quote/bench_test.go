package quote

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"
)

// BenchmarkVerify stands beside its floor, a bare ECDSA verification, and
// beside the same with the key parsed each time (budget: 1.15 × the floor).
func BenchmarkVerify(b *testing.B) {
	f := newForger(b)
	a := f.attest(b)
	attest := a.Marshal()
	q := f.quote(b, attest)
	digest := sha256.Sum256(attest)
	signature, err := ParseSignature(q.Signature)
	if err != nil {
		b.Fatal(err)
	}
	der := signature.der(nil)
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&f.private.PublicKey, digest[:], der) {
				b.Fatal("refused")
			}
		}
	})
	key := f.key(b)
	b.Run("quote", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := key.Verify(q, f.extra, f.pcrs); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("key-and-quote", func(b *testing.B) {
		for b.Loop() {
			key, err := NewKey(f.public, f.name)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := key.Verify(q, f.extra, f.pcrs); err != nil {
				b.Fatal(err)
			}
		}
	})
}
