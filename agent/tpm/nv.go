package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

const (
	// maxCertificate bounds an NV area that holds a certificate.
	maxCertificate = 8 << 10
	// nvChunk is small enough for every TPM's MAX_NV_BUFFER_SIZE.
	nvChunk = 512
)

var (
	errNVAccess   = errors.New("this NV area is readable with neither its own nor the owner's empty authorization")
	errNVTooLarge = fmt.Errorf("this NV area is larger than %d bytes", maxCertificate)
)

// readNV reads a whole NV area with an empty authorization value.
func (t *TPM) readNV(index tpm2.TPMHandle) ([]byte, error) {
	about, err := tpm2.NVReadPublic{NVIndex: index}.Execute(t.connection)
	if err != nil {
		return nil, err
	}
	public, err := about.NVPublic.Contents()
	if err != nil {
		return nil, err
	}
	if public.DataSize > maxCertificate {
		return nil, fmt.Errorf("%w: %#x has %d", errNVTooLarge, index, public.DataSize)
	}
	reader := tpm2.AuthHandle{Auth: tpm2.PasswordAuth(nil)}
	switch {
	case public.Attributes.AuthRead:
		reader.Handle, reader.Name = index, about.NVName
	case public.Attributes.OwnerRead:
		reader.Handle = tpm2.TPMRHOwner
	default:
		return nil, errNVAccess
	}
	content := make([]byte, 0, public.DataSize)
	for uint16(len(content)) < public.DataSize { // #nosec G115 -- bounded by DataSize
		at := uint16(len(content)) // #nosec G115 -- bounded by DataSize
		part, err := tpm2.NVRead{
			AuthHandle: reader,
			NVIndex:    tpm2.NamedHandle{Handle: index, Name: about.NVName},
			Size:       min(nvChunk, public.DataSize-at),
			Offset:     at,
		}.Execute(t.connection)
		if err != nil {
			return nil, err
		}
		if len(part.Data.Buffer) == 0 || len(content)+len(part.Data.Buffer) > int(public.DataSize) {
			return nil, errors.New("the TPM read out of step")
		}
		content = append(content, part.Data.Buffer...)
	}
	return content, nil
}
