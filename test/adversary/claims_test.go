//go:build linux

package adversary

import (
	"bytes"
	"context"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

const (
	claimsFile   = "pdp/verifier/claims.go"
	appraiseFile = "pdp/verifier/appraise.go"
)

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
			}), want: []string{reason.ClaimsUnreadable}, accepted: true,
			check: duplicates,
		},
		{
			name: "an exception that the device grants itself", after: "requirements 27",
			try: reporting(func(s *stage) []byte {
				return s.claims(func(c *wire.Claims) { c.Claims[1].State = wire.ClaimException })
			}), want: []string{reason.FirewallUnmeasured}, accepted: true,
			check: check{file: claimsFile, code: "case c.State == wire.ClaimException:", without: "case false:"},
		},
		{
			name: "claims of 100 kB", after: "a bound on every length",
			try: reporting(func(s *stage) []byte {
				return s.claims(func(c *wire.Claims) { c.Claims[0].Source = strings.Repeat("a", 100<<10) })
			}), want: []string{reason.EvidenceMalformed},
			check: check{file: appraiseFile, code: "if len(in.Evidence.Claims) > wire.MaxClaimsBytes ||", without: "if "},
		},
	}
}
