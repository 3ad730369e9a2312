package eventlog

import (
	"bytes"
	"crypto/sha256"
)

// Signature types whose entries have one size (UEFI 2.10, 32.4.1), by which a
// list of them is checked.
const (
	typeSHA256 = "c1c41626-504c-4092-aca9-41f936934328"
	typeSHA1   = "826ca512-cf10-4ac9-b187-be01496631bd"
	typeSHA384 = "ff3e5307-9fd0-48c9-85f1-8ad56c701e01"
	typeSHA512 = "093e0fae-a6c4-4f50-9f1b-d41e2b89c19a"
	typeX509   = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
)

const ownerSize = 16 // bytes of an EFI_SIGNATURE_DATA before its data

// entrySize returns the size of an entry's data in bytes, 0 where a type's
// entries have none of their own.
func entrySize(signatureType string) uint32 {
	switch signatureType {
	case typeSHA1:
		return 20
	case typeSHA256:
		return 32
	case typeSHA384:
		return 48
	case typeSHA512:
		return 64
	}
	return 0
}

// signatureLists reads a run of EFI_SIGNATURE_LISTs that fills raw and returns
// SHA-256 of each entry's data without its owner, so that a certificate's
// member is its fingerprint. Certificates are not parsed: whether Go accepts
// one says nothing about the firmware.
func signatureLists(raw []byte) ([][]byte, bool) {
	members := [][]byte{}
	for c := (cursor{rest: raw}); len(c.rest) > 0; {
		entries, ok := signatureList(&c)
		if !ok {
			return nil, false
		}
		members = append(members, entries...)
	}
	return members, true
}

func signatureList(c *cursor) ([][]byte, bool) {
	var signatureType guid
	copy(signatureType[:], c.take(16))
	listSize, headerSize, size := c.u32(), c.u32(), c.u32()
	const fixed = 28 // bytes before the list's own header
	if c.bad || listSize < fixed || size <= ownerSize {
		return nil, false
	}
	body := cursor{rest: c.take(uint64(listSize - fixed))}
	body.take(uint64(headerSize))
	kind := signatureType.String()
	want := entrySize(kind)
	if c.bad || body.bad || uint32(len(body.rest))%size != 0 || want != 0 && size != ownerSize+want || // #nosec G115 -- at most MaxBytes
		kind == typeX509 && headerSize != 0 {
		return nil, false
	}
	var members [][]byte
	for len(body.rest) > 0 {
		members = append(members, member(body.take(uint64(size))[ownerSize:]))
	}
	return members, true
}

func member(data []byte) []byte {
	d := sha256.Sum256(data)
	return d[:]
}

// authorityMember returns the entry that verified an image: an
// EFI_SIGNATURE_DATA, or, as shim measures it, a certificate alone.
func authorityMember(data []byte) []byte {
	if derFills(data) || len(data) <= ownerSize {
		return member(data)
	}
	return member(data[ownerSize:])
}

// derFills reports whether data is one DER SEQUENCE by its length.
func derFills(data []byte) bool {
	return len(data) > 4 && bytes.HasPrefix(data, []byte{0x30, 0x82}) && 4+int(data[2])<<8+int(data[3]) == len(data)
}
