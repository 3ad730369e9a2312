package ima

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"testing"
)

func sized(fields ...string) []byte {
	var b []byte
	for _, f := range fields {
		b = appendSized(b, []byte(f))
	}
	return b
}

func entry(template string, data []byte) Entry {
	e := Entry{Digest: make([]byte, sha1.Size), Template: template, Data: data}
	sum := sha1.Sum(e.hashed())
	e.Digest = sum[:]
	return e
}

var digest = string(bytes.Repeat([]byte{0xab}, 32))

func samples() []Entry {
	return []Entry{
		entry("ima-ng", sized("sha256:\x00"+digest, "boot_aggregate\x00")),
		entry("ima-sig", sized("sha256:\x00"+digest, "/usr/bin/true\x00", "\x03\x02signature")),
		entry("ima-ngv2", sized("ima:sha256:\x00"+digest, "/usr/bin/false\x00")),
		entry("ima", append(bytes.Repeat([]byte{0xcd}, 20), sized("/bin/old")...)),
		entry("ima-buf", sized("sha256:\x00"+digest, "kernel_cmdline\x00", "quiet")),
		{Digest: make([]byte, 20), Template: "ima-ng", Data: sized("sha256:\x00"+string(make([]byte, 32)), "/var/log/x\x00")},
	}
}

func marshal(entries []Entry) (raw []byte) {
	for _, e := range entries {
		raw = e.Marshal(raw)
	}
	return raw
}

func TestEntries(t *testing.T) {
	raw := marshal(samples())
	entries, err := Parse(raw)
	if err != nil || len(entries) != 6 || !bytes.Equal(marshal(entries), raw) {
		t.Fatal(entries, err)
	}
	for i, want := range []File{
		{"boot_aggregate", "sha256", []byte(digest)}, {"/usr/bin/true", "sha256", []byte(digest)},
		{"/usr/bin/false", "sha256", []byte(digest)}, {"/bin/old", "sha1", bytes.Repeat([]byte{0xcd}, 20)},
	} {
		if f, err := entries[i].File(); err != nil || f.Path != want.Path || f.Algorithm != want.Algorithm || !bytes.Equal(f.Digest, want.Digest) {
			t.Errorf("%d: %+v, %v", i, f, err)
		}
	}
	if _, err := entries[4].File(); !errors.Is(err, ErrNoFile) {
		t.Error(err)
	}
	if !entries[5].Violation() || entries[0].Violation() {
		t.Error("violations")
	}
}

// The values were computed apart: SHA-256(PCR | SHA-256(data)), and for the
// original template over the digest and the name padded to 256 bytes.
func TestExtend(t *testing.T) {
	s := samples()
	template := sha256.Sum256(s[0].Data)
	if got := s[0].Extend([32]byte{}); got != sha256.Sum256(append(make([]byte, 32), template[:]...)) {
		t.Error("ima-ng")
	}
	padded := append(bytes.Repeat([]byte{0xcd}, 20), "/bin/old"...)
	template = sha256.Sum256(append(padded, make([]byte, 256-len("/bin/old"))...))
	if got := s[3].Extend([32]byte{}); got != sha256.Sum256(append(make([]byte, 32), template[:]...)) {
		t.Error("ima")
	}
	if got := s[5].Extend([32]byte{}); got != sha256.Sum256(append(make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)...)) {
		t.Error("a violation")
	}
}

func TestMalformedLists(t *testing.T) {
	good := samples()[1].Marshal(nil)
	for cut := 1; cut < len(good); cut++ {
		if _, err := Parse(good[:cut]); err == nil {
			t.Errorf("cut at %d", cut)
		}
	}
	for name, change := range map[string]func(b []byte){
		"another PCR":   func(b []byte) { b[0] = 11 },
		"a digest":      func(b []byte) { b[4] ^= 1 },
		"data":          func(b []byte) { b[len(b)-1] ^= 1 },
		"a long name":   func(b []byte) { b[24] = maxName + 1 },
		"a huge length": func(b []byte) { b[27] = 0xff },
	} {
		b := bytes.Clone(good)
		change(b)
		if _, err := Parse(b); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	for name, data := range map[string][]byte{
		"no algorithm":     sized("sha256"+digest, "/x\x00"),
		"no terminator":    sized("sha256:\x00"+digest, "/x"),
		"a zero in a name": sized("sha256:\x00"+digest, "/x\x00y\x00"),
		"trailing data":    append(sized("sha256:\x00"+digest, "/x\x00"), 0),
		"one field":        sized("sha256:\x00" + digest),
	} {
		if _, err := entry("ima-ng", data).File(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := entry("ima-ngv2", sized("verity:sha256:\x00"+digest, "/x\x00")).File(); err == nil {
		t.Error("a digest of another kind is taken for the file's")
	}
}

// FuzzParse: what parses marshals back to the same bytes, and nothing panics.
func FuzzParse(f *testing.F) {
	f.Add(marshal(samples()))
	f.Add([]byte{10, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(marshal(entries), raw) {
			t.Error("parsed and not the same")
		}
		for _, e := range entries {
			e.Extend([32]byte{})
			_, _ = e.File()
		}
	})
}
