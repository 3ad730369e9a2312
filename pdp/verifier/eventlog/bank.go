package eventlog

import (
	"bytes"
	"crypto/sha256"
)

// bank is the one hash algorithm that a log is read in. The product reads the
// SHA-256 bank alone; tests read public SHA-1 logs by the same code.
type bank struct {
	algorithm uint16
	size      int // of a digest in bytes
	sum       func([]byte) []byte
}

func sha256Bank() bank {
	return bank{SHA256, sha256.Size, func(b []byte) []byte {
		d := sha256.Sum256(b)
		return d[:]
	}}
}

// in reports whether every event of a log has a digest of this bank.
func (b bank) in(l *Log) bool {
	if l.Header == nil {
		return b.algorithm == SHA1
	}
	return l.Header.size(b.algorithm) != 0
}

// is reports whether digest is that of data.
func (b bank) is(digest, data []byte) bool { return bytes.Equal(digest, b.sum(data)) }

// extend is TPM2_PCR_Extend (TPM 2.0 part 3, 22.2).
func (b bank) extend(value, digest []byte) []byte {
	return b.sum(append(append(make([]byte, 0, 2*b.size), value...), digest...))
}
