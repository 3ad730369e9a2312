package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"slices"

	"github.com/menshen-zt/menshen/agent/evidence"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/wire"
)

// past is what the PDP has of this boot, as far as the agent knows: it is not
// sent again. The zero value is nothing, and all is sent whole. The attestations'
// own goroutine alone uses it.
type past struct {
	boots  tpm.Boots
	claims wire.Claims
	raw    []byte // the bytes of claims
	// logDigest is the event log's, bootPCRs are what it was sent with.
	logDigest, bootPCRs []byte
	// runTime is PCR 10 when a piece of the IMA list was sent, imaFrom where the
	// next one begins; imaWanted says that it is asked for.
	runTime   []byte
	imaFrom   int
	imaWanted bool
	imaSent   bool // with this Evidence
}

// after is what the PDP has once it answered: not what it asks for, and nothing
// when Evidence was refused.
func (p past) after(answer wire.AttestAnswer) past {
	if !answer.Accepted && len(answer.Wants) == 0 {
		return past{}
	}
	p.imaWanted = slices.Contains(answer.Wants, wire.WantIMA)
	if p.imaSent || p.imaWanted {
		p.imaFrom = answer.IMAFrom
	}
	if slices.Contains(answer.Wants, wire.WantClaims) {
		p.claims, p.raw = wire.Claims{}, nil
	}
	if slices.Contains(answer.Wants, wire.WantEventLog) {
		p.logDigest = nil
	}
	return p
}

// gather measures and proves for one nonce. What the PDP has already goes by its
// digest: the proof covers the bytes that it stands for.
func (a *Agent) gather(ctx context.Context, d *device, nonce [wire.NonceSize]byte) (wire.Evidence, past, error) {
	now, err := a.pastOf(d)
	if err != nil {
		return wire.Evidence{}, past{}, err
	}
	claims := a.posture.Measure(ctx)
	a.measureBaselines(ctx, &claims)
	a.listSoftware(ctx, &claims)
	a.remember(claims)
	unchanged := now.raw != nil && evidence.Same(claims, now.claims)
	if !unchanged {
		if now.raw, err = evidence.Marshal(claims); err != nil {
			return wire.Evidence{}, past{}, err
		}
		now.claims = claims
	}
	e, err := a.prove(ctx, d, nonce, &now)
	if err == nil && unchanged {
		digest := sha256.Sum256(now.raw)
		e.Claims, e.ClaimsDigest = nil, digest[:]
	}
	return e, now, err
}

// pastOf is what the PDP has of this boot: a reset asks for everything.
func (a *Agent) pastOf(d *device) (past, error) {
	var boots tpm.Boots
	if d.tpm != nil {
		var err error
		if boots, err = d.tpm.Boots(); err != nil {
			return past{}, err
		}
	}
	if a.past.boots != boots {
		return past{boots: boots}, nil
	}
	return a.past, nil
}

// prove makes the Evidence for the claims' bytes.
func (a *Agent) prove(ctx context.Context, d *device, nonce [wire.NonceSize]byte, now *past) (wire.Evidence, error) {
	if d.soft != nil {
		return softwareEvidence(d.soft, nonce, now.raw)
	}
	quote, pcrs, err := d.keys.Quote(nonce, now.raw)
	if err != nil {
		return wire.Evidence{}, err
	}
	log := a.newEventLog(ctx, wire.BootDigest(pcrs), now)
	e := evidence.Assemble(now.raw, quote, pcrs, log)
	if log == nil {
		e.EventLogDigest = now.logDigest
	}
	a.addIMA(ctx, &e, now)
	return e, nil
}

// newEventLog is the firmware's log, nil where the PDP has it with these PCR
// values. A machine without a log sends none, which the PDP judges.
func (a *Agent) newEventLog(ctx context.Context, pcrs []byte, now *past) []byte {
	if now.logDigest != nil && bytes.Equal(now.bootPCRs, pcrs) {
		return nil
	}
	now.logDigest, now.bootPCRs = nil, pcrs
	log, err := a.eventLog(ctx)
	if err != nil {
		a.logger.Warn("the event log cannot be read", "error", err)
	}
	if err != nil || len(log) == 0 {
		return nil
	}
	digest := sha256.Sum256(log)
	now.logDigest = digest[:]
	return log
}

// addIMA adds the next piece of the run-time list where PCR 10 moved since the
// last one, or it is asked for. It is read after the quote, so that it is never
// behind it.
func (a *Agent) addIMA(ctx context.Context, e *wire.Evidence, now *past) {
	at := slices.Index(wire.QuotedPCRs[:], wire.RunTimePCR)
	value := e.PCRs[at].Digest
	now.imaSent = false
	if bytes.Equal(value, make([]byte, sha256.Size)) || bytes.Equal(value, now.runTime) && !now.imaWanted {
		return
	}
	piece, err := a.imaPiece(ctx, now.imaFrom)
	if err != nil {
		a.logger.Warn("the run-time measurement list cannot be read", "error", err)
		return
	}
	if piece == nil {
		return
	}
	e.IMA, now.runTime, now.imaSent = piece, value, true
}

// eventLog reads the log itself where it may, else the helper does.
func (a *Agent) eventLog(ctx context.Context) ([]byte, error) {
	log, err := tpm.EventLog(a.config.EventLog)
	if errors.Is(err, fs.ErrPermission) {
		return a.helper.EventLog(ctx)
	}
	return log, err
}

func (a *Agent) imaPiece(ctx context.Context, from int) (*wire.IMAPiece, error) {
	piece, err := tpm.IMA(a.config.IMAList, from)
	if errors.Is(err, fs.ErrPermission) {
		return a.helper.IMA(ctx, from)
	}
	return piece, err
}
