package agent

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/softkey"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/strictjson"
	"github.com/menshen-zt/menshen/internal/wire"
)

// device is the enrolled device while its keys are open: a TPM's, or software
// ones and then no TPM at all.
type device struct {
	tpm    *tpm.TPM
	keys   *tpm.Keys
	soft   *softkey.Keys
	client *client.Client
}

// openDevice opens the device's keys where the configuration says that they
// are, and prepares the client. A TPM that is missing is never made up for by
// software.
func (a *Agent) openDevice(s *state.State) (*device, error) {
	found := KeysTPM
	if softkey.Sealed(s.Keys) {
		found = KeysSoftware
	}
	if a.config.Keys != found {
		return nil, fault(nil, reason.SoftkeySetting, "wanted", a.config.Keys, "found", found)
	}
	if found == KeysSoftware {
		return a.openSoftware(s)
	}
	var blobs tpm.Blobs
	if err := strictjson.Unmarshal(s.Keys, &blobs); err != nil {
		return nil, stateFault(fmt.Errorf("%w: %w", state.ErrCorrupt, err), a.file.Path())
	}
	ca, err := pinnedCA(s)
	if err != nil {
		return nil, stateFault(err, a.file.Path())
	}
	t, err := tpm.Open(a.config.TPM)
	if err != nil {
		return nil, err
	}
	keys, err := t.LoadKeys(blobs)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	c, err := client.New(client.Config{Address: a.address(s), CA: ca, Key: keys.TLSSigner(), Clock: a.clock, Random: rand.Reader})
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return &device{tpm: t, keys: keys, client: c}, nil
}

func (d *device) close() error {
	d.client.Close()
	if d.tpm == nil {
		return nil
	}
	return d.tpm.Close()
}

// pinnedCA parses the CA's certificate and holds it against the digest that the
// enrolment code gave.
func pinnedCA(s *state.State) (*x509.Certificate, error) {
	if digest := sha256.Sum256(s.CACertificate); string(digest[:]) != string(s.CADigest) {
		return nil, fmt.Errorf("%w: the CA's certificate is not the pinned one", state.ErrCorrupt)
	}
	ca, err := x509.ParseCertificate(s.CACertificate)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", state.ErrCorrupt, err)
	}
	return ca, nil
}

// address is where the PDP's agents' port is.
func (a *Agent) address(s *state.State) string {
	if a.config.PDP != "" {
		return a.config.PDP
	}
	return s.PDP
}

// attestTries bounds how often the PDP is given at once what it asks for.
const attestTries = 3

// attest measures and quotes for one nonce, and sends the Evidence. Where the
// PDP does not have what was sent by digest, it gets the whole at once.
func (a *Agent) attest(ctx context.Context, d *device) (answer wire.AttestAnswer, err error) {
	for range attestTries {
		var now past
		answer, err = d.client.Attest(ctx, func(nonce [wire.NonceSize]byte) (e wire.Evidence, err error) {
			e, now, err = a.gather(ctx, d, nonce)
			return e, err
		})
		if err != nil {
			return answer, err
		}
		a.past = now.after(answer)
		if !slices.Contains(answer.Wants, wire.WantClaims) && !slices.Contains(answer.Wants, wire.WantEventLog) {
			break
		}
	}
	return answer, nil
}

// marshalKeys is the form that the state keeps the keys in.
func marshalKeys(blobs tpm.Blobs) (state.Secret, error) {
	raw, err := json.Marshal(blobs)
	return state.Secret(raw), err
}
