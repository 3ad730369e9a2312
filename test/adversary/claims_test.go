//go:build linux

package adversary

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

const (
	claimsFile = "pdp/verifier/claims.go"
	proofFile  = "pdp/verifier/proof.go"
)

// byDigest attests by the digest of a document alone, truly quoted.
func byDigest(s *stage, d *device, document []byte) attacker.Outcome {
	return must(d.Attest(context.Background(), document, func(e *wire.Evidence, _ wire.NonceAnswer) error {
		digest := sha256.Sum256(document)
		e.Claims, e.ClaimsDigest = nil, digest[:]
		return nil
	}))(s)
}

// reported attests with a document, which the PDP then keeps.
func reported(s *stage, d *device, document []byte) {
	if o := must(d.Attest(context.Background(), document, nil))(s); !o.Accepted {
		s.Fatalf("the control is refused: %v", o.Codes())
	}
	if o := byDigest(s, d, document); !o.Accepted {
		s.Fatalf("the control by digest is refused: %v", o.Codes())
	}
}

// reporting attests with another claims document, truly quoted.
func reporting(document func(*stage) []byte) func(*stage) attacker.Outcome {
	return func(s *stage) attacker.Outcome {
		return must(s.enrolled(s.mine).Attest(context.Background(), document(s), nil))(s)
	}
}

func claims() []attack {
	return []attack{
		{
			name: "claims exchanged after the quote", after: "claims that nothing binds",
			try: changed(func(s *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				e.Claims = s.claims(func(c *wire.Claims) { c.Claims[0].Source = "what was never measured" })
			}), want: []string{reason.EvidenceBinding}, check: extraData,
		},
		{
			name: "a claim made twice", after: "two readers, two readings",
			try: reporting(func(s *stage) []byte {
				return s.claims(func(c *wire.Claims) {
					again := c.Claims[1]
					again.State = wire.ClaimFail
					c.Claims = append(c.Claims, again)
				})
			}), want: []string{reason.ClaimTwice}, check: check{file: claimsFile, code: "if _, twice := made[c.ID]; twice {", without: "if false {"},
		},
		{
			name: "a member of the claims twice", after: "two readers, two readings",
			try: reporting(func(s *stage) []byte {
				return bytes.Replace(s.claims(), []byte(`"state":"pass"`), []byte(`"state":"fail","state":"pass"`), 1)
			}), want: []string{reason.ClaimsUnreadable}, answer: told,
			check: duplicates,
		},
		{
			name: "an exception that the device grants itself", after: "requirements 27",
			try: reporting(func(s *stage) []byte {
				return s.claims(func(c *wire.Claims) { c.Claims[1].State = wire.ClaimException })
			}), want: []string{reason.FirewallUnmeasured}, answer: told,
			check: check{
				file: claimsFile, code: "case c.State == wire.ClaimException:", without: "case false:",
				also: [2]string{"case c.State == wire.ClaimPass, ", "case c.State == wire.ClaimPass, c.State == wire.ClaimException, "},
			},
		},
		{
			name: "claims of 100 kB", after: "a bound on every length",
			try: reporting(func(s *stage) []byte {
				return s.claims(func(c *wire.Claims) { c.Claims[0].Source = strings.Repeat("a", 100<<10) })
			}), want: []string{reason.EvidenceMalformed},
			check: check{file: proofFile, code: "case len(e.Claims) > wire.MaxClaimsBytes, ", without: "case "},
		},
		{
			name: "digest of claims that were never sent", after: "delta evidence that nobody holds against what is kept",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				reported(s, d, s.claims())
				return byDigest(s, d, s.claims(func(c *wire.Claims) { c.Claims[0].Source = "what was never measured" }))
			}, want: []string{reason.ClaimsNotKept},
			check: check{file: proofFile, code: "return kept.Document, digest == p.claims", without: "return kept.Document, digest == p.claims || true"},
		},
		{
			name: "digest of another device's claims", after: "delta evidence that nobody holds against what is kept",
			try: func(s *stage) attacker.Outcome {
				d, other := s.enrolled(s.mine), s.enrolled(s.others)
				theirs := s.claims(func(c *wire.Claims) { c.Claims[0].Source = "theirs" })
				reported(s, d, s.claims())
				reported(s, other, theirs)
				return byDigest(s, d, theirs)
			}, want: []string{reason.ClaimsNotKept},
			check: check{file: proofFile, code: "return kept.Document, digest == p.claims", without: "return kept.Document, digest == p.claims || true"},
		},
		{
			name: "digest of claims from before a boot", after: "a reset asks for a full attestation",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				document := s.claims()
				reported(s, d, document)
				s.boot(s.mine)
				return byDigest(s, s.booted(d, s.mine), document)
			}, want: []string{reason.ClaimsNotKept},
			check: check{file: proofFile, code: "if kept == nil || kept.ResetCount != p.clock.ResetCount {", without: "if kept == nil {"},
		},
		{
			name: "claims both whole and by digest", after: "two readers, two readings",
			try: changed(func(_ *stage, _ *device, e *wire.Evidence, _ wire.NonceAnswer) {
				digest := sha256.Sum256(e.Claims)
				e.ClaimsDigest = digest[:]
			}), want: []string{reason.EvidenceMalformed},
			check: check{file: proofFile, code: "case len(e.Claims) > 0 || len(e.ClaimsDigest) != sha256.Size:", without: "case len(e.ClaimsDigest) != sha256.Size:"},
		},
	}
}
