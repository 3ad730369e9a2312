package firmware

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"math/big"
	"time"
	"unicode/utf16"
)

// guid is an EFI_GUID as it lies in memory (UEFI 2.10, appendix A).
type guid [16]byte

func newGUID(a uint32, b, c uint16, rest [8]byte) guid {
	var g guid
	binary.LittleEndian.PutUint32(g[0:], a)
	binary.LittleEndian.PutUint16(g[4:], b)
	binary.LittleEndian.PutUint16(g[6:], c)
	copy(g[8:], rest[:])
	return g
}

// namedGUID is one that a name stands for.
func namedGUID(name string) guid {
	sum := sha256.Sum256([]byte("guid " + name))
	return guid(sum[:16])
}

// GUIDs of UEFI 2.10, 3.3, 32.4 and 32.6, and of shim.
var (
	globalVariable = newGUID(0x8be4df61, 0x93ca, 0x11d2, [8]byte{0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c})
	imageSecurity  = newGUID(0xd719b2cb, 0x3d3a, 0x4596, [8]byte{0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f})
	listX509       = newGUID(0xa5c059a1, 0x94e4, 0x4aa7, [8]byte{0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72})
	listSHA256     = newGUID(0xc1c41626, 0x504c, 0x4092, [8]byte{0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28})
	shimLock       = newGUID(0x605dab50, 0xe046, 0x4300, [8]byte{0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23})
	smbios3        = newGUID(0xf2fd1544, 0x9794, 0x4a2c, [8]byte{0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94})
	efiSystem      = newGUID(0xc12a7328, 0xf81f, 0x11d2, [8]byte{0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b})
	linuxData      = newGUID(0x0fc63daf, 0x8483, 0x4772, [8]byte{0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4})
)

// variable is a UEFI_VARIABLE_DATA (TCG PC Client Platform Firmware Profile
// 1.06, 10.2.6).
func variable(vendor guid, name string, value []byte) []byte {
	units := utf16.Encode([]rune(name))
	out := append([]byte{}, vendor[:]...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(units)))
	out = binary.LittleEndian.AppendUint64(out, uint64(len(value)))
	return append(append(out, ucs2(name)...), value...)
}

// ucs2 is a text in UTF-16, little endian, without an end.
func ucs2(text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

// keyLists is a variable of X.509 certificates, an EFI_SIGNATURE_LIST for each
// (UEFI 2.10, 32.4.1).
func keyLists(names ...string) ([]byte, error) {
	var out []byte
	for _, name := range names {
		der, err := certificate(name)
		if err != nil {
			return nil, err
		}
		out = append(out, signatureList(listX509, entry(name, der))...)
	}
	return out, nil
}

// imageList is a variable of images' digests, in one list.
func imageList(contents ...string) []byte {
	if len(contents) == 0 {
		return nil
	}
	var all [][]byte
	for _, content := range contents {
		sum := sha256.Sum256([]byte(content))
		all = append(all, entry("forbidden", sum[:]))
	}
	return signatureList(listSHA256, all...)
}

// entry is an EFI_SIGNATURE_DATA: who put it there, and what.
func entry(owner string, data []byte) []byte {
	g := namedGUID(owner)
	return append(g[:], data...)
}

func signatureList(kind guid, entries ...[]byte) []byte {
	const header = 28
	size := len(entries[0])
	out := append([]byte{}, kind[:]...)
	out = binary.LittleEndian.AppendUint32(out, uint32(header+size*len(entries))) // #nosec G115 -- a test's data
	out = binary.LittleEndian.AppendUint32(out, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(size)) // #nosec G115 -- a test's data
	for _, e := range entries {
		out = append(out, e...)
	}
	return out
}

// certificate is the self-signed certificate of the key that a name stands for,
// the same at each call: the key follows from the name, and the signature is
// deterministic (RFC 6979).
func certificate(name string) ([]byte, error) {
	seed := sha256.Sum256([]byte("key " + name))
	seed[0] &= 0x7f // below the group's order
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(1704067200, 0), NotAfter: time.Unix(2335219200, 0), IsCA: true, BasicConstraintsValid: true,
	}
	return x509.CreateCertificate(nil, template, template, key.Public(), key)
}
