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

// judge binds the Verifier to everything that devices are held against.
type judge struct {
	policy     verifier.Policy
	version    string // of the policy
	references func(agency string) *wire.ReferenceSet
	// exceptions gives those that count for a device at a time, and a text
	// that changes whenever they do.
	exceptions func(wire.Device, time.Time) ([]wire.Exception, string)
	software   softwareRules
}

// newJudge returns a judge by a program of this version: another program may
// judge the same otherwise, so that no judgement of its stands.
func newJudge(c AttestationConfig, program string, references func(agency string) *wire.ReferenceSet, exceptions func(wire.Device, time.Time) ([]wire.Exception, string)) (*judge, error) {
	policy := verifier.Policy{Required: verifier.DefaultRequired(), Boot: bootPolicy(c)}
	for _, text := range c.SupportedOS {
		release, err := verifier.ParseOS(text)
		if err != nil {
			return nil, fmt.Errorf("attestation.supported_os: %w", err)
		}
		policy.SupportedOS = append(policy.SupportedOS, release)
	}
	if c.RequiredClaims != nil {
		var err error
		if policy.Required, err = verifier.ParseRequired(c.RequiredClaims); err != nil {
			return nil, fmt.Errorf("attestation.required_claims: %w", err)
		}
	}
	var err error
	if policy.Baselines, err = baselinePolicies(c.Baselines); err != nil {
		return nil, err
	}
	return &judge{policy: policy, version: fmt.Sprint(policy) + " by " + program, references: references, exceptions: exceptions}, nil
}

// rules are what one device is held against now. Everything in them is in their
// version.
func (j *judge) rules(dev wire.Device, now time.Time) verifier.Rules {
	rules := verifier.Rules{Policy: j.policy, Version: j.version, References: j.references(dev.Agency)}
	if rules.References != nil {
		rules.Version += rules.References.Version
	}
	var excepted string
	rules.Exceptions, excepted = j.exceptions(dev, now)
	rules.Version += excepted
	j.software.add(dev, now, &rules)
	return rules
}

// verify implements appraisal.Config.Verify.
func (j *judge) verify(in appraisal.Input) wire.Appraised {
	return verifier.Appraise(verifier.Input{
		Rules: j.rules(in.Device, in.Now), Evidence: in.Evidence, Device: in.Device, Nonce: in.Nonce, Previous: in.Previous, Cloned: in.Cloned,
		Last: in.Last, Rests: in.Rests, Recall: in.Recall, RecallBoot: in.RecallBoot,
		IssuedAt: in.IssuedAt, Now: in.Now, ValidFor: in.ValidFor,
	})
}

// review implements appraisal.Config.Review.
func (j *judge) review(in appraisal.Reviewed) wire.Appraised {
	return verifier.Review(j.rules(in.Device, in.Now), in.Device, in.Now, in.Last, in.Kept, in.RecallBoot)
}
