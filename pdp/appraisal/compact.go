package appraisal

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
	"unique"
	"weak"

	"github.com/menshen-zt/menshen/internal/wire"
)

// compact is a result as memory holds it. Claims and findings that are word for
// word those of another device are there once for all (unique.Handle, held
// weakly), but for when a claim was measured. It is never changed in place.
type compact struct {
	// view is the result as it was last unpacked, while the collector leaves it:
	// what is asked for often is not unpacked each time. The Appraiser's lock
	// guards it.
	view                 weak.Pointer[wire.AttestationResult]
	issuedAt, validUntil time.Time // issuedAt is zero until Evidence was appraised
	clock                wire.TPMClock
	vector               unique.Handle[wire.TrustVector]
	findings, claims     []unique.Handle[string]
	// measured are the claims' times, one where all have the same.
	measured []time.Time
}

func pack(r wire.AttestationResult) *compact {
	c := &compact{issuedAt: r.IssuedAt, validUntil: r.ValidUntil, clock: r.Clock, vector: unique.Make(r.Vector)}
	c.findings, c.claims = make([]unique.Handle[string], len(r.Findings)), make([]unique.Handle[string], len(r.Claims))
	for i, f := range r.Findings {
		c.findings[i] = unique.Make(packFinding(f))
	}
	for i, claim := range r.Claims {
		c.claims[i] = unique.Make(packClaim(claim))
		c.measured = append(c.measured, claim.MeasuredAt.UTC())
	}
	if len(c.measured) > 0 && !slices.ContainsFunc(c.measured, func(t time.Time) bool { return !t.Equal(c.measured[0]) }) {
		c.measured = c.measured[:1]
	}
	c.measured = slices.Clone(c.measured) // no larger than it must be
	return c
}

// result is what was packed, of this device.
func (c *compact) result(deviceID string) wire.AttestationResult {
	if c.issuedAt.IsZero() {
		return wire.AttestationResult{}
	}
	r := wire.AttestationResult{DeviceID: deviceID, Vector: c.vector.Value(), Clock: c.clock, IssuedAt: c.issuedAt, ValidUntil: c.validUntil}
	if len(c.findings) > 0 {
		r.Findings = make([]wire.Finding, len(c.findings))
	}
	for i, f := range c.findings {
		r.Findings[i] = unpackFinding(f.Value())
	}
	if len(c.claims) > 0 {
		r.Claims = make([]wire.Claim, len(c.claims))
	}
	for i, claim := range c.claims {
		r.Claims[i] = unpackClaim(claim.Value())
		r.Claims[i].MeasuredAt = c.measured[min(i, len(c.measured)-1)]
	}
	return r
}

// same reports whether two results say the same of their devices, whenever it
// was measured. What was never appraised is like nothing.
func (c *compact) same(other *compact) bool {
	return !c.issuedAt.IsZero() && c.vector == other.vector && slices.Equal(c.findings, other.findings) && slices.Equal(c.claims, other.claims)
}

// A packed claim or finding is its texts in a fixed order, each behind its
// length, so that no text can pass for two.

func packClaim(c wire.Claim) string {
	return string(appendTexts(nil, c.Value, string(c.ID), string(c.State), c.Source, c.Problem, c.TWGCB, c.Baseline))
}

func unpackClaim(s string) wire.Claim {
	p := packed(s)
	return wire.Claim{
		ID: wire.ClaimID(p.next()), State: wire.ClaimState(p.next()), Source: p.next(),
		Problem: p.next(), TWGCB: p.next(), Baseline: p.next(), Value: p.rest(),
	}
}

// noted marks a packed finding that is a note.
const noted = "n"

func packFinding(f wire.Finding) string {
	note := ""
	if f.Note {
		note = noted
	}
	return string(appendTexts(nil, f.Reason.Args, string(f.Type), string(f.Claim), f.Reason.Code, f.Expected, f.Seen, note))
}

func unpackFinding(s string) wire.Finding {
	p := packed(s)
	f := wire.Finding{
		Type: wire.FindingType(p.next()), Claim: wire.ClaimID(p.next()), Reason: wire.Reason{Code: p.next()},
		Expected: p.next(), Seen: p.next(), Note: p.next() == noted,
	}
	f.Reason.Args = p.rest()
	return f
}

func appendTexts(b []byte, named map[string]string, texts ...string) []byte {
	for _, name := range slices.Sorted(maps.Keys(named)) {
		texts = append(texts, name, named[name])
	}
	for _, text := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}

// packed is what is left of texts to unpack. They share its memory.
type packed string

func (p *packed) next() string {
	size, width := 0, 0
	for {
		b := (*p)[width]
		size |= int(b&0x7f) << (7 * width)
		width++
		if b < 0x80 {
			break
		}
	}
	text := string((*p)[width : width+size])
	*p = (*p)[width+size:]
	return text
}

// rest returns the names and values that follow, nil if none do.
func (p *packed) rest() map[string]string {
	var named map[string]string
	for len(*p) > 0 {
		if named == nil {
			named = map[string]string{}
		}
		name := p.next()
		named[name] = p.next()
	}
	return named
}
