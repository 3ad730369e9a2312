package firmware

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Boot boots the machine on a TPM that was just switched on: it extends every
// active bank and returns the log. A TPM that booted already is an error, and so
// is a startup locality that a software TPM does not have.
func Boot(t transport.TPM, m Machine) ([]byte, error) {
	if l := m.StartupLocality; l != nil && *l != 0 {
		return nil, errors.New("firmware: a software TPM starts at locality 0")
	}
	events, err := Build(m)
	if err != nil {
		return nil, err
	}
	banks, err := Banks(t)
	if err != nil {
		return nil, err
	}
	if fresh, err := untouched(t, banks[0]); err != nil || !fresh {
		return nil, errors.Join(err, errors.New("firmware: this TPM was not switched on anew: its PCR 0 was extended"))
	}
	for _, e := range events {
		if err := Extend(t, e, banks...); err != nil {
			return nil, err
		}
	}
	return Marshal(events, banks...), nil
}

// Extend extends one event into its PCR.
func Extend(t transport.TPM, e Event, banks ...crypto.Hash) error {
	if e.Type == NoAction {
		return nil
	}
	var digests tpm2.TPMLDigestValues
	for _, bank := range banks {
		digests.Digests = append(digests.Digests, tpm2.TPMTHA{HashAlg: algorithm(bank), Digest: e.Digest(bank)})
	}
	return extend(t, e.PCR, digests)
}

func extend(t transport.TPM, pcr int, digests tpm2.TPMLDigestValues) error {
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(pcr), Auth: tpm2.PasswordAuth(nil)}, // #nosec G115 -- at most 23
		Digests:   digests,
	}.Execute(t)
	if err != nil {
		return fmt.Errorf("firmware: PCR %d: %w", pcr, err)
	}
	return nil
}

// Banks are the TPM's active banks, in the TPM's order.
func Banks(t transport.TPM) ([]crypto.Hash, error) {
	answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapPCRs, PropertyCount: 1}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("firmware: active banks: %w", err)
	}
	all, err := answer.CapabilityData.Data.AssignedPCR()
	if err != nil {
		return nil, fmt.Errorf("firmware: active banks: %w", err)
	}
	var banks []crypto.Hash
	for _, one := range all.PCRSelections {
		if bytes.Count(one.PCRSelect, []byte{0}) == len(one.PCRSelect) {
			continue
		}
		bank, err := bankOf(one.Hash)
		if err != nil {
			return nil, err
		}
		banks = append(banks, bank)
	}
	if len(banks) == 0 {
		return nil, errors.New("firmware: the TPM has no active bank")
	}
	return banks, nil
}

// Read returns the TPM's PCRs of a bank, in the order asked for.
func Read(t transport.TPM, bank crypto.Hash, pcrs ...int) ([][]byte, error) {
	var out [][]byte
	for _, pcr := range pcrs {
		selection := make([]byte, 3)
		selection[pcr/8] = 1 << (pcr % 8)
		answer, err := tpm2.PCRRead{PCRSelectionIn: tpm2.TPMLPCRSelection{
			PCRSelections: []tpm2.TPMSPCRSelection{{Hash: algorithm(bank), PCRSelect: selection}},
		}}.Execute(t)
		if err != nil {
			return nil, fmt.Errorf("firmware: PCR %d: %w", pcr, err)
		}
		if len(answer.PCRValues.Digests) != 1 {
			return nil, fmt.Errorf("firmware: the TPM has no PCR %d of that bank", pcr)
		}
		out = append(out, answer.PCRValues.Digests[0].Buffer)
	}
	return out, nil
}

func untouched(t transport.TPM, bank crypto.Hash) (bool, error) {
	values, err := Read(t, bank, 0)
	if err != nil {
		return false, err
	}
	return bytes.Equal(values[0], make([]byte, bank.Size())), nil
}
