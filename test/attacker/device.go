package attacker

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/firmware"
)

// Device is an enrolled device in the hands of somebody with root on it: its
// keys, its TPM and its own connection to the PDP.
type Device struct {
	Chip *Chip
	Keys Keys
	Link *Link
	// Log is the boot's event log, sent whole.
	Log []byte
}

// Outcome is what the PDP made of Evidence.
type Outcome struct {
	Answer
	wire.AttestAnswer
}

// Codes are those of a refusal, or of the findings.
func (o Outcome) Codes() []string {
	if o.Code != "" {
		return []string{o.Code}
	}
	var all []string
	for _, f := range o.Result.Findings {
		all = append(all, f.Reason.Code)
	}
	return all
}

// Nonce asks for one.
func (d *Device) Nonce(ctx context.Context) (wire.NonceAnswer, error) {
	var asked wire.NonceAnswer
	answer, err := d.Link.Post(ctx, "/v1/attest/nonce", struct{}{})
	if err != nil {
		return asked, err
	}
	if err := json.Unmarshal(answer.Body, &asked); err != nil || len(asked.Nonce) != wire.NonceSize {
		return asked, fmt.Errorf("attacker: no nonce: %d %s", answer.Status, answer.Code)
	}
	return asked, nil
}

// Send sends Evidence for a ticket.
func (d *Device) Send(ctx context.Context, ticket string, e wire.Evidence) (Outcome, error) {
	return d.post(ctx, wire.AttestRequest{Ticket: ticket, Evidence: e})
}

func (d *Device) post(ctx context.Context, body any) (o Outcome, err error) {
	if o.Answer, err = d.Link.Post(ctx, "/v1/attest", body); err != nil || o.Code != "" {
		return o, err
	}
	return o, json.Unmarshal(o.Body, &o.AttestAnswer)
}

// Extra is what a quote for these claims must carry.
func (d *Device) Extra(asked wire.NonceAnswer, claims []byte) ([]byte, error) {
	spki, err := SPKI(d.Keys.TLS.Public)
	if err != nil {
		return nil, err
	}
	binding := wire.QuoteBinding([wire.NonceSize]byte(asked.Nonce), claims, spki)
	return binding[:], nil
}

// PCRs are the TPM's, as honest Evidence carries them.
func (d *Device) PCRs() ([]wire.PCRValue, error) {
	values, err := firmware.Read(d.Chip.TPM, crypto.SHA256, wire.QuotedPCRs[:]...)
	if err != nil {
		return nil, err
	}
	var all []wire.PCRValue
	for i, value := range values {
		all = append(all, wire.PCRValue{Index: wire.QuotedPCRs[i], Digest: value})
	}
	return all, nil
}

// Evidence is honest.
func (d *Device) Evidence(asked wire.NonceAnswer, claims []byte) (wire.Evidence, error) {
	extra, err := d.Extra(asked, claims)
	if err != nil {
		return wire.Evidence{}, err
	}
	quote, err := d.Chip.Quote(d.Keys.AK, extra, Selection(tpm2.TPMAlgSHA256, Quoted()...))
	if err != nil {
		return wire.Evidence{}, err
	}
	pcrs, err := d.PCRs()
	return wire.Evidence{Claims: claims, Quote: quote, PCRs: pcrs, EventLog: d.Log}, err
}

// Attest attests honestly, but for what change does to the Evidence before it
// is sent.
func (d *Device) Attest(ctx context.Context, claims []byte, change func(*wire.Evidence, wire.NonceAnswer) error) (Outcome, error) {
	asked, err := d.Nonce(ctx)
	if err != nil {
		return Outcome{}, err
	}
	e, err := d.Evidence(asked, claims)
	if err != nil {
		return Outcome{}, err
	}
	if change != nil {
		if err := change(&e, asked); err != nil {
			return Outcome{}, err
		}
	}
	return d.Send(ctx, asked.Ticket, e)
}

// SignLie turns honest Evidence into what the device would like to be believed:
// other claims, under a quote that no TPM made, signed by the signing key.
func (d *Device) SignLie(e *wire.Evidence, asked wire.NonceAnswer, lie []byte) error {
	was, err := d.Extra(asked, e.Claims)
	if err != nil {
		return err
	}
	wants, err := d.Extra(asked, lie)
	if err != nil {
		return err
	}
	e.Claims, e.Quote.Attest = lie, bytes.Replace(e.Quote.Attest, was, wants, 1)
	e.Quote.Signature, err = d.Chip.SignAnything(d.Keys.Signing, e.Quote.Attest)
	return err
}

// Claims is a report in which everything is well; change adds to it.
func Claims(at time.Time, change ...func(*wire.Claims)) ([]byte, error) {
	var document wire.Claims
	for _, id := range []wire.ClaimID{
		wire.ClaimOSRelease, wire.ClaimFirewall, wire.ClaimDiskEncryption, wire.ClaimSecureBoot, wire.ClaimOSUpdates, wire.ClaimScreenLock,
		wire.ClaimAntivirus, wire.ClaimAutoUpdates, wire.ClaimAdministrators, wire.ClaimTimeSync, wire.ClaimKernelLockdown, wire.ClaimUSBStorage,
	} {
		claim := wire.Claim{ID: id, State: wire.ClaimPass, MeasuredAt: at.UTC(), Source: "forged"}
		if id == wire.ClaimOSRelease {
			claim.Value = map[string]string{"id": "debian", "version_id": "13"}
		}
		document.Claims = append(document.Claims, claim)
	}
	for _, f := range change {
		f(&document)
	}
	return json.Marshal(document)
}
