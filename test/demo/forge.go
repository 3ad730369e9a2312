//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/attacker"
)

// forgeVerb runs this program as somebody with root on the laptop: it has the
// agent's state file, the TPM, and so the device's own connection to the PDP.
// What it does not have is a TPM that signs lies with the attestation key. The
// whole table of such forgeries is test/adversary.
const forgeVerb = "forge"

// forged is one attempt and what the PDP answered.
type forged struct {
	What     string   `json:"what"`
	Accepted bool     `json:"accepted"`
	Codes    []string `json:"codes"`
}

func runForger(args []string) error {
	if len(args) != 3 {
		return errors.New("forge STATE TPM EVENTLOG")
	}
	d, err := stolen(args[0], args[1], args[2])
	if err != nil {
		return err
	}
	var all []forged
	for _, attempt := range []struct {
		what string
		do   func(context.Context, *attacker.Device, []byte) (attacker.Outcome, error)
	}{
		{"a quote signed by an unrestricted key", unrestrictedKey},
		{"a true quote with swapped claims", swappedClaims},
		{"a nonce used a second time", replayedNonce},
	} {
		lie, err := attacker.Claims(time.Now())
		if err != nil {
			return err
		}
		o, err := attempt.do(context.Background(), d, lie)
		if err != nil {
			return err
		}
		all = append(all, forged{attempt.what, o.Accepted, o.Codes()})
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

// stolen is the laptop's device as its state file and its TPM give it.
func stolen(file, device, log string) (*attacker.Device, error) {
	saved, err := state.At(file).Load()
	if err != nil {
		return nil, err
	}
	var blobs tpm.Blobs
	if err := json.Unmarshal(saved.Keys, &blobs); err != nil {
		return nil, err
	}
	chip, err := attacker.OpenChip(strings.TrimPrefix(device, "unix:"))
	if err != nil {
		return nil, err
	}
	if err := chip.Clear(); err != nil { // what the agent left loaded
		return nil, err
	}
	key := func(b tpm.Blob) attacker.Key { return attacker.Key{Public: b.Public, Private: b.Private, Auth: b.Auth} }
	d := &attacker.Device{Chip: chip, Keys: attacker.Keys{AK: key(blobs.AK), TLS: key(blobs.TLSKey), Signing: key(blobs.SigningKey)}}
	if d.Log, err = os.ReadFile(log); err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(saved.CACertificate)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	signer, err := chip.Signer(d.Keys.TLS)
	if err != nil {
		return nil, err
	}
	d.Link, err = attacker.NewLink(saved.PDP, signer, roots)
	return d, err
}

// unrestrictedKey signs a quote that no TPM made with the signing key, which
// the TPM lends for any data.
func unrestrictedKey(ctx context.Context, d *attacker.Device, lie []byte) (attacker.Outcome, error) {
	return d.Attest(ctx, []byte("{}"), func(e *wire.Evidence, asked wire.NonceAnswer) error { return d.SignLie(e, asked, lie) })
}

// swappedClaims quotes the truth and sends the lie.
func swappedClaims(ctx context.Context, d *attacker.Device, lie []byte) (attacker.Outcome, error) {
	return d.Attest(ctx, []byte(`{"claims":[]}`), func(e *wire.Evidence, _ wire.NonceAnswer) error {
		e.Claims = lie
		return nil
	})
}

// replayedNonce sends true Evidence twice.
func replayedNonce(ctx context.Context, d *attacker.Device, lie []byte) (attacker.Outcome, error) {
	asked, err := d.Nonce(ctx)
	if err != nil {
		return attacker.Outcome{}, err
	}
	e, err := d.Evidence(asked, lie)
	if err != nil {
		return attacker.Outcome{}, err
	}
	if _, err := d.Send(ctx, asked.Ticket, e); err != nil {
		return attacker.Outcome{}, err
	}
	return d.Send(ctx, asked.Ticket, e)
}
