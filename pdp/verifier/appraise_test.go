package verifier_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

func affirms(r wire.Appraised) bool {
	v := r.Vector
	return slices.Contains([]wire.Trustworthiness{v.InstanceIdentity, v.Hardware, v.Executables, v.Configuration}, wire.Affirming)
}

func TestGenuineEvidence(t *testing.T) {
	d := enrolled(t, machine(t, first))
	in := d.input(t, goodClaims(t))
	r := verifier.Appraise(in)
	want := wire.TrustVector{
		InstanceIdentity: wire.Affirming, Hardware: wire.Affirming, Executables: wire.TrustNone,
		Configuration: wire.Warning, // capped by the boot that nothing is known of
	}
	if r.Vector != want || len(r.Claims) != 12 || r.DeviceID != "dev-1" || codes(r) != noBoot {
		t.Errorf("%+v", r)
	}
	if !r.IssuedAt.Equal(noon) || !r.ValidUntil.Equal(noon.Add(15*time.Minute)) || r.Clock.Clock == 0 || r.Clock.FirmwareVersion == 0 {
		t.Errorf("%+v", r)
	}
	in.Device.Provenance = wire.ProvenanceTPMUnendorsed
	if r := verifier.Appraise(in); r.Vector.Hardware != wire.Warning || r.Vector.InstanceIdentity != wire.Affirming {
		t.Errorf("unendorsed: %+v", r.Vector)
	}
}

// refused says that Evidence was found forged, by that check, and that nothing
// of it is passed on.
func refused(t *testing.T, name string, r wire.Appraised, code string) {
	t.Helper()
	if affirms(r) || r.Vector.InstanceIdentity != wire.Contraindicated || len(r.Findings) != 1 || len(r.Claims) != 0 ||
		r.Clock != (wire.TPMClock{}) || r.Findings[0].Type != wire.FindingTampered || r.Findings[0].Reason.Code != code {
		t.Errorf("%s: %+v %s, want %s", name, r.Vector, codes(r), code)
	}
	text := reason.Of(reason.English, r.Findings[0].Reason)
	if !text.Withheld {
		t.Errorf("%s tells a person how the forgery was found", r.Findings[0].Reason.Code)
	}
}

func TestForgedEvidence(t *testing.T) {
	b, other := machine(t, first), machine(t, second)
	d, stranger := enrolled(t, b), enrolled(t, other)
	d.extend(t, 0) // a software TPM's PCRs are all alike without firmware
	claims := goodClaims(t)
	worse := goodClaims(t, func(all map[wire.ClaimID]*wire.Claim) { all[wire.ClaimFirewall].State = wire.ClaimFail })
	if r := verifier.Appraise(d.input(t, worse)); !affirms(r) {
		t.Fatal("the honest Evidence is refused: " + codes(r))
	}
	emptyDigest := sha256.Sum256(nil)

	for name, c := range map[string]struct {
		forge func(in *verifier.Input)
		code  string
	}{
		"claims swapped":         {func(in *verifier.Input) { in.Evidence.Claims = claims }, reason.EvidenceBinding},
		"one byte of claims":     {func(in *verifier.Input) { in.Evidence.Claims = append(bytes.Clone(worse), ' ') }, reason.EvidenceBinding},
		"replayed for a nonce":   {func(in *verifier.Input) { in.Nonce[0] ^= 1 }, reason.EvidenceBinding},
		"other TLS key":          {func(in *verifier.Input) { in.Device.TLSSPKI = stranger.record.TLSSPKI }, reason.EvidenceBinding},
		"other device's quote":   {func(in *verifier.Input) { in.Evidence.Quote = stranger.input(t, worse).Evidence.Quote }, reason.EvidenceSignature},
		"other device's AK":      {func(in *verifier.Input) { in.Device.AK = stranger.record.AK }, reason.EvidenceSignature},
		"other Qualified Name":   {func(in *verifier.Input) { in.Device.AKQualifiedName = stranger.record.AKQualifiedName }, reason.EvidenceSigner},
		"no quote":               {func(in *verifier.Input) { in.Evidence.Quote = wire.Quote{} }, reason.EvidenceAlgorithm},
		"no attest":              {func(in *verifier.Input) { in.Evidence.Quote.Attest = nil }, reason.EvidenceSignature},
		"trailing byte, attest":  {func(in *verifier.Input) { in.Evidence.Quote.Attest = append(in.Evidence.Quote.Attest, 0) }, reason.EvidenceSignature},
		"trailing byte, signed":  {func(in *verifier.Input) { in.Evidence.Quote.Signature = append(in.Evidence.Quote.Signature, 0) }, reason.EvidenceMalformed},
		"other algorithm":        {func(in *verifier.Input) { in.Evidence.Quote.Signature[1] = 0x14 }, reason.EvidenceAlgorithm},
		"PCR values exchanged":   {func(in *verifier.Input) { p := in.Evidence.PCRs; p[0].Digest, p[10].Digest = p[10].Digest, p[0].Digest }, reason.EvidencePCRs},
		"no PCR values":          {func(in *verifier.Input) { in.Evidence.PCRs = nil }, reason.EvidencePCRs},
		"larger than the bounds": {func(in *verifier.Input) { in.Evidence.EventLog = make([]byte, wire.MaxEventLogBytes+1) }, reason.EvidenceMalformed},
		"claims past the bound":  {func(in *verifier.Input) { in.Evidence.Claims = make([]byte, wire.MaxClaimsBytes+1) }, reason.EvidenceMalformed},

		// What the true AK signs, but not what was asked for.
		"inactive SHA-1 bank": {func(in *verifier.Input) {
			requote(t, d, in, selectPCRs(tpm2.TPMAlgSHA1, quotedPCRs()...))
			attest, err := tpm2.Unmarshal[tpm2.TPMSAttest](in.Evidence.Quote.Attest)
			if err != nil {
				t.Fatal(err)
			}
			info, err := attest.Attested.Quote()
			if err != nil || !bytes.Equal(info.PCRDigest.Buffer, emptyDigest[:]) {
				t.Error("an inactive bank is not quoted as nothing any more", err)
			}
		}, reason.EvidenceSelection},
		"no PCRs":    {func(in *verifier.Input) { requote(t, d, in, selectPCRs(tpm2.TPMAlgSHA256)) }, reason.EvidenceSelection},
		"fewer PCRs": {func(in *verifier.Input) { requote(t, d, in, selectPCRs(tpm2.TPMAlgSHA256, quotedPCRs()[1:]...)) }, reason.EvidenceSelection},
		"PCR 16 added": {func(in *verifier.Input) {
			requote(t, d, in, selectPCRs(tpm2.TPMAlgSHA256, append(quotedPCRs(), 16)...))
		}, reason.EvidenceSelection},
		"PCR 16 for 0": {func(in *verifier.Input) {
			requote(t, d, in, selectPCRs(tpm2.TPMAlgSHA256, append(quotedPCRs()[1:], 16)...))
		}, reason.EvidenceSelection},
		"a second bank": {func(in *verifier.Input) {
			s := selectPCRs(tpm2.TPMAlgSHA256, quotedPCRs()...)
			s.PCRSelections = append(s.PCRSelections, selectPCRs(tpm2.TPMAlgSHA1, 0).PCRSelections...)
			requote(t, d, in, s)
		}, reason.EvidenceSelection},
		"a certification": {func(in *verifier.Input) {
			binding := wire.QuoteBinding(in.Nonce, in.Evidence.Claims, [32]byte(in.Device.TLSSPKI))
			k := d.certified(t, d.ak, binding[:])
			in.Evidence.Quote = wire.Quote{Attest: k.Attest, Signature: k.Signature}
		}, reason.EvidenceType},
	} {
		in := d.input(t, worse)
		c.forge(&in)
		refused(t, name, verifier.Appraise(in), c.code)
	}

	// A quote from before a PCR was extended, sent with the values after it,
	// and the other way round.
	before := d.input(t, worse)
	d.extend(t, 14)
	after := d.input(t, worse)
	before.Evidence.PCRs, after.Evidence.PCRs = after.Evidence.PCRs, before.Evidence.PCRs
	refused(t, "values after", verifier.Appraise(before), reason.EvidencePCRs)
	refused(t, "values before", verifier.Appraise(after), reason.EvidencePCRs)
}

// requote replaces the quote by one over other PCRs.
func requote(t *testing.T, d *device, in *verifier.Input, s tpm2.TPMLPCRSelection) {
	t.Helper()
	binding := wire.QuoteBinding(in.Nonce, in.Evidence.Claims, [32]byte(in.Device.TLSSPKI))
	in.Evidence.Quote = d.quote(t, binding[:], s)
}

// The demonstrated exploit: an unrestricted key in the true TPM signs a quote
// that no TPM made, over PCR values of a machine that never booted so.
func TestUnrestrictedAKSignsAForgedQuote(t *testing.T) {
	b := machine(t, first)
	ek := b.persistentEK(t, p384EK)
	d := enrolled(t, b)
	forger := b.child(t, ek, signing(false))
	in := d.input(t, goodClaims(t))

	attest, err := tpm2.Unmarshal[tpm2.TPMSAttest](in.Evidence.Quote.Attest)
	if err != nil {
		t.Fatal(err)
	}
	for i := range in.Evidence.PCRs {
		in.Evidence.PCRs[i].Digest = bytes.Repeat([]byte{0xcc}, 32)
	}
	var all []byte
	for _, value := range in.Evidence.PCRs {
		all = append(all, value.Digest...)
	}
	wanted := sha256.Sum256(all)
	attest.Attested = tpm2.NewTPMUAttest(tpm2.TPMSTAttestQuote, &tpm2.TPMSQuoteInfo{
		PCRSelect: selectPCRs(tpm2.TPMAlgSHA256, quotedPCRs()...), PCRDigest: tpm2.TPM2BDigest{Buffer: wanted[:]},
	})
	in.Evidence.Quote.Attest = tpm2.Marshal(attest)
	digest := sha256.Sum256(in.Evidence.Quote.Attest)
	if _, err := b.signRaw(d.ak, digest); err == nil {
		t.Fatal("the restricted AK signed what no TPM made")
	}
	signature, err := b.signRaw(forger, digest)
	if err != nil {
		t.Fatal(err)
	}
	in.Evidence.Quote.Signature = signature
	if !genuineSignature(t, forger.public, digest, signature) {
		t.Fatal("the forgery is not even signed")
	}

	// Enrolment refuses the key, and with it the challenge.
	if err := b.endorser(t).CheckAK(forger.public); err == nil {
		t.Error("an unrestricted AK was accepted")
	}
	// A record that names it all the same is not used, ...
	in.Device.AK = forger.public
	if r := verifier.Appraise(in); affirms(r) || codes(r) != "unsupported/"+reason.EvidenceUnpinned+" " {
		t.Errorf("%+v %s", r.Vector, codes(r))
	}
	// ... and the forgery is not this device's.
	in.Device = d.record
	refused(t, "unrestricted AK", verifier.Appraise(in), reason.EvidenceSignature)
}

func genuineSignature(t *testing.T, public []byte, digest [32]byte, signature []byte) bool {
	t.Helper()
	s, err := tpm2.Unmarshal[tpm2.TPMTSignature](signature)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := s.Signature.ECDSA()
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(pair.SignatureR.Buffer), new(big.Int).SetBytes(pair.SignatureS.Buffer)})
	if err != nil {
		t.Fatal(err)
	}
	return ecdsa.VerifyASN1(ecdsaKey(t, public), digest[:], der)
}

// AKs of the owner's and the NULL hierarchy, and of another EK, have the right
// attributes and answer the challenge; their Qualified Names give them away.
func TestAKsOfOtherHierarchies(t *testing.T) {
	for name, parent := range map[string]func(t *testing.T, b *bench) object{
		"owner":      func(t *testing.T, b *bench) object { return b.primary(t, tpm2.TPMRHOwner, tpm2.ECCSRKTemplate) },
		"NULL":       func(t *testing.T, b *bench) object { return b.primary(t, tpm2.TPMRHNull, tpm2.ECCSRKTemplate) },
		"other EK":   func(t *testing.T, b *bench) object { return b.persistentEK(t, rsaEK) },
		"SRK-like":   func(t *testing.T, b *bench) object { return b.primary(t, tpm2.TPMRHEndorsement, tpm2.ECCSRKTemplate) },
		"NULL EK":    func(t *testing.T, b *bench) object { return nullEK(t, b) },
		"owner's EK": func(t *testing.T, b *bench) object { return ownersEK(t, b) },
	} {
		t.Run(name, func(t *testing.T) {
			b := machine(t, first)
			ek := b.persistentEK(t, p384EK)
			ak := b.child(t, parent(t, b), signing(true))
			key, err := b.endorser(t).Endorse(b.certificate(t, p384Certificate), nil, noon)
			if err != nil {
				t.Fatal(err)
			}
			secret := sha256.Sum256([]byte("secret"))
			blob, encrypted, err := key.Challenge(ak.public, secret[:])
			if err != nil {
				t.Fatal(err)
			}
			answer, err := tpm2.ActivateCredential{
				ActivateHandle: ak.auth(), KeyHandle: ek.auth(),
				CredentialBlob: tpm2.TPM2BIDObject{Buffer: blob}, Secret: tpm2.TPM2BEncryptedSecret{Buffer: encrypted},
			}.Execute(b.tpm)
			if err != nil || !bytes.Equal(answer.CertInfo.Buffer, secret[:]) {
				t.Fatalf("%s: the challenge alone would have refused it: %v", name, err)
			}
			d := pin(t, b, ek, ak)
			refused(t, name, verifier.Appraise(d.input(t, goodClaims(t))), reason.EvidenceSigner)
		})
	}
}

func nullEK(t *testing.T, b *bench) object {
	t.Helper()
	template := tpm2.ECCSRKTemplate
	template.ObjectAttributes.NoDA = false
	return b.primary(t, tpm2.TPMRHNull, template)
}

func ownersEK(t *testing.T, b *bench) object {
	t.Helper()
	area, err := tpm2.Unmarshal[tpm2.TPMTPublic](b.persistentEK(t, p384EK).public)
	if err != nil {
		t.Fatal(err)
	}
	area.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	return b.primary(t, tpm2.TPMRHOwner, *area)
}

// What is not forged but cannot be judged affirms nothing either.
func TestNotJudged(t *testing.T) {
	d := enrolled(t, machine(t, first))
	for name, c := range map[string]struct {
		change func(in *verifier.Input)
		want   string
	}{
		"no AK":              {func(in *verifier.Input) { in.Device.AK = nil }, "unsupported/" + reason.EvidenceUnpinned},
		"no Qualified Name":  {func(in *verifier.Input) { in.Device.AKQualifiedName = nil }, "unsupported/" + reason.EvidenceUnpinned},
		"no TLS key":         {func(in *verifier.Input) { in.Device.TLSSPKI = nil }, "unsupported/" + reason.EvidenceUnpinned},
		"no nonce":           {func(in *verifier.Input) { in.Nonce = [32]byte{} }, "unsupported/" + reason.EvidenceUnpinned},
		"no provenance":      {func(in *verifier.Input) { in.Device.Provenance = "" }, "unsupported/" + reason.ProvenanceUnsupported},
		"an enclave's keys":  {func(in *verifier.Input) { in.Device.Provenance = wire.ProvenanceSecureEnclave }, "unsupported/" + reason.ProvenanceUnsupported},
		"at the end of life": {func(in *verifier.Input) { in.Now = in.IssuedAt.Add(wire.NonceLife) }, "stale/" + reason.EvidenceStale},
		"before its nonce":   {func(in *verifier.Input) { in.Now = in.IssuedAt.Add(-1) }, "stale/" + reason.EvidenceStale},
		"no issue time":      {func(in *verifier.Input) { in.IssuedAt = time.Time{} }, "stale/" + reason.EvidenceStale},
	} {
		in := d.input(t, goodClaims(t))
		c.change(&in)
		if r := verifier.Appraise(in); affirms(r) || strings.TrimSpace(codes(r)) != c.want || len(r.Claims) != 0 {
			t.Errorf("%s: %+v %s", name, r.Vector, codes(r))
		}
	}
	if r := verifier.Appraise(verifier.Input{}); affirms(r) || len(r.Findings) != 1 {
		t.Errorf("nothing at all: %+v", r)
	}
}
