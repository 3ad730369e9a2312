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

// Enrol makes this device known to a PDP with a one-time code, and writes the
// state. With replace an enrolment that is there is given up, once the new one
// is finished. tell is called with each step as it begins: 1 to 4.
func Enrol(ctx context.Context, c Config, code string, replace bool, tell func(step int)) (*state.State, error) {
	parsed, err := client.ParseCode(code)
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
	if err := mayEnrol(file, replace); err != nil {
		return nil, err
	}
	tell(1)
	t, err := tpm.Open(c.TPM)
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }()
	e, keys, err := prepare(t, tell)
	if err != nil {
		return nil, err
	}
	e.Address, e.Code = c.PDP, parsed
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

// prepare reads the EK and makes the device's keys under it.
func prepare(t *tpm.TPM, tell func(step int)) (client.Enrolment, state.Secret, error) {
	e := client.Enrolment{OS: runtime.GOOS, Clock: time.Now, Random: rand.Reader}
	var err error
	if e.Hostname, err = os.Hostname(); err != nil {
		return e, nil, fmt.Errorf("agent: %w", err)
	}
	certificates, err := t.EKCertificates()
	if err != nil {
		return e, nil, err
	}
	var template string
	if len(certificates) > 0 {
		template, e.EKCertificate = certificates[0].Template, certificates[0].DER
	} else if template, e.EKKey, err = t.EKPublic(); err != nil {
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
