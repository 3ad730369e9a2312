package tpm

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// patience is how long retrying waits before each new try of a command that the
// TPM asked to send again (TPM 2.0 part 2, 6.6.3: "warnings").
var patience = [...]time.Duration{
	10 * time.Millisecond, 40 * time.Millisecond, 160 * time.Millisecond, 640 * time.Millisecond, 1500 * time.Millisecond,
}

// retrying is a TPM that sends a command again when the TPM says so.
type retrying struct {
	transport.TPMCloser
	sleep func(time.Duration)
}

// Send implements transport.TPM.
func (r *retrying) Send(command []byte) ([]byte, error) {
	for try := 0; ; try++ {
		answer, err := r.TPMCloser.Send(command)
		if err != nil {
			return nil, fmt.Errorf("talking to the TPM: %w", err)
		}
		if try == len(patience) || !asksAgain(answer) {
			return answer, nil
		}
		r.sleep(patience[try])
	}
}

func asksAgain(answer []byte) bool {
	const codeAt = 6 // after tag and size
	if len(answer) < codeAt+4 {
		return false
	}
	switch tpm2.TPMRC(binary.BigEndian.Uint32(answer[codeAt:])) {
	case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting, tpm2.TPMRCNVRate:
		return true
	}
	return false
}
