package tpm

import (
	"errors"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Where a TPM keeps CA certificates of its EKs (EK Credential Profile 2.5,
// 2.2.1.5.2). Makers that certify on the chip itself, as Intel does, can put
// them nowhere else.
const (
	firstChainIndex tpm2.TPMHandle = 0x01c00100
	lastChainIndex  tpm2.TPMHandle = 0x01c001ff
)

// EKIntermediates reads the CA certificates that the TPM carries beside its
// EKs', at most as many as wire lets a device send. Most TPMs have none.
//
// An area holds certificates one behind the other; one that is cut off at its
// area's end goes on in the next. An area that cannot be read, or that holds
// something else, is passed over: the PDP says so when it misses a certificate.
func (t *TPM) EKIntermediates() ([][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return nil, ErrClosed
	}
	indices, err := t.chainIndices()
	if err != nil {
		return nil, err
	}
	var c chain
	for _, index := range indices {
		raw, err := t.readNV(index)
		switch {
		case errors.Is(err, errNVAccess), errors.Is(err, errNVTooLarge), errors.Is(err, tpm2.TPMRCHandle), errors.Is(err, tpm2.TPMRCNVUninitialized):
			c.partial = nil
			continue
		case err != nil:
			return nil, explain("reading the EK's certificate chain", err)
		}
		if !c.add(raw) {
			break
		}
	}
	return c.certificates, nil
}

// chainIndices lists the areas of the chain's range that exist, ascending.
func (t *TPM) chainIndices() ([]tpm2.TPMHandle, error) {
	const most = 32
	answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(firstChainIndex), PropertyCount: most}.Execute(t.connection)
	if err != nil {
		return nil, explain("listing what is in NV", err)
	}
	handles, err := answer.CapabilityData.Data.Handles()
	if err != nil {
		return nil, explain("listing what is in NV", err)
	}
	var found []tpm2.TPMHandle
	for _, handle := range handles.Handle {
		if handle >= firstChainIndex && handle <= lastChainIndex {
			found = append(found, handle)
		}
	}
	return found, nil
}

// chain collects certificates up to what a device may send.
type chain struct {
	certificates [][]byte
	size         int
	partial      []byte // the beginning of one that the next area goes on with
}

// add takes one area's content; false says that no more may be sent.
func (c *chain) add(raw []byte) bool {
	rest := append(c.partial, raw...)
	c.partial = nil
	for {
		der, more := cutSequence(rest)
		if len(der) == 0 {
			if more && len(rest) <= wire.MaxEKIntermediatesBytes {
				c.partial = rest
			}
			return true
		}
		if len(c.certificates) == wire.MaxEKIntermediates || c.size+len(der) > wire.MaxEKIntermediatesBytes {
			return false
		}
		c.certificates = append(c.certificates, der)
		c.size += len(der)
		rest = rest[len(der):]
	}
}

// cutSequence returns the one DER SEQUENCE that raw begins with; behind it may
// stand padding, or another. What begins otherwise gives nothing; more says
// that it begins with one that goes on behind raw's end.
func cutSequence(raw []byte) (der []byte, more bool) {
	const sequence, long1, long2 = 0x30, 0x81, 0x82
	if len(raw) == 0 || raw[0] != sequence {
		return nil, false
	}
	if len(raw) < 4 {
		return nil, true
	}
	var size int
	switch {
	case raw[1] < 0x80:
		size = 2 + int(raw[1])
	case raw[1] == long1:
		size = 3 + int(raw[2])
	case raw[1] == long2:
		size = 4 + int(raw[2])<<8 + int(raw[3])
	default:
		return nil, false
	}
	if size > len(raw) {
		return nil, true
	}
	return raw[:size:size], false
}
