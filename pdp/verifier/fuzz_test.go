package verifier_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

// softDevice is a device whose AK is a key in memory: fast, for fuzzing and
// measuring alone.
type softDevice struct {
	private *ecdsa.PrivateKey
	record  wire.Device
	nonce   [32]byte
}

func newSoftDevice(t testing.TB) *softDevice {
	t.Helper()
	// Always the same: a fuzzer's processes must agree on what is genuine.
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	ak := []byte{0, 0x23, 0, 0x0b, 0, 5, 4, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10, 0, 32}
	ak = append(append(append(ak, point[1:33]...), 0, 32), point[33:]...)
	return &softDevice{private, wire.Device{
		ID: "dev-1", Provenance: wire.ProvenanceTPM, AK: ak,
		AKQualifiedName: append([]byte{0, 0x0b}, make([]byte, 32)...), TLSSPKI: make([]byte, 32),
	}, sha256.Sum256([]byte("nonce"))}
}

// evidence is what a TPM would give, byte for byte.
func (d *softDevice) evidence(t testing.TB, claims []byte) wire.Evidence {
	t.Helper()
	e := wire.Evidence{Claims: claims}
	var all []byte
	for _, index := range wire.QuotedPCRs {
		value := sha256.Sum256([]byte{byte(index)})
		e.PCRs = append(e.PCRs, wire.PCRValue{Index: index, Digest: value[:]})
		all = append(all, value[:]...)
	}
	binding := wire.QuoteBinding(d.nonce, claims, [32]byte(d.record.TLSSPKI))
	pcrs := sha256.Sum256(all)
	b := []byte{0xff, 'T', 'C', 'G', 0x80, 0x18, 0, 34}
	b = append(append(b, d.record.AKQualifiedName...), 0, 32)
	b = append(b, binding[:]...)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5)
	b = append(b, 0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0x47, 0, 0, 32)
	b = append(b, pcrs[:]...)
	digest := sha256.Sum256(b)
	der, err := d.private.Sign(nil, digest[:], crypto.SHA256) // RFC 6979
	if err != nil {
		t.Fatal(err)
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		t.Fatal(err)
	}
	signature := []byte{0, 0x18, 0, 0x0b, 0, 32}
	signature = append(append(signature, pair.R.FillBytes(make([]byte, 32))...), 0, 32)
	e.Quote = wire.Quote{Attest: b, Signature: append(signature, pair.S.FillBytes(make([]byte, 32))...)}
	return e
}

func (d *softDevice) input(e wire.Evidence) verifier.Input {
	return verifier.Input{
		Evidence: e, Device: d.record, Nonce: d.nonce, IssuedAt: noon, Now: noon.Add(time.Second), ValidFor: time.Minute,
		Rules: verifier.Rules{Policy: verifier.Policy{SupportedOS: []verifier.OS{{ID: "debian", Version: "13"}}}},
	}
}

// FuzzAppraise: arbitrary Evidence never panics, and affirms nothing unless it
// is the genuine one.
func FuzzAppraise(f *testing.F) {
	d := newSoftDevice(f)
	claims := goodClaims(f)
	genuine := d.evidence(f, claims)
	if !affirms(verifier.Appraise(d.input(genuine))) {
		f.Fatal("the genuine Evidence is refused")
	}
	pcrs := flatten(genuine.PCRs)
	f.Add(genuine.Claims, genuine.Quote.Attest, genuine.Quote.Signature, pcrs, []byte(nil))
	f.Add([]byte("{}"), genuine.Quote.Attest, genuine.Quote.Signature, pcrs, []byte(nil))
	f.Add(genuine.Claims, genuine.Quote.Attest[:50], genuine.Quote.Signature[:9], pcrs[:70], []byte("log"))
	f.Add([]byte(nil), []byte(nil), []byte(nil), []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, claims, attest, signature, pcrs, log []byte) {
		e := wire.Evidence{Claims: claims, Quote: wire.Quote{Attest: attest, Signature: signature}, PCRs: unflatten(pcrs), EventLog: log}
		r := verifier.Appraise(d.input(e))
		same := bytes.Equal(claims, genuine.Claims) && bytes.Equal(attest, genuine.Quote.Attest)
		if affirms(r) && !same {
			t.Errorf("affirmed: %+v", r)
		}
	})
}

// FuzzClaims: whatever document the true TPM quotes, Appraise does not panic,
// and passes on no claim with an invented state, nor the same one twice.
func FuzzClaims(f *testing.F) {
	d := newSoftDevice(f)
	f.Add(goodClaims(f))
	f.Add([]byte(`{"claims":[{"id":"firewall","state":"exception","measured_at":"2026-11-22T12:00:00Z","source":""}]}`))
	f.Add([]byte(`{"claims":null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, claims []byte) {
		r := verifier.Appraise(d.input(d.evidence(t, claims)))
		seen := map[wire.ClaimID]bool{}
		for _, c := range r.Claims {
			if !c.State.Valid() || c.State == wire.ClaimException || seen[c.ID] {
				t.Errorf("%+v", c)
			}
			seen[c.ID] = true
		}
		if r.Vector.Configuration == wire.Affirming {
			t.Errorf("configuration affirmed over a boot that is not: %+v", r)
		}
	})
}

func flatten(values []wire.PCRValue) (all []byte) {
	for _, value := range values {
		all = binary.BigEndian.AppendUint16(all, uint16(value.Index))
		all = append(all, value.Digest...)
	}
	return all
}

func unflatten(b []byte) (values []wire.PCRValue) {
	for len(b) >= 2 {
		end := min(34, len(b))
		values = append(values, wire.PCRValue{Index: int(int16(binary.BigEndian.Uint16(b))), Digest: b[2:end]})
		b = b[end:]
	}
	return values
}

// BenchmarkAppraise is a whole appraisal beside its floor, a bare ECDSA
// verification (budget: 1.5 × the floor).
func BenchmarkAppraise(b *testing.B) {
	d := newSoftDevice(b)
	in := d.input(d.evidence(b, goodClaims(b)))
	digest := sha256.Sum256(in.Evidence.Quote.Attest)
	der, err := ecdsa.SignASN1(rand.Reader, d.private, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&d.private.PublicKey, digest[:], der) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("evidence", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !affirms(verifier.Appraise(in)) {
				b.Fatal("refused")
			}
		}
	})
}
