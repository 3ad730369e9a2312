//go:build !linux && !windows

package tpm

import (
	"fmt"
	"runtime"

	"github.com/google/go-tpm/tpm2/transport"
)

// DefaultDevice is empty: there is nothing to open.
const DefaultDevice = ""

// connect says that this system has no TPM 2.0 that a program can open. A Mac's
// Secure Enclave is another kind of key store.
func connect(string) (connection transport.TPMCloser, shared bool, err error) {
	return nil, false, fmt.Errorf("%w: %s gives programs no TPM", ErrNotFound, runtime.GOOS)
}
