package verifier

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/quote"
)

// proof is what Evidence proves, whatever it says.
type proof struct {
	// claims is the digest of the document that the proof covers.
	claims   [sha256.Size]byte
	clock    wire.TPMClock
	hardware wire.Trustworthiness
	// pcrs are the quoted ones, ascending as in wire.QuotedPCRs; none where no
	// TPM speaks.
	pcrs []wire.PCRValue
}

// prove verifies the Evidence's own proof, by the kind of keys that were pinned
// at enrolment. It returns one finding if there is none.
func prove(in Input) (proof, *wire.Finding) {
	if len(in.Device.TLSSPKI) != sha256.Size || in.Nonce == [wire.NonceSize]byte{} {
		return proof{}, unsupported(reason.EvidenceUnpinned)
	}
	claims, ok := claimsDigest(in.Evidence)
	if !ok || !bounded(in.Evidence) {
		return proof{}, tampered(reason.EvidenceMalformed)
	}
	if in.Device.Provenance == wire.ProvenanceSoftware {
		return proveBySoftware(in, claims)
	}
	if in.Evidence.Software != nil {
		return proof{}, tampered(reason.SoftwareForTPM)
	}
	switch in.Device.Provenance {
	case wire.ProvenanceTPM:
		return proveByTPM(in, claims, wire.Affirming)
	case wire.ProvenanceTPMUnendorsed: // no maker vouches for the TPM
		return proveByTPM(in, claims, wire.Warning)
	}
	return proof{}, unsupported(reason.ProvenanceUnsupported)
}

// proveByTPM proves that this device's TPM made the quote for this nonce, these
// claims and this connection.
func proveByTPM(in Input, claims [sha256.Size]byte, hardware wire.Trustworthiness) (proof, *wire.Finding) {
	key, err := quote.NewKey(in.Device.AK, in.Device.AKQualifiedName)
	if err != nil {
		return proof{}, unsupported(reason.EvidenceUnpinned)
	}
	binding := wire.QuoteBindingOf(in.Nonce, claims, [sha256.Size]byte(in.Device.TLSSPKI))
	clock, err := key.Verify(in.Evidence.Quote, binding, in.Evidence.PCRs)
	if err != nil {
		return proof{}, tampered(codeOf(err))
	}
	return proof{claims, clock, hardware, in.Evidence.PCRs}, nil
}

// codeOf tells an administrator which check failed; a person sees the code alone.
func codeOf(err error) string {
	for _, known := range [...]struct {
		err  error
		code string
	}{
		{quote.ErrAlgorithm, reason.EvidenceAlgorithm},
		{quote.ErrSignature, reason.EvidenceSignature},
		{quote.ErrMagic, reason.EvidenceType},
		{quote.ErrType, reason.EvidenceType},
		{quote.ErrExtraData, reason.EvidenceBinding},
		{quote.ErrSigner, reason.EvidenceSigner},
		{quote.ErrSelection, reason.EvidenceSelection},
		{quote.ErrPCRs, reason.EvidencePCRs},
		{quote.ErrDigest, reason.EvidencePCRs},
	} {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return reason.EvidenceMalformed
}

// late finds Evidence whose nonce is not of now.
func late(in Input) *wire.Finding {
	if in.Now.Before(in.IssuedAt) || !in.Now.Before(in.IssuedAt.Add(wire.NonceLife)) {
		return &wire.Finding{Type: wire.FindingStale, Reason: reason.New(reason.EvidenceStale)}
	}
	return nil
}

// bounded reports whether every part is within its bound. Two forms of one part
// could be read in two ways.
func bounded(e wire.Evidence) bool {
	switch {
	case len(e.Claims) > wire.MaxClaimsBytes, len(e.EventLog) > wire.MaxEventLogBytes,
		len(e.EventLog) > 0 && len(e.EventLogDigest) > 0,
		len(e.EventLogDigest) > 0 && len(e.EventLogDigest) != sha256.Size,
		e.IMA != nil && (len(e.IMA.Log) > wire.MaxIMABytes || e.IMA.From < 0):
		return false
	}
	return true
}

// claimsDigest is the digest of the claims document that the device means; false
// where it gives two.
func claimsDigest(e wire.Evidence) (digest [sha256.Size]byte, ok bool) {
	switch {
	case len(e.ClaimsDigest) == 0:
		return sha256.Sum256(e.Claims), true
	case len(e.Claims) > 0 || len(e.ClaimsDigest) != sha256.Size:
		return digest, false
	}
	return [sha256.Size]byte(e.ClaimsDigest), true
}

// documentOf is the claims document that the proof covers: what was sent, or
// what is kept of it since this boot began.
func documentOf(e wire.Evidence, p proof, kept *wire.Kept) ([]byte, bool) {
	if len(e.ClaimsDigest) == 0 {
		return e.Claims, true
	}
	if kept == nil || kept.ResetCount != p.clock.ResetCount {
		return nil, false
	}
	digest := sha256.Sum256(kept.Document)
	return kept.Document, digest == p.claims
}

func (in Input) recall() *wire.Kept {
	if in.Recall == nil {
		return nil
	}
	return in.Recall()
}

// restsOn is a digest over everything that a judgement rests on, but the
// counters, which are compared each time. Zero where something new came that is
// always read.
func restsOn(in Input, p proof) [sha256.Size]byte {
	if in.Evidence.IMA != nil {
		return [sha256.Size]byte{}
	}
	log := in.Evidence.EventLogDigest
	if len(in.Evidence.EventLog) > 0 {
		digest := sha256.Sum256(in.Evidence.EventLog)
		log = digest[:]
	}
	b := make([]byte, 0, 1<<10)
	for _, part := range []string{in.Rules.Version, in.Device.ID, string(in.Device.Provenance)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part))) // #nosec G115 -- short names
		b = append(b, part...)
	}
	b = append(b, p.claims[:]...)
	b = append(b, byte(len(log))) // #nosec G115 -- 0 or 32
	b = append(b, log...)
	b = binary.BigEndian.AppendUint32(b, p.clock.ResetCount)
	for _, value := range p.pcrs {
		b = append(b, value.Digest...)
	}
	return sha256.Sum256(b)
}

// again is the last judgement for Evidence that says the same. The device's word
// for it is as new as its nonce.
func again(in Input, out wire.Appraised, p proof) wire.Appraised {
	issued, until := out.IssuedAt, out.ValidUntil
	out.AttestationResult = *in.Last
	out.IssuedAt, out.ValidUntil, out.Clock, out.Rests = issued, until, p.clock, in.Rests
	out.Claims = slices.Clone(in.Last.Claims)
	for i := range out.Claims {
		out.Claims[i].MeasuredAt = issued
	}
	return out
}
