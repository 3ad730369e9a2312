package pdp

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/appraisal"
	"github.com/menshen-zt/menshen/pdp/enrolment"
	"github.com/menshen-zt/menshen/pdp/verifier"
	"github.com/menshen-zt/menshen/pdp/verifier/endorsement"
)

// endorser is the Verifier as enrolment asks it.
type endorser struct{ *verifier.Endorser }

// Endorse implements enrolment.Endorser.
func (e endorser) Endorse(certificate []byte, sent [][]byte, now time.Time) (enrolment.EndorsementKey, error) {
	key, err := e.Endorser.Endorse(certificate, sent, now)
	if errors.Is(err, endorsement.ErrValidity) {
		return nil, fmt.Errorf("%w: %w", enrolment.ErrEndorsementEnded, err)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Unendorsed implements enrolment.Endorser.
func (e endorser) Unendorsed(spki []byte) (enrolment.EndorsementKey, error) {
	key, err := e.Endorser.Unendorsed(spki)
	if err != nil {
		return nil, err
	}
	return key, nil
}

func newEndorser(c AttestationConfig) (enrolment.Endorser, error) {
	roots, intermediates, err := endorsementCAs(c.EndorsementCAs)
	if err != nil {
		return nil, err
	}
	e, err := verifier.NewEndorser(roots, intermediates, rand.Reader)
	if err != nil {
		return nil, err
	}
	return endorser{e}, nil
}

// endorsementCAs reads the folder of TPM makers' certificates. A folder that
// is not there is an error: with no root, no TPM could ever enrol.
func endorsementCAs(folder string) (roots, intermediates *x509.CertPool, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, nil, fmt.Errorf("attestation.endorsement_cas: %w", err)
	}
	defer func() { _ = root.Close() }()
	names, err := fs.Glob(root.FS(), "*.pem")
	if err != nil {
		return nil, nil, err
	}
	const most, mostBytes = 1024, 1 << 20
	if len(names) > most {
		return nil, nil, fmt.Errorf("attestation.endorsement_cas: more than %d files", most)
	}
	files := make(map[string][]byte, len(names))
	for _, name := range names {
		info, err := root.Stat(name)
		if err != nil || info.Size() > mostBytes {
			return nil, nil, fmt.Errorf("attestation.endorsement_cas: %s cannot be read or is larger than %d bytes: %w", name, mostBytes, errors.Join(err))
		}
		if files[name], err = root.ReadFile(name); err != nil {
			return nil, nil, fmt.Errorf("attestation.endorsement_cas: %w", err)
		}
	}
	roots, intermediates, err = endorsement.Pools(files)
	if err != nil {
		return nil, nil, fmt.Errorf("attestation.endorsement_cas: %w", err)
	}
	return roots, intermediates, nil
}

// newVerify binds the Verifier to the configured appraisal policy.
func newVerify(c AttestationConfig) (func(appraisal.Input) wire.Appraised, error) {
	var policy verifier.Policy
	for _, text := range c.SupportedOS {
		release, err := verifier.ParseOS(text)
		if err != nil {
			return nil, fmt.Errorf("attestation.supported_os: %w", err)
		}
		policy.SupportedOS = append(policy.SupportedOS, release)
	}
	policy.Required = verifier.DefaultRequired()
	if c.RequiredClaims != nil {
		var err error
		if policy.Required, err = verifier.ParseRequired(c.RequiredClaims); err != nil {
			return nil, fmt.Errorf("attestation.required_claims: %w", err)
		}
	}
	rules := verifier.Rules{Policy: policy, Version: fmt.Sprint(policy)}
	return func(in appraisal.Input) wire.Appraised {
		return verifier.Appraise(verifier.Input{
			Rules: rules, Evidence: in.Evidence, Device: in.Device, Nonce: in.Nonce, Previous: in.Previous,
			Last: in.Last, Rests: in.Rests, Recall: in.Recall,
			IssuedAt: in.IssuedAt, Now: in.Now, ValidFor: in.ValidFor,
		})
	}, nil
}
