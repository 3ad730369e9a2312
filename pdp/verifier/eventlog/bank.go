package eventlog

import (
	"bytes"
	"crypto/sha256"
	"hash"
)

// bank is the one hash algorithm that a log is read in, and belongs to one
// reading. The product reads the SHA-256 bank alone; tests read public SHA-1
// logs by the same code.
type bank struct {
	algorithm uint16
	size      int // of a digest in bytes
	hash      hash.Hash
	scratch   []byte // for a digest that is compared and forgotten
}

func newBank(algorithm uint16, h hash.Hash) bank {
	return bank{algorithm, h.Size(), h, make([]byte, 0, h.Size())}
}

func sha256Bank() bank { return newBank(SHA256, sha256.New()) }

// in reports whether every event of a log has a digest of this bank.
func (b bank) in(l *Log) bool {
	if l.Header == nil {
		return b.algorithm == SHA1
	}
	return l.Header.size(b.algorithm) != 0
}

func (b bank) sum(data []byte) []byte {
	b.hash.Reset()
	b.hash.Write(data)
	return b.hash.Sum(nil)
}

// is reports whether digest is that of data.
func (b bank) is(digest, data []byte) bool {
	b.hash.Reset()
	b.hash.Write(data)
	return bytes.Equal(digest, b.hash.Sum(b.scratch))
}

// extend is TPM2_PCR_Extend (TPM 2.0 part 3, 22.2), in place.
func (b bank) extend(value, digest []byte) {
	b.hash.Reset()
	b.hash.Write(value)
	b.hash.Write(digest)
	b.hash.Sum(value[:0])
}
