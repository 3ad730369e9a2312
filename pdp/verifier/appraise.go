package verifier

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier/quote"
)

// Input is everything that one appraisal rests on.
type Input struct {
	Evidence wire.Evidence
	// Device is the record of the device whose TLS key proved the connection.
	Device wire.Device
	// Nonce is the one that was given to this device on this connection.
	Nonce [wire.NonceSize]byte
	// Previous is the clock of the last Evidence without a fall, if any.
	Previous *wire.TPMClock
	Policy   Policy
	// IssuedAt is when the nonce was issued: the Evidence's age counts from it.
	IssuedAt time.Time
	Now      time.Time
	ValidFor time.Duration
}

// Appraise judges one Evidence.
func Appraise(in Input) wire.AttestationResult {
	result := wire.AttestationResult{
		DeviceID: in.Device.ID, IssuedAt: in.IssuedAt, ValidUntil: in.IssuedAt.Add(in.ValidFor),
	}
	clock, finding := verify(in)
	if finding == nil {
		finding = usable(in)
	}
	if finding != nil {
		result.Findings = []wire.Finding{*finding}
		if finding.Type == wire.FindingTampered {
			result.Vector.InstanceIdentity = wire.Contraindicated
		}
		return result
	}
	claims, findings, tampered := appraiseClaims(in.Evidence.Claims, in.Policy)
	if tampered {
		result.Findings = findings
		result.Vector.InstanceIdentity = wire.Contraindicated
		return result
	}
	result.Clock, result.Claims = clock, claims
	result.Vector = wire.TrustVector{
		InstanceIdentity: wire.Affirming,
		Hardware:         hardware(in.Device.Provenance),
		Executables:      wire.TrustNone, // the event log is not appraised
		Configuration:    configuration(claims, findings),
	}
	fallen := fall(in.Previous, clock)
	for _, f := range fallen {
		if f.Reason.Code == reason.FirmwareFell {
			result.Vector.Hardware = worse(result.Vector.Hardware, wire.Warning)
		} else {
			result.Vector.InstanceIdentity = wire.Warning
		}
	}
	if result.Vector.Executables != wire.Affirming {
		// Claims are the word of an operating system that nobody measured.
		result.Vector.Configuration = worse(result.Vector.Configuration, wire.Warning)
	}
	result.Findings = append(fallen, findings...)
	result.Findings = append(result.Findings, wire.Finding{Type: wire.FindingUnsupported, Reason: reason.New(reason.BootNotAppraised)})
	return result
}

// verify proves that this device's TPM made the quote for this nonce, these
// claims and this connection. It returns one finding if not.
func verify(in Input) (wire.TPMClock, *wire.Finding) {
	if len(in.Device.TLSSPKI) != sha256.Size || in.Nonce == [wire.NonceSize]byte{} {
		return wire.TPMClock{}, unsupported(reason.EvidenceUnpinned)
	}
	key, err := quote.NewKey(in.Device.AK, in.Device.AKQualifiedName)
	if err != nil {
		return wire.TPMClock{}, unsupported(reason.EvidenceUnpinned)
	}
	if len(in.Evidence.Claims) > wire.MaxClaimsBytes || len(in.Evidence.EventLog) > wire.MaxEventLogBytes {
		return wire.TPMClock{}, tampered(reason.EvidenceMalformed)
	}
	binding := wire.QuoteBinding(in.Nonce, in.Evidence.Claims, [sha256.Size]byte(in.Device.TLSSPKI))
	clock, err := key.Verify(in.Evidence.Quote, binding, in.Evidence.PCRs)
	if err != nil {
		return wire.TPMClock{}, tampered(codeOf(err))
	}
	return clock, nil
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

// usable finds what a genuine quote cannot mend.
func usable(in Input) *wire.Finding {
	switch in.Device.Provenance {
	case wire.ProvenanceTPM, wire.ProvenanceTPMUnendorsed:
	default:
		return unsupported(reason.ProvenanceUnsupported)
	}
	if in.Now.Before(in.IssuedAt) || !in.Now.Before(in.IssuedAt.Add(wire.NonceLife)) {
		return &wire.Finding{Type: wire.FindingStale, Reason: reason.New(reason.EvidenceStale)}
	}
	return nil
}

// hardware is as sure as the maker's word for the TPM.
func hardware(p wire.Provenance) wire.Trustworthiness {
	if p == wire.ProvenanceTPM {
		return wire.Affirming
	}
	return wire.Warning
}

// worse returns the worse of two tiers; none, which is no judgement, stays.
func worse(a, b wire.Trustworthiness) wire.Trustworthiness {
	for _, tier := range [...]wire.Trustworthiness{wire.TrustNone, wire.Contraindicated, wire.Warning} {
		if a == tier || b == tier {
			return tier
		}
	}
	return wire.Affirming
}

func tampered(code string) *wire.Finding {
	return &wire.Finding{Type: wire.FindingTampered, Reason: reason.New(code)}
}

func unsupported(code string) *wire.Finding {
	return &wire.Finding{Type: wire.FindingUnsupported, Reason: reason.New(code)}
}
