package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// Errors that a caller can act on.
var (
	// ErrNotFound says that there is no TPM 2.0, or that this user may not
	// open it; the text tells which.
	ErrNotFound = errors.New("tpm: no TPM 2.0 that this user can open")
	// ErrBusy says that the TPM, or its last slot, was taken for too long:
	// worth another try later.
	ErrBusy = errors.New("tpm: busy")
	// ErrReplaced says that the keys were made by another TPM: the mainboard
	// was replaced, the TPM was reset by its maker's tool, or the disk was
	// copied. The device must enrol again.
	ErrReplaced = errors.New("tpm: the keys belong to another TPM")
	// ErrCleared says that this TPM made the keys and was cleared since: its EK
	// stays, what was made under it is lost. The device must enrol again.
	ErrCleared = errors.New("tpm: the TPM was cleared and the keys are lost")
	// ErrNoBank says that the TPM extends no SHA-256 bank.
	ErrNoBank = errors.New("tpm: the SHA-256 bank of PCRs is not active")
	// ErrMalformed says that Blobs are not what CreateKeys made.
	ErrMalformed = errors.New("tpm: malformed key blobs")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("tpm: closed")
)

// explain puts err into words and marks what a caller can act on.
func explain(doing string, err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCRetry), errors.Is(err, tpm2.TPMRCYielded), errors.Is(err, tpm2.TPMRCTesting),
		errors.Is(err, tpm2.TPMRCNVRate), errors.Is(err, tpm2.TPMRCLockout),
		errors.Is(err, tpm2.TPMRCObjectMemory), errors.Is(err, tpm2.TPMRCSessionMemory), errors.Is(err, tpm2.TPMRCSessionHandles):
		return fmt.Errorf("%w: %s: %w", ErrBusy, doing, err)
	default:
		return fmt.Errorf("tpm: %s: %w", doing, err)
	}
}

// lostHandle reports whether err can mean that an object which was loaded is
// gone: the TPM was reset, or somebody else flushed it and perhaps took its
// handle, so that the authorization fails over another Name.
func lostHandle(err error) bool {
	for _, rc := range []tpm2.TPMRC{
		tpm2.TPMRCReferenceH0, tpm2.TPMRCReferenceH1, tpm2.TPMRCHandle, tpm2.TPMRCBadAuth, tpm2.TPMRCAuthFail,
	} {
		if errors.Is(err, rc) {
			return true
		}
	}
	return false
}
