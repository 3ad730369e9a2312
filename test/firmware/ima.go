package firmware

import (
	"crypto"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// imaPCR is where Linux extends its measurement list.
const imaPCR = 10

// IMAEntry is one entry of the run-time measurement list, template ima-ng.
type IMAEntry struct {
	Path string
	// Digest is SHA-256 of the file's content.
	Digest []byte
	// Violation says that the file was open for writing while it was measured:
	// its digests are zero, and ones are extended.
	Violation bool
}

// IMA measures files as Linux's IMA does since 5.8: it extends PCR 10 of every
// active bank with that bank's own digest of the template. It begins with the
// boot_aggregate, so it is called once a boot; MeasureIMA goes on.
func IMA(t transport.TPM, files ...File) ([]byte, error) {
	values, err := Read(t, crypto.SHA256, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if err != nil {
		return nil, err
	}
	return MeasureIMA(t, slices.Concat([]IMAEntry{{Path: "boot_aggregate", Digest: digest(slices.Concat(values...))}}, IMAEntries(files...))...)
}

// IMAEntries are the entries of files.
func IMAEntries(files ...File) []IMAEntry {
	var out []IMAEntry
	for _, f := range files {
		out = append(out, IMAEntry{Path: f.Path, Digest: digest([]byte(f.Content))})
	}
	return out
}

// MeasureIMA extends PCR 10 with entries and returns them as the binary list
// has them.
func MeasureIMA(t transport.TPM, entries ...IMAEntry) ([]byte, error) {
	banks, err := Banks(t)
	if err != nil {
		return nil, err
	}
	var list []byte
	for _, e := range entries {
		list = append(list, e.Marshal()...)
		var digests tpm2.TPMLDigestValues
		for _, bank := range banks {
			digests.Digests = append(digests.Digests, tpm2.TPMTHA{HashAlg: algorithm(bank), Digest: e.extends(bank)})
		}
		if err := extend(t, imaPCR, digests); err != nil {
			return nil, fmt.Errorf("firmware: IMA: %w", err)
		}
	}
	return list, nil
}

// Marshal is the entry in binary_runtime_measurements on a little-endian
// machine: PCR, SHA-1 of the template, the template's name and data.
func (e IMAEntry) Marshal() []byte {
	name, data := "ima-ng", e.template()
	out := binary.LittleEndian.AppendUint32(nil, imaPCR)
	if e.Violation {
		out = append(out, make([]byte, crypto.SHA1.Size())...)
	} else {
		out = append(out, hashed(crypto.SHA1, data)...)
	}
	return appendSized(appendSized(out, []byte(name)), data)
}

// template is the fields d-ng and n-ng, each after its length.
func (e IMAEntry) template() []byte {
	sum := e.Digest
	if e.Violation {
		sum = make([]byte, crypto.SHA256.Size())
	}
	return appendSized(appendSized(nil, append([]byte("sha256:\x00"), sum...)), []byte(e.Path+"\x00"))
}

func (e IMAEntry) extends(bank crypto.Hash) []byte {
	if e.Violation {
		return slices.Repeat([]byte{0xff}, bank.Size())
	}
	return hashed(bank, e.template())
}

// ReplayIMA returns PCR 10 of a bank after entries, from zero.
func ReplayIMA(bank crypto.Hash, entries ...IMAEntry) []byte {
	pcr := make([]byte, bank.Size())
	for _, e := range entries {
		pcr = hashed(bank, append(pcr, e.extends(bank)...))
	}
	return pcr
}

func digest(data []byte) []byte { return hashed(crypto.SHA256, data) }

func hashed(bank crypto.Hash, data []byte) []byte {
	h := bank.New()
	h.Write(data)
	return h.Sum(nil)
}
