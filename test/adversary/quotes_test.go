//go:build linux

package adversary

import (
	"bytes"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

const (
	attestFile    = "pdp/verifier/quote/attest.go"
	signatureFile = "pdp/verifier/quote/signature.go"
)

// changed attests with one thing changed in the Evidence.
func changed(change func(*stage, *device, *wire.Evidence, wire.NonceAnswer)) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		d := s.enrolled(s.mine)
		return s.attest(d, func(e *wire.Evidence, asked wire.NonceAnswer) { change(s, d, e, asked) })
	}
}

// selecting quotes other PCRs, or other banks, than those asked for.
func selecting(selection tpm2.TPMLPCRSelection) func(*stage) attacker.Outcome {
	return changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
		e.Quote = must(d.Chip.Quote(d.Keys.AK, s.extra(d, e, asked), selection))(s)
	})
}

// quotedDigest holds the PCRs' values against the quote.
var quotedDigest = [2]string{"if !bytes.Equal(a.PCRDigest, digest[:]) {", "if false && !bytes.Equal(a.PCRDigest, digest[:]) {"}

func quotes() []attack {
	selected := check{file: verifyFile, code: "if len(a.Selections) != 1 || a.Selections[0].Hash != algSHA256 || !selectsQuoted(a.Selections[0].PCRs) {", without: "if false {"}
	exactly := check{file: verifyFile, code: " || !selectsQuoted(a.Selections[0].PCRs) {", without: " {"}
	oneBank := check{file: verifyFile, code: "if len(a.Selections) != 1 || ", without: "if "}
	bank := check{file: verifyFile, code: " || a.Selections[0].Hash != algSHA256 ||", without: " ||"}
	some := attacker.Quoted()[:6]
	return []attack{
		{
			name: "quote over no PCRs", after: "GHSA-99cg-575x-774p",
			try: selecting(tpm2.TPMLPCRSelection{}), want: []string{reason.EvidenceSelection}, check: selected,
		},
		{
			name: "quote over some PCRs", after: "GHSA-99cg-575x-774p",
			try: changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
				e.Quote = must(d.Chip.Quote(d.Keys.AK, s.extra(d, e, asked), attacker.Selection(tpm2.TPMAlgSHA256, some...)))(s)
			}), want: []string{reason.EvidenceSelection}, check: exactly,
		},
		{
			name: "quote over an inactive SHA-1 bank", after: "it succeeds, with an empty selection",
			try: selecting(attacker.Selection(tpm2.TPMAlgSHA1, attacker.Quoted()...)), want: []string{reason.EvidenceSelection}, check: selected,
		},
		{
			name: "quote over another bank", after: "CVE-2021-42299: a bank that nobody extended",
			try: selecting(attacker.Selection(tpm2.TPMAlgSHA384, attacker.Quoted()...)), want: []string{reason.EvidenceSelection}, check: bank,
		},
		{
			name: "quote over two banks", after: "GHSA-99cg-575x-774p",
			try: selecting(tpm2.TPMLPCRSelection{PCRSelections: append(
				attacker.Selection(tpm2.TPMAlgSHA256, attacker.Quoted()...).PCRSelections,
				attacker.Selection(tpm2.TPMAlgSHA384, attacker.Quoted()...).PCRSelections...)}),
			want: []string{reason.EvidenceSelection}, check: oneBank,
		},
		{
			name: "quote signed by the signing key", after: "demonstrated: an unrestricted key signs a forged quote",
			try: changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
				s.ok(d.SignLie(e, asked, s.claims(func(c *wire.Claims) { c.Claims[0].Source = "what was never measured" })))
			}), want: []string{reason.EvidenceSignature}, check: signedByAK,
		},
		{
			name: "quote by another AK of this TPM", after: "wrong signer",
			try: changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
				other := must(d.Chip.Create(restricted(), nil))(s)
				e.Quote = must(d.Chip.Quote(other, s.extra(d, e, asked), attacker.Selection(tpm2.TPMAlgSHA256, attacker.Quoted()...)))(s)
			}), want: []string{reason.EvidenceSignature}, check: signedByAK,
		},
		{
			name: "quote by another machine", after: "CVE-2022-1053: one TPM shown at registration, another used later",
			try: changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
				other := s.enrolled(s.others)
				e.Quote = must(other.Chip.Quote(other.Keys.AK, s.extra(d, e, asked), attacker.Selection(tpm2.TPMAlgSHA256, attacker.Quoted()...)))(s)
				e.PCRs = must(other.PCRs())(s)
				e.EventLog = other.Log
			}), want: []string{reason.EvidenceSignature}, check: signedByAK,
		},
		{
			name: "the AK's signature on what no TPM made", after: "a restricted key signs what does not begin as an attestation",
			try: changed(func(s *stage, d *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.Quote.Attest = bytes.Clone(e.Quote.Attest)
				e.Quote.Attest[3]++ // no longer TPM_GENERATED
				e.Quote.Signature = must(d.Chip.SignHashed(d.Keys.AK, e.Quote.Attest))(s)
			}), want: []string{reason.EvidenceType}, check: check{file: attestFile, code: "if c.u32() != generated {", without: "if c.u32(); false {"},
		},
		{
			name: "certification instead of a quote", after: "TPM 2.0 part 2, 6.9",
			try: changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
				certified := must(d.Chip.Certify(d.Keys.AK, d.Keys.Signing, s.extra(d, e, asked)))(s)
				e.Quote = wire.Quote{Attest: certified.Attest, Signature: certified.Signature}
			}), want: []string{reason.EvidenceType}, check: check{file: verifyFile, code: "case a.Type != kind:\n\t\treturn Attest{}, ErrType", without: "case a.Type != kind:\n\t\treturn a, nil"},
		},
		{
			name: "time stamp instead of a quote", after: "TPM 2.0 part 2, 6.9",
			try: changed(func(s *stage, d *device, e *wire.Evidence, asked wire.NonceAnswer) {
				e.Quote = must(d.Chip.Time(d.Keys.AK, s.extra(d, e, asked)))(s)
			}), want: []string{reason.EvidenceType}, check: check{file: attestFile, code: "\tdefault:\n\t\treturn Attest{}, ErrType\n", without: ""},
		},
		{
			name: "bytes behind the signature", after: "tpm2.Unmarshal ignores what follows",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.Quote.Signature = append(bytes.Clone(e.Quote.Signature), 0)
			}), want: []string{reason.EvidenceMalformed}, check: check{file: signatureFile, code: "if !c.end() || len(s.R) == 0", without: "if c.bad || len(s.R) == 0"},
		},
		{
			name: "bytes behind the quote", after: "tpm2.Unmarshal ignores what follows",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.Quote.Attest = append(bytes.Clone(e.Quote.Attest), 0)
			}), want: []string{reason.EvidenceSignature}, check: signedByAK,
		},
		{
			name: "another hash in the signature", after: "algorithm switch",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.Quote.Signature = bytes.Clone(e.Quote.Signature)
				e.Quote.Signature[3] = 4 // SHA-1
			}), want: []string{reason.EvidenceAlgorithm}, check: check{file: signatureFile, code: "alg != algECDSA || hash != algSHA256 {", without: "alg != algECDSA || false && hash != algSHA256 {"},
		},
		{
			name: "another scheme in the signature", after: "algorithm switch",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.Quote.Signature = bytes.Clone(e.Quote.Signature)
				e.Quote.Signature[1] = 0x1a // ECDAA
			}), want: []string{reason.EvidenceAlgorithm}, check: check{file: signatureFile, code: "alg != algECDSA || hash != algSHA256 {", without: "false && alg != algECDSA || hash != algSHA256 {"},
		},
		{
			name: "one PCR's value changed", after: "values that nobody holds against the quote",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.PCRs[7].Digest = bytes.Repeat([]byte{7}, 32)
			}), want: []string{reason.EvidencePCRs}, check: check{file: verifyFile, code: quotedDigest[0], without: quotedDigest[1]},
		},
		{
			name: "PCRs' indices exchanged", after: "values that nobody holds against the quote",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.PCRs[0].Index, e.PCRs[7].Index = e.PCRs[7].Index, e.PCRs[0].Index
			}), want: []string{reason.EvidencePCRs}, check: check{file: verifyFile, code: "if value.Index != wire.QuotedPCRs[i] || len(value.Digest) != sha256.Size {", without: "if len(value.Digest) != sha256.Size {"},
		},
		{
			name: "a PCR left out", after: "GHSA-99cg-575x-774p",
			try:  changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) { e.PCRs = e.PCRs[:10] }),
			want: []string{reason.EvidencePCRs}, check: check{
				file: verifyFile, code: "if len(pcrs) != len(wire.QuotedPCRs) {\n\t\treturn [sha256.Size]byte{}, ErrPCRs",
				without: "if len(pcrs) != len(wire.QuotedPCRs) {\n\t\treturn [sha256.Size]byte{}, nil", also: quotedDigest,
			},
		},
	}
}
