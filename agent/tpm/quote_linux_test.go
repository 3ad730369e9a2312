package tpm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/menshen-zt/menshen/internal/wire"
)

// movingPCRs is a TPM whose PCR 10 the kernel extends just before commands of one
// kind, a number of times.
type movingPCRs struct {
	transport.TPMCloser
	command tpm2.TPMCC
	skip    int
	times   int
}

func (m *movingPCRs) Send(command []byte) ([]byte, error) {
	if code := tpm2.TPMCC(uint32(command[6])<<24 | uint32(command[7])<<16 | uint32(command[8])<<8 | uint32(command[9])); code == m.command {
		if m.skip > 0 {
			m.skip--
		} else if m.times > 0 {
			m.times--
			if err := extend(m.TPMCloser, wire.RunTimePCR); err != nil {
				return nil, err
			}
		}
	}
	return m.TPMCloser.Send(command)
}

func TestPCRsThatMoveAreReadAgain(t *testing.T) {
	b := newBench(t)
	keys := b.keys(t, EKP256)
	b.extend(t, wire.RunTimePCR)
	for name, moving := range map[string]movingPCRs{
		"between two reads":       {command: tpm2.TPMCCPCRRead, skip: 1, times: 1},
		"between read and quote":  {command: tpm2.TPMCCQuote, times: 2},
		"at every read":           {command: tpm2.TPMCCPCRRead, skip: 1, times: 1000},
		"before every quote":      {command: tpm2.TPMCCQuote, times: 1000},
		"between reads, at first": {command: tpm2.TPMCCPCRRead, times: 3},
	} {
		t.Run(name, func(t *testing.T) {
			real := b.tpm.connection
			defer func() { b.tpm.connection = real }()
			moving.TPMCloser = real
			b.tpm.connection = &moving
			quote, values, err := keys.Quote([32]byte{}, nil)
			if moving.times > 500 {
				if !errors.Is(err, ErrBusy) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			attest, err := tpm2.Unmarshal[tpm2.TPMSAttest](quote.Attest)
			if err != nil {
				t.Fatal(err)
			}
			info, err := attest.Attested.Quote()
			if err != nil || !bytes.Equal(info.PCRDigest.Buffer, pcrDigest(values)) {
				t.Error("the values are not those quoted")
			}
		})
	}
}

func TestInactiveBankIsSaid(t *testing.T) {
	b := benchOf(t, sha1TPM)
	keys := b.keys(t, EKP256)
	if _, err := b.tpm.PCRs(); !errors.Is(err, ErrNoBank) {
		t.Error(err)
	}
	if _, _, err := keys.Quote([32]byte{}, nil); !errors.Is(err, ErrNoBank) {
		t.Error(err)
	}
}

func TestEventLog(t *testing.T) {
	dir := t.TempDir()
	if log, err := EventLog(filepath.Join(dir, "absent")); log != nil || err != nil {
		t.Errorf("absent: %v, %v", log, err)
	}
	path := filepath.Join(dir, "log")
	for size, fits := range map[int]bool{0: true, 10: true, wire.MaxEventLogBytes: true, wire.MaxEventLogBytes + 1: false} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := EventLog(path)
		if fits != (err == nil) || (fits && len(log) != size) {
			t.Errorf("%d bytes: %d, %v", size, len(log), err)
		}
	}
	if _, err := EventLog(dir); err == nil {
		t.Error("a directory was read")
	}
}
