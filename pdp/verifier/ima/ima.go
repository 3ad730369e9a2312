// Package ima reads Linux's run-time measurement list, as the kernel gives it in
// binary, and computes what each entry extended into PCR 10.
//
// Format: security/integrity/ima of Linux, little-endian machines. Templates ima,
// ima-ng, ima-sig, ima-ngv2 and ima-sigv2 name files; any other is replayed and
// names none.
//
// Guarantees: bounded, panics on no input, accepts only bytes that marshal to
// themselves and whose SHA-1 is that of their template's data. Since 5.8 Linux
// extends the SHA-256 bank with SHA-256 of the template's data; older kernels
// extend padded SHA-1 there, which is not supported and explains no PCR.
package ima

import (
	"bytes"
	"crypto/sha1" // #nosec G505 -- the list carries SHA-1 whatever the bank; nothing rests on it
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
)

// Errors of Parse and File.
var (
	ErrMalformed = errors.New("ima: not an entry that a kernel writes")
	ErrDigest    = errors.New("ima: an entry's digest is not that of its data")
	// ErrNoFile says that an entry measured something else than a file.
	ErrNoFile = errors.New("ima: the template names no file")
)

// Bounds of an entry.
const (
	maxName = 32
	maxData = 64 << 10
)

const original = "ima"

// PCR is where every entry must be extended.
const PCR = 10

// maxFileName is to what length the original template pads a file's name, with
// one zero byte more.
const maxFileName = 255

// Entry is one measurement. Its slices lie in the bytes that were parsed.
type Entry struct {
	Digest   []byte // SHA-1 of the template's data, zeros for a violation
	Template string
	// Data are the template's fields: each after its length, but for the digest
	// of the original template.
	Data []byte
}

// Parse reads whole entries that fill raw.
func Parse(raw []byte) ([]Entry, error) {
	var entries []Entry
	c := cursor{rest: raw}
	for len(c.rest) > 0 {
		e := c.entry()
		if c.bad {
			return nil, ErrMalformed
		}
		if sum := sha1.Sum(e.hashed()); !e.Violation() && !bytes.Equal(e.Digest, sum[:]) { // #nosec G401 -- as above
			return nil, ErrDigest
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Marshal appends the bytes that were parsed.
func (e Entry) Marshal(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, PCR)
	b = append(b, e.Digest...)
	b = appendSized(b, []byte(e.Template))
	if e.Template == original {
		return append(b, e.Data...)
	}
	return appendSized(b, e.Data)
}

func appendSized(b, field []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(field))), field...) // #nosec G115 -- bounded
}

// Violation reports whether the kernel could not measure: somebody wrote to the
// file meanwhile.
func (e Entry) Violation() bool { return bytes.Equal(e.Digest, make([]byte, sha1.Size)) }

// Extend returns PCR 10 of the SHA-256 bank after the entry.
func (e Entry) Extend(pcr [sha256.Size]byte) [sha256.Size]byte {
	var value [sha256.Size]byte
	if e.Violation() {
		copy(value[:], bytes.Repeat([]byte{0xff}, sha256.Size))
	} else {
		value = sha256.Sum256(e.hashed())
	}
	return sha256.Sum256(append(pcr[:], value[:]...))
}

// hashed are the bytes that the template's digest is over: the original template
// pads the name and leaves its length out.
func (e Entry) hashed() []byte {
	if e.Template != original {
		return e.Data
	}
	c := cursor{rest: e.Data}
	digest, name := c.take(sha1.Size), c.sized(maxFileName)
	return append(bytes.Clone(digest), append(bytes.Clone(name), make([]byte, maxFileName+1-len(name))...)...)
}

// File is what an entry says of a file.
type File struct {
	Path      string
	Algorithm string // such as "sha256"
	Digest    []byte
}

// File returns the file that was measured.
func (e Entry) File() (File, error) {
	c := cursor{rest: e.Data}
	switch e.Template {
	case original:
		digest := c.take(sha1.Size)
		return c.file(File{string(c.sized(maxFileName)), "sha1", digest}, true)
	case "ima-ng", "ima-sig", "ima-ngv2", "ima-sigv2":
	default:
		return File{}, ErrNoFile
	}
	algorithm, digest, ok := bytes.Cut(c.sized(maxData), []byte(":\x00"))
	named, terminated := bytes.CutSuffix(c.sized(maxData), []byte{0})
	if strings.HasSuffix(e.Template, "v2") { // "ima:sha256" or "verity:sha256"
		kind, rest, cut := bytes.Cut(algorithm, []byte(":"))
		algorithm, ok = rest, ok && cut && string(kind) == "ima"
	}
	if strings.HasPrefix(e.Template, "ima-sig") {
		c.sized(maxData)
	}
	return c.file(File{string(named), string(algorithm), digest}, ok && terminated && !bytes.ContainsRune(named, 0))
}

func (c *cursor) file(f File, ok bool) (File, error) {
	if !ok || c.bad || len(c.rest) > 0 {
		return File{}, ErrMalformed
	}
	return f, nil
}

// cursor takes bytes off the front; once bad it gives nothing more.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return nil
	}
	part := c.rest[:n]
	c.rest = c.rest[n:]
	return part
}

func (c *cursor) sized(most uint32) []byte {
	length := c.take(4)
	if c.bad || binary.LittleEndian.Uint32(length) > most {
		c.bad = true
		return nil
	}
	return c.take(int(binary.LittleEndian.Uint32(length)))
}

func (c *cursor) entry() Entry {
	if pcr := c.take(4); !c.bad && binary.LittleEndian.Uint32(pcr) != PCR {
		c.bad = true
	}
	e := Entry{Digest: c.take(sha1.Size), Template: string(c.sized(maxName))}
	if e.Template == original {
		whole := c.rest
		c.take(sha1.Size)
		c.sized(maxFileName)
		if !c.bad {
			e.Data = whole[:len(whole)-len(c.rest)]
		}
		return e
	}
	e.Data = c.sized(maxData)
	return e
}
