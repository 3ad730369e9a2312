package tpm

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// slots is how many objects a TPM must at least hold loaded
// (TPM_PT_HR_TRANSIENT_MIN, PC Client Platform TPM Profile 1.05, table 3); the
// kernel's resource manager gives each opener as many.
const slots = 3

// TPM is an open TPM 2.0.
type TPM struct {
	mu sync.Mutex // one command sequence at a time
	// connection is nil after Close.
	connection transport.TPMCloser
	// shared says that a resource manager keeps other users' objects apart.
	shared bool
	loaded map[*key]tpm2.TPMHandle
}

// Open opens the TPM that device names: on Linux a character device such as
// /dev/tpmrm0, or "unix:" and the path of a software TPM's socket; elsewhere
// DefaultDevice. A TPM without a resource manager is one program's alone: what
// a crashed one left loaded is flushed.
func Open(device string) (*TPM, error) {
	connection, shared, err := connect(device)
	if err != nil {
		return nil, err
	}
	t := &TPM{
		connection: &retrying{TPMCloser: connection, sleep: time.Sleep},
		shared:     shared,
		loaded:     make(map[*key]tpm2.TPMHandle),
	}
	if err := t.probe(); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	if err := t.flushStrays(); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return t, nil
}

// probe asks for something that every TPM 2.0 answers.
func (t *TPM) probe() error {
	_, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTFamilyIndicator), PropertyCount: 1}.
		Execute(t.connection)
	if err != nil {
		return fmt.Errorf("%w: it does not answer as one: %w", ErrNotFound, err)
	}
	return nil
}

// Close unloads the keys and closes the TPM. A second Close does nothing.
func (t *TPM) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return nil
	}
	t.forget()
	err := t.connection.Close()
	t.connection = nil
	if err != nil {
		return fmt.Errorf("tpm: closing: %w", err)
	}
	return nil
}

// flush unloads what handle names. Failing to is not worth telling: the object
// is gone already, or the next Open flushes it.
func (t *TPM) flush(handle tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: handle}.Execute(t.connection)
}

// forget unloads every key.
func (t *TPM) forget() {
	for k, handle := range t.loaded {
		t.flush(handle)
		delete(t.loaded, k)
	}
}

// First handles of the kinds that a crashed program may leave in a TPM
// (TPM 2.0 part 2, 7.2).
const (
	firstHMACSession   = 0x02000000
	firstPolicySession = 0x03000000
	firstTransient     = 0x80000000
)

// flushStrays empties a TPM that has no resource manager.
func (t *TPM) flushStrays() error {
	if t.shared {
		return nil
	}
	for _, first := range []uint32{firstHMACSession, firstPolicySession, firstTransient} {
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 64}.Execute(t.connection)
		if err != nil {
			return explain("listing what is loaded", err)
		}
		handles, err := answer.CapabilityData.Data.Handles()
		if err != nil {
			return explain("listing what is loaded", err)
		}
		for _, handle := range handles.Handle {
			t.flush(handle)
		}
	}
	return nil
}
