//go:build linux

package adversary

import (
	"path/filepath"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/keyring"
	"github.com/menshen-zt/menshen/pdp/seal"
	"github.com/menshen-zt/menshen/test/attacker"
)

const nonceFile = "pdp/appraisal/nonce.go"

func nonces() []attack {
	return []attack{
		{
			name: "Evidence sent twice", after: "replay",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				asked := s.nonce(d)
				e := must(d.Evidence(asked, s.claims()))(s)
				if !s.send(d, asked.Ticket, e).Accepted {
					s.Fatal("the control is refused")
				}
				return s.send(d, asked.Ticket, e)
			}, want: []string{reason.NonceSpent},
			check: check{file: "pdp/appraisal/keep.go", code: "[]store.Compare{{Key: key}}", without: "nil"},
		},
		{
			name: "quote for a nonce of one's own", after: "CVE-2026-6420: a nonce that never changes",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				fixed := wire.NonceAnswer{Nonce: make([]byte, wire.NonceSize)}
				e := must(d.Evidence(fixed, s.claims()))(s)
				return s.send(d, s.nonce(d).Ticket, e)
			}, want: []string{reason.EvidenceBinding}, check: extraData,
		},
		{
			name: "two nonces that are one", after: "CVE-2026-6420: a nonce that never changes",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				old := s.nonce(d)
				e := must(d.Evidence(old, s.claims()))(s)
				return s.send(d, s.nonce(d).Ticket, e)
			}, want: []string{reason.EvidenceBinding},
			check: check{file: nonceFile, code: "if _, err := io.ReadFull(a.Random, t.Nonce[:]); err != nil {", without: "if _, err := io.ReadFull(a.Random, t.Nonce[:0]); err != nil {"},
		},
		{
			name: "nonce of another device", after: "a nonce bound to nothing",
			try: func(s *stage) attacker.Outcome {
				d, other := s.enrolled(s.mine), s.enrolled(s.others)
				asked := s.nonce(other)
				return s.send(d, asked.Ticket, must(d.Evidence(asked, s.claims()))(s))
			}, want: []string{reason.NonceDevice}, check: check{file: nonceFile, code: "if t.Device != dev.ID {", without: "if false {"},
		},
		{
			name: "nonce of another connection", after: "a nonce bound to nothing",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				asked := s.nonce(d)
				d.Link.Reconnect()
				return s.send(d, asked.Ticket, must(d.Evidence(asked, s.claims()))(s))
			}, want: []string{reason.NonceChannel}, check: check{file: nonceFile, code: "if subtle.ConstantTimeCompare(t.Channel[:], channel[:]) != 1 {", without: "if false && subtle.ConstantTimeCompare(t.Channel[:], channel[:]) != 1 {"},
		},
		{
			name: "nonce past its time", after: "a peer's nonces lived for days",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				asked := s.nonce(d)
				issued := time.Now().Add(-wire.NonceLife - time.Second).UTC()
				return s.send(d, s.sealed(d, asked, issued), must(d.Evidence(asked, s.claims()))(s))
			}, want: []string{reason.NonceExpired}, check: check{file: "pdp/seal/seal.go", code: "if !now.Before(", without: "if false && !now.Before("},
		},
		{
			name: "ticket of one's own making", after: "design, invariant 2",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				asked := s.nonce(d)
				text := []byte(asked.Ticket)
				text[len(text)/2] ^= 1
				return s.send(d, string(text), must(d.Evidence(asked, s.claims()))(s))
			}, want: []string{reason.NonceForged}, check: check{file: nonceFile, code: "return t, refuse(reason.NonceForged)", without: ""},
		},
		{
			name: "quote for another connection's key", after: "relay: a quote that travels",
			try: func(s *stage) attacker.Outcome {
				d := s.enrolled(s.mine)
				return s.attest(d, func(e *wire.Evidence, asked wire.NonceAnswer) {
					other := *d.Device
					other.Keys.TLS = d.Keys.Signing
					extra := must(other.Extra(asked, e.Claims))(s)
					e.Quote = must(d.Chip.Quote(d.Keys.AK, extra, attacker.Selection(tpm2.TPMAlgSHA256, attacker.Quoted()...)))(s)
				})
			}, want: []string{reason.EvidenceBinding}, check: extraData,
		},
	}
}

// sealed is a ticket as the PDP would have sealed it at another time: the PDP's
// own key is at hand here, as it is not to an attacker, so that nothing but the
// time is wrong.
func (s *stage) sealed(d *device, asked wire.NonceAnswer, issued time.Time) string {
	s.Helper()
	ring := must(keyring.Open(filepath.Join(s.pdp.Config.Data, "keys")))(s)
	return must(seal.New(ring.Seal).Seal("attest-nonce", issued.Add(wire.NonceLife), struct {
		Device   string               `json:"device"`
		Channel  [32]byte             `json:"channel"`
		Nonce    [wire.NonceSize]byte `json:"nonce"`
		IssuedAt time.Time            `json:"issued_at"`
	}{d.id, must(d.Link.Channel())(s), [wire.NonceSize]byte(asked.Nonce), issued}))(s)
}
