package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/menshen-zt/menshen/agent/client"
	"github.com/menshen-zt/menshen/agent/state"
	"github.com/menshen-zt/menshen/agent/tpm"
	"github.com/menshen-zt/menshen/internal/reason"
)

// Enrolment says how a device is to be enrolled.
type Enrolment struct {
	// Code is the one-time code. Empty for a device that the PDP expects; then
	// CAFingerprint names the PDP's CA, as SHA-256 in hexadecimal.
	Code, CAFingerprint string
	// EK names the kind of endorsement key: "p-256", "p-384" or "rsa-2048".
	// Empty for the first of these that has a certificate, or that the TPM
	// knows if none has.
	EK string
	// WithoutCertificate has an administrator vouch for the EK, although the
	// TPM has a certificate.
	WithoutCertificate bool
	// Language is the person's, "en" or "zh-TW".
	Language string
	// Replace gives up an enrolment that is there, once the new one is finished.
	Replace bool
}

// Enrol makes this device known to a PDP and writes the state. tell is called
// with each step as it begins: 1 to 4.
func Enrol(ctx context.Context, c Config, how Enrolment, tell func(step int)) (*state.State, error) {
	parsed, err := how.code()
	if err != nil {
		return nil, err
	}
	if c.PDP == "" {
		return nil, fault(errAddress, reason.AgentConfiguration, "detail", errAddress.Error())
	}
	if err := checkAddress(c.PDP); err != nil {
		return nil, fault(err, reason.AgentConfiguration, "detail", err.Error())
	}
	file := state.At(c.State)
	release, err := file.Lock()
	if err != nil {
		return nil, stateFault(err, c.State)
	}
	defer release()
	if err := mayEnrol(file, how.Replace); err != nil {
		return nil, err
	}
	tell(1)
	e, keys, closed, err := open(c, how, tell)
	if err != nil {
		return nil, err
	}
	defer closed()
	e.Address, e.Code, e.Language = c.PDP, parsed, how.Language
	tell(3)
	done, err := client.Enrol(ctx, e)
	if err != nil {
		return nil, err
	}
	tell(4)
	s := &state.State{
		DeviceID: done.DeviceID, DeviceName: done.DeviceName, Agency: done.Agency, Provenance: done.Provenance,
		PDP: c.PDP, CADigest: parsed.CADigest[:], CACertificate: done.CA, WebOrigin: done.WebOrigin,
		Keys: keys, Enrolled: time.Now().UTC(),
	}
	if err := file.Save(s); err != nil {
		return nil, stateFault(err, c.State)
	}
	return s, nil
}

// open makes the keys where the configuration says that they are to live.
func open(c Config, how Enrolment, tell func(step int)) (e client.Enrolment, keys state.Secret, closed func(), err error) {
	if c.Keys == KeysSoftware {
		e, keys, err = prepareSoftware(c, tell)
		return e, keys, func() {}, err
	}
	t, err := tpm.Open(c.TPM)
	if err != nil {
		return e, nil, nil, err
	}
	closed = func() { _ = t.Close() }
	if e, keys, err = prepare(t, how, tell); err != nil {
		closed()
		return e, nil, nil, err
	}
	return e, keys, closed, nil
}

// mayEnrol refuses what would lose an enrolment: one that is there, a file that
// cannot be understood, a disk without room. The code is spent only after that.
func mayEnrol(file *state.File, replace bool) error {
	old, err := file.Load()
	switch {
	case err == nil && !replace:
		return fault(nil, reason.AgentEnrolled, "device", old.DeviceName)
	case err != nil && !errors.Is(err, state.ErrNotEnrolled):
		return stateFault(err, file.Path())
	}
	if err := file.Writable(); err != nil {
		return stateFault(err, file.Path())
	}
	return nil
}

// code says which CA to believe, and with which secret the device comes.
func (how Enrolment) code() (client.Code, error) {
	if how.Code == "" {
		return client.WithoutCode(how.CAFingerprint)
	}
	return client.ParseCode(how.Code)
}

// prepare reads the EK and makes the device's keys under it.
func prepare(t *tpm.TPM, how Enrolment, tell func(step int)) (client.Enrolment, state.Secret, error) {
	e := client.Enrolment{OS: runtime.GOOS, Clock: time.Now, Random: rand.Reader}
	var err error
	if e.Hostname, err = os.Hostname(); err != nil {
		return e, nil, fmt.Errorf("agent: %w", err)
	}
	template, err := endorse(t, how, &e)
	if err != nil {
		return e, nil, err
	}
	tell(2)
	blobs, err := t.CreateKeys(template, rand.Reader)
	if err != nil {
		return e, nil, err
	}
	keys, err := t.LoadKeys(blobs)
	if err != nil {
		return e, nil, err
	}
	e.Keys = keys
	secret, err := marshalKeys(blobs)
	return e, secret, err
}

// endorse chooses the EK, fills in what speaks for it, and names its template.
func endorse(t *tpm.TPM, how Enrolment, e *client.Enrolment) (template string, err error) {
	if !how.WithoutCertificate {
		certificates, err := t.EKCertificates()
		if err != nil {
			return "", err
		}
		for _, c := range certificates {
			if how.EK == "" || how.EK == c.Template {
				e.EKCertificate = c.DER
				e.EKIntermediates, err = t.EKIntermediates()
				return c.Template, err
			}
		}
	}
	template, e.EKKey, err = t.EKPublic(how.EK)
	return template, err
}
