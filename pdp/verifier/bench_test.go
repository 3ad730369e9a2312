package verifier_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
	"github.com/menshen-zt/menshen/test/attacker"
	"github.com/menshen-zt/menshen/test/firmware"
)

// boot34 is a boot whose log has 34 kB, as a laptop's has that was in use for
// some years: a long list of revocations, and many files.
func boot34(b *testing.B) (log []byte, pcrs []wire.PCRValue) {
	b.Helper()
	m := firmware.Laptop("bench")
	for n := range 200 {
		m.DBX = append(m.DBX, fmt.Sprint("revoked ", n))
	}
	for len(log) < 34<<10 {
		m.Files = append(m.Files, firmware.File{Path: fmt.Sprintf("/boot/grub/x86_64-efi/module-%d.mod", len(m.Files)), Content: "module"})
		events, err := firmware.Build(m)
		if err != nil {
			b.Fatal(err)
		}
		log, pcrs = firmware.Marshal(events, crypto.SHA1, crypto.SHA256), pcrs[:0]
		replayed := firmware.Replay(events, crypto.SHA256, 0)
		for _, index := range wire.QuotedPCRs {
			pcrs = append(pcrs, wire.PCRValue{Index: index, Digest: replayed[index]})
		}
	}
	return log, pcrs
}

// BenchmarkAttestation is a whole appraisal beside its floor, a bare ECDSA
// verification: the first with a log of 34 kB, and one in which nothing changed
// (budget: 1.5 × the floor).
func BenchmarkAttestation(b *testing.B) {
	s, err := attacker.NewSimulated(1)
	if err != nil {
		b.Fatal(err)
	}
	log, pcrs := boot34(b)
	claims := goodClaims(b)
	in := verifier.Input{
		Device: wire.Device{ID: "dev-1", Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM, AK: s.Public, AKQualifiedName: s.Name, TLSSPKI: s.SPKI[:]},
		Nonce:  sha256.Sum256([]byte("nonce")), IssuedAt: noon, Now: noon.Add(time.Second), ValidFor: 15 * time.Minute,
	}
	in.Rules.Version = "1"
	in.Policy = verifier.Policy{SupportedOS: []verifier.OS{{ID: "debian", Version: "13"}}, Boot: verifier.DefaultBootPolicy()}
	binding := wire.QuoteBinding(in.Nonce, claims, s.SPKI)
	quote, err := s.Quote(binding[:], pcrs)
	if err != nil {
		b.Fatal(err)
	}
	in.Evidence = wire.Evidence{Claims: claims, Quote: quote, PCRs: pcrs, EventLog: log}
	digest := sha256.Sum256(quote.Attest)
	der, err := ecdsa.SignASN1(rand.Reader, s.AK, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&s.AK.PublicKey, digest[:], der) {
				b.Fatal("refused")
			}
		}
	})
	first := verifier.Appraise(in)
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out := verifier.Appraise(in); out.Boot == nil || out.Vector.InstanceIdentity != wire.Affirming {
				b.Fatalf("%+v", out.Findings)
			}
		}
	})
	claimsDigest, logDigest := sha256.Sum256(claims), sha256.Sum256(log)
	next := in
	next.Evidence.Claims, next.Evidence.EventLog = nil, nil
	next.Evidence.ClaimsDigest, next.Evidence.EventLogDigest = claimsDigest[:], logDigest[:]
	next.Last, next.Rests, next.Previous = &first.AttestationResult, first.Rests, &first.Clock
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out := verifier.Appraise(next); out.Rests != first.Rests || out.Vector != first.Vector || out.Incomplete {
				b.Fatalf("%+v", out)
			}
		}
	})
}
