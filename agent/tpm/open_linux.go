package tpm

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// DefaultDevice is the kernel's TPM with its resource manager.
const DefaultDevice = "/dev/tpmrm0"

// connect opens a character device, or "unix:" and the path of a socket that
// takes TPM commands. shared says that a resource manager stands between.
func connect(device string) (connection transport.TPMCloser, shared bool, err error) {
	if device == "" {
		device = DefaultDevice
	}
	socket, isSocket := strings.CutPrefix(device, "unix:")
	if isSocket {
		connection, err = linuxudstpm.Open(socket)
	} else {
		connection, err = linuxtpm.Open(device)
	}
	if err != nil {
		return nil, false, notOpened(device, err)
	}
	return connection, !isSocket && strings.Contains(device, "tpmrm"), nil
}

func notOpened(device string, err error) error {
	switch {
	case errors.Is(err, syscall.EBUSY): // /dev/tpm0 has one user at a time
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: is this user in the group of %s (often tss)? %w", ErrNotFound, device, err)
	}
	return fmt.Errorf("%w: %w", ErrNotFound, err)
}
