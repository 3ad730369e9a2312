package firmware

import (
	"crypto"
	_ "crypto/sha1" // #nosec G505 -- the SHA-1 bank of real TPMs
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// Event types (TCG PC Client Platform Firmware Profile 1.06, 10.4.1).
const (
	NoAction                uint32 = 0x03
	Separator               uint32 = 0x04
	SCRTMVersion            uint32 = 0x08
	IPL                     uint32 = 0x0d
	VariableDriverConfig    uint32 = 0x80000001
	VariableBoot            uint32 = 0x80000002
	BootServicesApplication uint32 = 0x80000003
	BootServicesDriver      uint32 = 0x80000004
	GPT                     uint32 = 0x80000006
	Action                  uint32 = 0x80000007
	FirmwareBlob            uint32 = 0x80000008
	HandoffTables           uint32 = 0x80000009
	VariableAuthority       uint32 = 0x800000e0
)

// Event is one event. Measured is what its digests are made over, which for
// many types is not Data.
type Event struct {
	PCR      int
	Type     uint32
	Data     []byte
	Measured []byte
}

// Digest is what the event extends into its PCR of a bank; zeros for an event
// that extends nothing.
func (e Event) Digest(bank crypto.Hash) []byte {
	if e.Type == NoAction {
		return make([]byte, bank.Size())
	}
	h := bank.New()
	h.Write(e.Measured)
	return h.Sum(nil)
}

// Marshal writes the crypto-agile log of events with digests of those banks:
// the Spec ID event, then each as TCG_PCR_EVENT2 (10.2.2, 10.4.5.1).
func Marshal(events []Event, banks ...crypto.Hash) []byte {
	spec := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 106, 2) // class, minor, major, errata, UINTN
	spec = binary.LittleEndian.AppendUint32(spec, uint32(len(banks)))       // #nosec G115 -- a handful
	for _, bank := range banks {
		spec = binary.LittleEndian.AppendUint16(spec, uint16(algorithm(bank)))
		spec = binary.LittleEndian.AppendUint16(spec, uint16(bank.Size())) // #nosec G115 -- at most 64
	}
	spec = append(spec, 0)
	log := marshalSHA1(nil, 0, NoAction, make([]byte, crypto.SHA1.Size()), spec)
	for _, e := range events {
		log = binary.LittleEndian.AppendUint32(log, uint32(e.PCR)) // #nosec G115 -- at most 23
		log = binary.LittleEndian.AppendUint32(log, e.Type)
		log = binary.LittleEndian.AppendUint32(log, uint32(len(banks))) // #nosec G115 -- a handful
		for _, bank := range banks {
			log = binary.LittleEndian.AppendUint16(log, uint16(algorithm(bank)))
			log = append(log, e.Digest(bank)...)
		}
		log = appendSized(log, e.Data)
	}
	return log
}

// MarshalSHA1 writes the log in the older format, which has SHA-1 digests alone
// (TCG_PCR_EVENT, 10.2.1).
func MarshalSHA1(events []Event) []byte {
	var log []byte
	for _, e := range events {
		log = marshalSHA1(log, e.PCR, e.Type, e.Digest(crypto.SHA1), e.Data)
	}
	return log
}

func marshalSHA1(log []byte, pcr int, kind uint32, digest, data []byte) []byte {
	log = binary.LittleEndian.AppendUint32(log, uint32(pcr)) // #nosec G115 -- at most 23
	log = binary.LittleEndian.AppendUint32(log, kind)
	return appendSized(append(log, digest...), data)
}

func appendSized(to, data []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(to, uint32(len(data))), data...) // #nosec G115 -- a test's data
}

// Replay returns the PCRs 0 to 23 of a bank after the events, on a TPM that
// started at that locality (10.4.5.3: it is PCR 0's first value).
func Replay(events []Event, bank crypto.Hash, locality byte) [24][]byte {
	var pcrs [24][]byte
	for i := range pcrs {
		pcrs[i] = make([]byte, bank.Size())
		if i >= 17 && i <= 22 { // no dynamic launch
			pcrs[i] = slices.Repeat([]byte{0xff}, bank.Size())
		}
	}
	pcrs[0][bank.Size()-1] = locality
	for _, e := range events {
		if e.Type == NoAction {
			continue
		}
		h := bank.New()
		h.Write(pcrs[e.PCR])
		h.Write(e.Digest(bank))
		pcrs[e.PCR] = h.Sum(nil)
	}
	return pcrs
}

// algorithms are the banks that a TPM may have.
var algorithms = map[crypto.Hash]tpm2.TPMAlgID{
	crypto.SHA1: tpm2.TPMAlgSHA1, crypto.SHA256: tpm2.TPMAlgSHA256, crypto.SHA384: tpm2.TPMAlgSHA384, crypto.SHA512: tpm2.TPMAlgSHA512,
}

func algorithm(bank crypto.Hash) tpm2.TPMAlgID { return algorithms[bank] }

var errBank = errors.New("firmware: the TPM has a bank of an unknown algorithm")

func bankOf(id tpm2.TPMAlgID) (crypto.Hash, error) {
	for bank, known := range algorithms {
		if known == id {
			return bank, nil
		}
	}
	return 0, errBank
}
