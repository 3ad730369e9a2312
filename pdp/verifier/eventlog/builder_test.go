package eventlog

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/menshen-zt/menshen/internal/wire"
)

// step is one event to be built. digested is what its digest is of, data if nil.
type step struct {
	pcr, kind uint32
	data      []byte
	digested  []byte
}

func (s step) event() Event {
	of := s.digested
	if of == nil {
		of = s.data
	}
	digest := sha256Bank().sum(of)
	if s.kind == NoAction {
		digest = make([]byte, 32)
	}
	return Event{PCR: s.pcr, Type: s.kind, Data: s.data, Digests: []Digest{{SHA256, digest}}}
}

func logOf(steps []step) *Log {
	l := &Log{Header: &SpecID{Major: 2, UintnSize: 2, Algorithms: []Algorithm{{SHA256, 32}}}}
	for _, s := range steps {
		l.Events = append(l.Events, s.event())
	}
	return l
}

// quoted are the PCRs that a TPM would quote after the events of l.
func quoted(l *Log, b bank, start byte) []wire.PCRValue {
	registers := replay(l.Events, b, start)
	var all []wire.PCRValue
	for _, i := range wire.QuotedPCRs {
		all = append(all, wire.PCRValue{Index: i, Digest: registers[i].value})
	}
	return all
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// efiGUID is a GUID as it lies in memory.
func efiGUID(s string) []byte {
	b := unhex(s)
	slices.Reverse(b[:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

func wideText(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func efiVariable(owner, name string, data []byte) []byte {
	b := efiGUID(owner)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(utf16.Encode([]rune(name)))))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	return append(append(b, wideText(name)...), data...)
}

func signatureListOf(kind string, entries ...[]byte) []byte {
	b := efiGUID(kind)
	size := ownerSize + len(entries[0])
	b = appendU32(b, uint32(28+size*len(entries)), 0, uint32(size))
	for _, e := range entries {
		b = append(append(b, make([]byte, ownerSize)...), e...)
	}
	return b
}

func devicePath(file string) []byte {
	node := append(wideText(file), 0, 0)
	path := append([]byte{4, 4, byte(4 + len(node)), byte((4 + len(node)) >> 8)}, node...)
	return append(path, 0x7f, 0xff, 4, 0)
}

func imageLoad(path []byte) []byte {
	b := make([]byte, 24)
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(path))), path...)
}

var (
	certificate = []byte("0certificate of the platform")
	zeros       = []byte{0, 0, 0, 0}
)

func keys(name string) step {
	owner := globalGUID
	if strings.HasPrefix(name, "db") {
		owner = imageSecurityGUID
	}
	return step{7, EFIVariableDriverConfig, efiVariable(owner, name, signatureListOf(typeX509, certificate)), nil}
}

func secureBootIs(value ...byte) step {
	return step{7, EFIVariableDriverConfig, efiVariable(globalGUID, "SecureBoot", value), nil}
}

func separatorOf(pcr uint32) step { return step{pcr, Separator, zeros, nil} }

func application(file, contents string) step {
	return step{4, EFIBootServicesApplication, imageLoad(devicePath(file)), []byte(contents)}
}

func authorityOf(owner, name string, data []byte) step {
	return step{7, EFIVariableAuthority, efiVariable(owner, name, data), nil}
}

// The places of events in genuine, for what a forger changes.
const (
	atVersion = iota
	atBlob
	atSecureBoot
	atPK
	atKEK
	atDB
	atDBX
	atSeparator7
	atDriver
	atCalling
	atSeparator0
	atSeparator1
	atSeparator2
	atSeparator3
	atSeparator4
	atSeparator5
	atSeparator6
	atPartitions
	atAuthority
	atShim
	atMokList
	atSbat
	atGRUB
	atConfig
	atCommand
	atKernelFile
	atCmdline
	atKernel
	atExit
)

// genuine is the boot of a PC with Secure Boot on, shim, GRUB and Linux.
func genuine() []step {
	return []step{
		atVersion:    {0, CRTMVersion, wideText("1.2.3"), nil},
		atBlob:       {0, EFIPlatformFirmwareBlob, make([]byte, 16), []byte("volume")},
		atSecureBoot: secureBootIs(1),
		atPK:         keys("PK"),
		atKEK:        keys("KEK"),
		atDB:         keys("db"),
		atDBX: {7, EFIVariableDriverConfig, efiVariable(imageSecurityGUID, "dbx",
			signatureListOf(typeSHA256, make([]byte, 32), []byte(strings.Repeat("x", 32)))), nil},
		atSeparator7: separatorOf(7),
		atDriver:     {2, EFIBootServicesDriver, imageLoad([]byte{1, 1, 6, 0, 0, 0x1c, 0x7f, 0xff, 4, 0}), []byte("driver")},
		atCalling:    {4, EFIAction, []byte("Calling EFI Application from Boot Option"), nil},
		atSeparator0: separatorOf(0),
		atSeparator1: separatorOf(1),
		atSeparator2: separatorOf(2),
		atSeparator3: separatorOf(3),
		atSeparator4: separatorOf(4),
		atSeparator5: separatorOf(5),
		atSeparator6: separatorOf(6),
		atPartitions: {5, EFIGPTEvent, []byte("EFI PART and so on"), nil},
		atAuthority:  authorityOf(imageSecurityGUID, "db", append(make([]byte, ownerSize), certificate...)),
		atShim:       application(`\EFI\debian\shimx64.efi`, "shim"),
		atMokList:    {14, IPL, []byte("MokList\x00"), []byte("keys")},
		atSbat:       authorityOf(shimGUID, "SbatLevel", []byte("sbat,1,2021030218\n")),
		atGRUB:       application(`\EFI\debian\grubx64.efi`, "grub"),
		atConfig:     {9, IPL, []byte("(hd0,gpt1)/EFI/debian/grub.cfg\x00"), []byte("configuration")},
		atCommand:    {8, IPL, []byte("grub_cmd: set root=hd0\x00"), []byte("set root=hd0")},
		atKernelFile: {9, IPL, []byte("(hd0,gpt2)/vmlinuz-6.1\x00"), []byte("kernel")},
		atCmdline:    {8, IPL, []byte("kernel_cmdline: /vmlinuz-6.1 ro quiet\x00"), []byte("/vmlinuz-6.1 ro quiet")},
		atKernel:     {4, EFIBootServicesApplication, imageLoad(nil), []byte("kernel")},
		atExit:       {5, EFIAction, []byte(exitInvocation), nil},
	}
}

// readSteps reads the log of steps against the PCRs that they lead to.
func readSteps(t testing.TB, steps []step) (wire.Boot, []Problem) {
	t.Helper()
	l := logOf(steps)
	return Read(l.Marshal(), quoted(l, sha256Bank(), 0))
}
