package wire

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// sequence returns n bytes that count up from first.
func sequence(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// TestBindingVectors fixes the protocol: the values were computed apart from
// this package, as SHA-256(SHA-256(label) | nonce | SHA-256(body) | SPKI).
func TestBindingVectors(t *testing.T) {
	nonce, spki := [32]byte(sequence(0, 32)), [32]byte(sequence(32, 32))
	for name, c := range map[string]struct {
		got  [32]byte
		want string
	}{
		"quote":   {QuoteBinding(nonce, []byte(`{"claims":[]}`), spki), "81f5abd92e2c9696cce9a6ff92eb79b45dc0baeae3084db91450ae19ee2c2819"},
		"tls":     {CertifyBinding("tls", nonce, spki), "f943d3780844900625fbe42ccc9a22933a4a0ecf88b38ffdfa1401adc5aa3d7c"},
		"signing": {CertifyBinding("signing", nonce, spki), "7de88e9936ef72ae90565560bd7cad12305662c02f4b93f07eeac861b998145f"},
	} {
		if got := hex.EncodeToString(c.got[:]); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestEveryPartIsBound(t *testing.T) {
	nonce, spki, claims := [32]byte(sequence(0, 32)), [32]byte(sequence(32, 32)), []byte("claims")
	want := QuoteBinding(nonce, claims, spki)
	otherNonce, otherSPKI := nonce, spki
	otherNonce[31] ^= 1
	otherSPKI[0] ^= 1
	for name, got := range map[string][32]byte{
		"nonce":            QuoteBinding(otherNonce, claims, spki),
		"claims":           QuoteBinding(nonce, []byte("claimt"), spki),
		"no claims":        QuoteBinding(nonce, nil, spki),
		"key":              QuoteBinding(nonce, claims, otherSPKI),
		"exchanged":        QuoteBinding(spki, claims, nonce),
		"a certified key":  CertifyBinding("tls", nonce, spki),
		"another purpose":  CertifyBinding("signing", nonce, spki),
		"purpose of quote": CertifyBinding("../quote", nonce, spki),
	} {
		if got == want {
			t.Errorf("%s: the binding is the same", name)
		}
	}
	if CertifyBinding("tls", nonce, spki) == CertifyBinding("signing", nonce, spki) {
		t.Error("a TLS key passes for a signing key")
	}
}

// FuzzQuoteBinding looks for claims that share a binding, and for a dependence
// on anything but the arguments.
func FuzzQuoteBinding(f *testing.F) {
	f.Add(sequence(0, 32), []byte(`{"claims":[]}`), []byte(`{"claims":[ ]}`), sequence(32, 32))
	f.Add([]byte{}, []byte{}, []byte{0}, []byte{})
	f.Fuzz(func(t *testing.T, nonce, a, b, spki []byte) {
		var n, k [32]byte
		copy(n[:], nonce)
		copy(k[:], spki)
		same := QuoteBinding(n, a, k) == QuoteBinding(n, b, k)
		if same != bytes.Equal(a, b) {
			t.Fatalf("%x and %x", a, b)
		}
	})
}
