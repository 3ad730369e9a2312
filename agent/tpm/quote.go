package tpm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"

	"github.com/menshen-zt/menshen/internal/wire"
)

// pcrTries is how often values are read again because a PCR was extended
// between two reads, or between reading and quoting.
const pcrTries = 5

var errPCRsMoved = errors.New("tpm: PCRs changed while they were read")

// Quote quotes wire.QuotedPCRs in the SHA-256 bank for one nonce and the exact
// bytes of one claims document, bound to the TLS key, and returns the values
// that it covers.
func (k *Keys) Quote(nonce [wire.NonceSize]byte, claims []byte) (wire.Quote, []wire.PCRValue, error) {
	binding := wire.QuoteBinding(nonce, claims, k.tlsSPKI)
	var quote wire.Quote
	var values []wire.PCRValue
	err := k.tpm.use(k.kind, func(handles []tpm2.AuthHandle) error {
		for range pcrTries {
			var err error
			if values, err = k.tpm.pcrs(wire.QuotedPCRs[:]); err != nil {
				return err
			}
			// Each use of the handle needs a session of its own.
			handle := k.tpm.authorized([]*key{k.ak})[0]
			var covers []byte
			if quote, covers, err = k.tpm.quote(handle, binding[:]); err != nil {
				return err
			}
			if bytes.Equal(covers, pcrDigest(values)) {
				return nil
			}
		}
		return fmt.Errorf("%w: %w", ErrBusy, errPCRsMoved)
	}, k.ak)
	if err != nil {
		return wire.Quote{}, nil, err
	}
	return quote, values, nil
}

// PCRs reads wire.QuotedPCRs of the SHA-256 bank at one instant.
func (t *TPM) PCRs() ([]wire.PCRValue, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connection == nil {
		return nil, ErrClosed
	}
	return t.pcrs(wire.QuotedPCRs[:])
}

// quote asks for the quote and returns the digest of PCRs that it covers.
func (t *TPM) quote(ak tpm2.AuthHandle, extraData []byte) (wire.Quote, []byte, error) {
	answer, err := tpm2.Quote{
		SignHandle:     ak,
		QualifyingData: tpm2.TPM2BData{Buffer: extraData},
		InScheme:       tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		PCRSelect:      selection(wire.QuotedPCRs[:]),
	}.Execute(t.connection)
	if err != nil {
		return wire.Quote{}, nil, explain("quoting", err)
	}
	attest, err := answer.Quoted.Contents()
	if err != nil {
		return wire.Quote{}, nil, explain("reading the quote", err)
	}
	info, err := attest.Attested.Quote()
	if err != nil {
		return wire.Quote{}, nil, explain("reading the quote", err)
	}
	return wire.Quote{Attest: answer.Quoted.Bytes(), Signature: tpm2.Marshal(answer.Signature)}, info.PCRDigest.Buffer, nil
}

// pcrs reads PCRs until one update counter covers all of them: a TPM returns at
// most eight at once, and another may be extended between two reads.
func (t *TPM) pcrs(indices []int) ([]wire.PCRValue, error) {
	for range pcrTries {
		values, err := t.pcrsOnce(indices)
		if !errors.Is(err, errPCRsMoved) {
			return values, err
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrBusy, errPCRsMoved)
}

func (t *TPM) pcrsOnce(indices []int) ([]wire.PCRValue, error) {
	values := make([]wire.PCRValue, 0, len(indices))
	var counter uint32
	for len(values) < len(indices) {
		left := indices[len(values):]
		answer, err := tpm2.PCRRead{PCRSelectionIn: selection(left)}.Execute(t.connection)
		if err != nil {
			return nil, explain("reading PCRs", err)
		}
		if len(values) > 0 && answer.PCRUpdateCounter != counter {
			return nil, errPCRsMoved
		}
		counter = answer.PCRUpdateCounter
		digests := answer.PCRValues.Digests
		if len(digests) == 0 {
			return nil, ErrNoBank
		}
		if len(digests) > len(left) || !sameSelection(answer.PCRSelectionOut, selection(left[:len(digests)])) {
			return nil, errors.New("tpm: reading PCRs: the TPM answered for others")
		}
		for i, digest := range digests {
			if len(digest.Buffer) != sha256.Size {
				return nil, ErrNoBank
			}
			values = append(values, wire.PCRValue{Index: left[i], Digest: digest.Buffer})
		}
	}
	return values, nil
}

func selection(indices []int) tpm2.TPMLPCRSelection {
	set := make([]uint, len(indices))
	for i, index := range indices {
		set[i] = uint(index) // #nosec G115 -- 0 to 23
	}
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
		Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(set...),
	}}}
}

func sameSelection(a, b tpm2.TPMLPCRSelection) bool {
	return bytes.Equal(tpm2.Marshal(a), tpm2.Marshal(b))
}

// pcrDigest is what a quote over these values must carry (TPM 2.0 part 4, 9.7:
// the concatenation, ascending, hashed by the signing scheme's hash).
func pcrDigest(values []wire.PCRValue) []byte {
	h := sha256.New()
	for _, value := range values {
		h.Write(value.Digest)
	}
	return h.Sum(nil)
}
