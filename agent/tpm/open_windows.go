package tpm

import (
	"fmt"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/windowstpm"
)

// DefaultDevice stands for TPM Base Services, which know one TPM alone.
const DefaultDevice = ""

// connect opens TPM Base Services, which are a resource manager.
func connect(device string) (connection transport.TPMCloser, shared bool, err error) {
	if device != DefaultDevice {
		return nil, false, fmt.Errorf("%w: on Windows the device must be left empty", ErrNotFound)
	}
	connection, err = windowstpm.Open()
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return connection, true, nil
}
