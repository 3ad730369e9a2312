package eventlog

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// refused says that a log was refused for one reason and for no other, and
// that nothing of it is passed on.
func refused(t *testing.T, name string, boot wire.Boot, problems []Problem, code string) {
	t.Helper()
	var codes []string
	fatal := false
	for _, p := range problems {
		codes = append(codes, p.Code)
		fatal = fatal || p.Fatal
	}
	slices.Sort(codes)
	if got := strings.Join(slices.Compact(codes), " "); got != code || !fatal {
		t.Errorf("%s: %s (fatal %v), want %s", name, got, fatal, code)
	}
	if len(boot.PCRDigest) > 0 || len(boot.Measurements) > 0 || boot.SecureBoot != "" {
		t.Errorf("%s: something of it was read: %+v", name, boot)
	}
	for _, p := range problems {
		if (p.Type == wire.FindingTampered) != reason.Of(reason.English, p.Finding().Reason).Withheld {
			t.Errorf("%s: %s is of type %s, but its text is not so", name, p.Code, p.Type)
		}
	}
}

// insert puts steps before the one at a place.
func insert(steps []step, at int, more ...step) []step { return slices.Insert(steps, at, more...) }

// move puts the step at a place after another.
func move(steps []step, from, after int) []step {
	s := steps[from]
	return slices.Delete(slices.Insert(steps, after+1, s), from, from+1)
}

func without(steps []step, at int) []step { return slices.Delete(steps, at, at+1) }

// Forgeries of whoever extends the PCRs to fit: after the firmware's part, any
// program can, and what the log says of an event is anybody's.
func TestForgedEvents(t *testing.T) {
	for name, c := range map[string]struct {
		forge func(s []step) []step
		code  string
	}{
		"image called an action":            {func(s []step) []step { s[atGRUB].kind = EFIAction; return s }, reason.EventLogDigest},
		"image called a separator":          {func(s []step) []step { s[atGRUB].kind = Separator; return s }, reason.EventLogContent},
		"image in PCR 0":                    {func(s []step) []step { s[atBlob].kind = EFIBootServicesApplication; return s }, reason.EventLogPlace},
		"partitions in PCR 2":               {func(s []step) []step { s[atDriver].kind = EFIGPTEvent; return s }, reason.EventLogPlace},
		"variable in PCR 4":                 {func(s []step) []step { s[atGRUB].kind = EFIVariableDriverConfig; return s }, reason.EventLogPlace},
		"variable called a loader's":        {func(s []step) []step { s[atSecureBoot].kind = IPL; return s }, reason.EventLogPlace},
		"variable called a boot variable":   {func(s []step) []step { s[atSecureBoot].kind = EFIVariableBoot; return s }, reason.EventLogPlace},
		"SecureBoot called a key":           {func(s []step) []step { s[atSecureBoot].kind = EFIVariableAuthority; return s }, reason.EventLogPlace},
		"key called a setting":              {func(s []step) []step { s[atAuthority].kind = EFIVariableDriverConfig; return s }, reason.EventLogPlace},
		"firmware's image before its place": {func(s []step) []step { return insert(s, atSeparator4, step{4, IPL, []byte("x"), nil}) }, reason.EventLogPlace},

		"image called an omission": {func(s []step) []step { s[atGRUB].kind = OmitBootDeviceEvents; return s }, reason.EventLogDigest},
		"key called a device's":    {func(s []step) []step { s[atSbat].kind = EFISPDMDevicePolicy; return s }, reason.EventLogPlace},

		"SecureBoot's data":   {func(s []step) []step { s[atSecureBoot].digested = secureBootIs(0).data; return s }, reason.EventLogDigest},
		"PK's data":           {func(s []step) []step { s[atPK].digested = []byte("x"); return s }, reason.EventLogDigest},
		"authority's data":    {func(s []step) []step { s[atAuthority].digested = []byte("x"); return s }, reason.EventLogDigest},
		"action's data":       {func(s []step) []step { s[atCalling].digested = []byte("x"); return s }, reason.EventLogDigest},
		"command's data":      {func(s []step) []step { s[atCommand].digested = []byte("set root=hd1"); return s }, reason.EventLogDigest},
		"command line's data": {func(s []step) []step { s[atCmdline].digested = []byte("/vmlinuz-6.1 ro quiet init=/bin/sh"); return s }, reason.EventLogDigest},
		"separator's data": {func(s []step) []step {
			s[atSeparator4].data, s[atSeparator4].digested = []byte("none"), zeros
			return s
		}, reason.EventLogDigest},
		"old shim's tail forged": {func(s []step) []step {
			s[atAuthority].data = append(s[atAuthority].data, make([]byte, shimTail)...)
			s[atAuthority].digested = []byte("x")
			return s
		}, reason.EventLogDigest},
		"authority in debug mode": {func(s []step) []step {
			return insert(s, atSeparator7, step{7, EFIAction, []byte(debugMode), []byte("x")})
		}, reason.EventLogDigest},

		"second separator, PCR 0": {func(s []step) []step { return append(s, separatorOf(0)) }, reason.EventLogTwice},
		"second separator, PCR 1": {func(s []step) []step { return append(s, separatorOf(1)) }, reason.EventLogTwice},
		"second separator, PCR 2": {func(s []step) []step { return append(s, separatorOf(2)) }, reason.EventLogTwice},
		"second separator, PCR 4": {func(s []step) []step { return append(s, separatorOf(4)) }, reason.EventLogTwice},
		"second separator, PCR 7": {func(s []step) []step { return append(s, separatorOf(7)) }, reason.EventLogTwice},
		"second one of ones":      {func(s []step) []step { return append(s, step{7, Separator, separatorOnes, nil}) }, reason.EventLogTwice},
		"SecureBoot twice":        {func(s []step) []step { return insert(s, atSeparator7, secureBootIs(1)) }, reason.EventLogTwice},
		"db twice":                {func(s []step) []step { return insert(s, atSeparator7, keys("db")) }, reason.EventLogTwice},
		"separator of odd value":  {func(s []step) []step { s[atSeparator2].data = []byte{2, 0, 0, 0}; return s }, reason.EventLogContent},
		"separator of no data":    {func(s []step) []step { s[atSeparator2].data = []byte{}; return s }, reason.EventLogContent},
		"separator called a key":  {func(s []step) []step { s[atSeparator7].kind = EFIVariableAuthority; return s }, reason.EventLogPlace},
		"separator hidden, PCR 7": {func(s []step) []step { s[atSeparator7].kind = 0x8000ffff; return s }, reason.EventLogPlace},
		"separator hidden, PCR 4": {func(s []step) []step { s[atSeparator4].kind = OmitBootDeviceEvents; return s }, reason.EventLogPlace},
		"separator hidden, PCR 2": {func(s []step) []step { s[atSeparator2].kind = EFIPlatformFirmwareBlob; return s }, reason.EventLogPlace},
		"separator hidden, PCR 0": {func(s []step) []step { s[atSeparator0].kind = PostCode; return s }, reason.EventLogPlace},
		"error of the firmware":   {func(s []step) []step { s[atSeparator0].data = separatorError; return s }, reason.EventLogFirmwareError},

		"no separator, PCR 0": {func(s []step) []step { return without(s, atSeparator0) }, reason.EventLogSeparatorMissing},
		"no separator, PCR 1": {func(s []step) []step { return without(s, atSeparator1) }, reason.EventLogSeparatorMissing},
		"no separator, PCR 2": {func(s []step) []step { return without(s, atSeparator2) }, reason.EventLogSeparatorMissing},
		"no separator, PCR 3": {func(s []step) []step { return without(s, atSeparator3) }, reason.EventLogSeparatorMissing},
		"no separator, PCR 5": {func(s []step) []step { return without(s, atSeparator5) }, reason.EventLogSeparatorMissing},
		"no separator, PCR 6": {func(s []step) []step { return without(s, atSeparator6) }, reason.EventLogSeparatorMissing},
		"no separator, PCR 7": {func(s []step) []step { return without(s, atSeparator7) }, reason.EventLogSeparatorMissing},

		"CRTM after the separator": {func(s []step) []step { return move(s, atVersion, atSeparator0) }, reason.EventLogPlace},
		"blob after the separator": {func(s []step) []step {
			s[atDriver].kind = EFIPlatformFirmwareBlob
			return move(s, atDriver, atSeparator2)
		}, reason.EventLogPlace},
		"SecureBoot after the separator": {func(s []step) []step { return move(s, atSecureBoot, atSeparator7) }, reason.EventLogPlace},
		"dbx after the separator":        {func(s []step) []step { return move(s, atDBX, atSeparator7) }, reason.EventLogPlace},
		"H-CRTM after the CRTM":          {func(s []step) []step { s[atBlob].kind = EFIHCRTMEvent; return s }, reason.EventLogPlace},

		"SecureBoot of two bytes":     {func(s []step) []step { s[atSecureBoot] = secureBootIs(1, 0); return s }, reason.EventLogContent},
		"SecureBoot of value two":     {func(s []step) []step { s[atSecureBoot] = secureBootIs(2); return s }, reason.EventLogContent},
		"bytes behind a variable":     {func(s []step) []step { s[atSecureBoot].data = append(s[atSecureBoot].data, 0); return s }, reason.EventLogContent},
		"variable without a name":     {func(s []step) []step { s[atDB].data = efiVariable(imageSecurityGUID, "", nil); return s }, reason.EventLogContent},
		"variable's name of NULs":     {func(s []step) []step { s[atDB].data = efiVariable(imageSecurityGUID, "\x00\x00", nil); return s }, reason.EventLogContent},
		"variable's data missing":     {func(s []step) []step { d := s[atSecureBoot].data; s[atSecureBoot].data = d[:len(d)-1]; return s }, reason.EventLogContent},
		"variable's name unprintable": {func(s []step) []step { s[atDB].data = efiVariable(imageSecurityGUID, "d\x01b", nil); return s }, reason.EventLogContent},
		"variable's name past bounds": {func(s []step) []step {
			s[atDB].data = efiVariable(imageSecurityGUID, strings.Repeat("d", maxVariableName+1), nil)
			return s
		}, reason.EventLogContent},
		"variable's length absurd":      {func(s []step) []step { binary.LittleEndian.PutUint64(s[atDB].data[24:], 1<<63); return s }, reason.EventLogContent},
		"variable's name length absurd": {func(s []step) []step { binary.LittleEndian.PutUint64(s[atDB].data[16:], 1<<63); return s }, reason.EventLogContent},
		"authority cut short":           {func(s []step) []step { s[atAuthority].data = s[atAuthority].data[:40]; return s }, reason.EventLogContent},
		"bytes behind an authority":     {func(s []step) []step { s[atAuthority].data = append(s[atAuthority].data, 0, 0, 0); return s }, reason.EventLogContent},

		"on without PK":       {func(s []step) []step { s[atPK].data = efiVariable(globalGUID, "PK", nil); return s }, reason.EventLogSecureBoot},
		"on without KEK":      {func(s []step) []step { s[atKEK].data = efiVariable(globalGUID, "KEK", nil); return s }, reason.EventLogSecureBoot},
		"on without db":       {func(s []step) []step { s[atDB].data = efiVariable(imageSecurityGUID, "db", nil); return s }, reason.EventLogSecureBoot},
		"on, PK not measured": {func(s []step) []step { return without(s, atPK) }, reason.EventLogSecureBoot},
		"on, PK of another owner": {func(s []step) []step {
			s[atPK].data = efiVariable(shimGUID, "PK", signatureListOf(typeX509, certificate))
			return s
		}, reason.EventLogSecureBoot},
		"on without an authority": {func(s []step) []step { return without(s, atAuthority) }, reason.EventLogSecureBoot},
	} {
		boot, problems := readSteps(t, c.forge(genuine()))
		refused(t, name, boot, problems, c.code)
	}
}

func TestForgedSignatureLists(t *testing.T) {
	list := signatureListOf(typeX509, certificate)
	field := func(at int, value uint32) []byte {
		b := bytes.Clone(list)
		binary.LittleEndian.PutUint32(b[at:], value)
		return b
	}
	const listSize, headerSize, size = 16, 20, 24
	for name, data := range map[string][]byte{
		"cut short":                list[:20],
		"entry cut short":          list[:len(list)-1],
		"bytes behind":             append(bytes.Clone(list), 0),
		"list smaller than itself": field(listSize, 27),
		"list past its end":        field(listSize, uint32(len(list)+1)),
		"list size absurd":         field(listSize, 0xffffffff),
		"header absurd":            field(headerSize, 0xffffffff),
		"header in X.509":          field(headerSize, uint32(len(list)-28)),
		"entry of no size":         field(size, 0),
		"entry of an owner alone":  field(size, ownerSize),
		"entries of no data":       signatureListOf(typeX509, []byte{}, []byte{}),
		"unknown type's header":    foreignHeader(0xffffffff),
		"entry not fitting":        field(size, uint32(ownerSize+len(certificate)-1)),
		"SHA-256 of 28 bytes":      signatureListOf(typeSHA256, certificate),
		"SHA-1 of 28 bytes":        signatureListOf(typeSHA1, certificate),
		"SHA-384 of 28 bytes":      signatureListOf(typeSHA384, certificate),
		"SHA-512 of 28 bytes":      signatureListOf(typeSHA512, certificate),
	} {
		steps := genuine()
		steps[atDBX] = step{7, EFIVariableDriverConfig, efiVariable(imageSecurityGUID, "dbx", data), nil}
		boot, problems := readSteps(t, steps)
		refused(t, name, boot, problems, reason.EventLogContent)
	}
	// A vendor's own type, and a header that is passed over, are not faults.
	for name, data := range map[string][]byte{
		"two lists":      append(bytes.Clone(list), signatureListOf(typeSHA1, make([]byte, 20))...),
		"unknown type":   signatureListOf("00112233-4455-6677-8899-aabbccddeeff", certificate),
		"list's header":  withHeader(signatureListOf("00112233-4455-6677-8899-aabbccddeeff", certificate)),
		"empty variable": nil,
		"SHA-512":        signatureListOf(typeSHA512, make([]byte, 64)),
		"SHA-384":        signatureListOf(typeSHA384, make([]byte, 48)),
	} {
		steps := genuine()
		steps[atDBX] = step{7, EFIVariableDriverConfig, efiVariable(imageSecurityGUID, "dbx", data), nil}
		if boot, problems := readSteps(t, steps); len(problems) > 0 || len(boot.PCRDigest) == 0 {
			t.Errorf("%s: %+v", name, problems)
		}
	}
}

// foreignHeader is a list of a vendor's own type that says its header is n bytes.
func foreignHeader(n uint32) []byte {
	list := signatureListOf("00112233-4455-6677-8899-aabbccddeeff", certificate)
	binary.LittleEndian.PutUint32(list[20:], n)
	return list
}

// withHeader puts a header of four bytes into a signature list.
func withHeader(list []byte) []byte {
	list = slices.Insert(list, 28, 1, 2, 3, 4)
	binary.LittleEndian.PutUint32(list[16:], uint32(len(list)))
	binary.LittleEndian.PutUint32(list[20:], 4)
	return list
}

// The whole attack: a boot without Secure Boot, whose log hides where the
// firmware ended, and a boot with Secure Boot extended after it.
func TestSecondBootBehindAHiddenSeparator(t *testing.T) {
	off := genuine()[:atDriver]
	off[atSecureBoot] = secureBootIs(0)
	for i := range off {
		if off[i].pcr == 7 {
			off[i].kind = 0x80001234
		}
	}
	boot, problems := readSteps(t, append(off, genuine()[atSecureBoot:]...))
	if len(boot.PCRDigest) > 0 || boot.SecureBoot != "" ||
		!slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == reason.EventLogPlace && p.PCR == 7 && p.Event == atSeparator7 }) {
		t.Errorf("%+v %+v", boot, problems)
	}
}

// What is sent beside the PCRs that a TPM truly quoted.
func TestForgedAgainstTheQuote(t *testing.T) {
	bank := sha256Bank()
	zero := make([]byte, 32)
	set := func(pcr int, digest []byte) func(*Log, []wire.PCRValue) []wire.PCRValue {
		return func(_ *Log, pcrs []wire.PCRValue) []wire.PCRValue {
			pcrs[slices.Index(wire.QuotedPCRs[:], pcr)].Digest = digest
			return pcrs
		}
	}
	forge := func(change func(l *Log)) func(*Log, []wire.PCRValue) []wire.PCRValue {
		return func(l *Log, pcrs []wire.PCRValue) []wire.PCRValue { change(l); return pcrs }
	}
	locality := func(data []byte, pcr uint32) Event {
		return step{pcr, NoAction, data, nil}.event()
	}
	said := func(level byte) Event { return locality(append([]byte(localitySignature), level), 0) }
	put := func(at int, events ...Event) func(*Log, []wire.PCRValue) []wire.PCRValue {
		return forge(func(l *Log) { l.Events = slices.Insert(l.Events, at, events...) })
	}
	for name, c := range map[string]struct {
		forge func(*Log, []wire.PCRValue) []wire.PCRValue
		code  string
	}{
		"event dropped":         {forge(func(l *Log) { l.Events = slices.Delete(l.Events, atGRUB, atGRUB+1) }), reason.EventLogMismatch},
		"event added":           {put(atGRUB, step{4, EFIBootServicesApplication, []byte("x"), nil}.event()), reason.EventLogMismatch},
		"events exchanged":      {forge(func(l *Log) { l.Events[atShim], l.Events[atGRUB] = l.Events[atGRUB], l.Events[atShim] }), reason.EventLogMismatch},
		"event of another PCR":  {forge(func(l *Log) { l.Events[atCommand].PCR = 9 }), reason.EventLogMismatch},
		"digest changed":        {forge(func(l *Log) { l.Events[atKernel].Digests[0].Value = zero }), reason.EventLogMismatch},
		"event not extended":    {forge(func(l *Log) { l.Events[atKernel].Type = NoAction }), reason.EventLogMismatch},
		"moved past separator":  {forge(func(l *Log) { e := l.Events; e[atSeparator4], e[atShim] = e[atShim], e[atSeparator4] }), reason.EventLogMismatch},
		"another PCR value":     {set(7, bytes.Repeat([]byte{1}, 32)), reason.EventLogMismatch},
		"PCR 5 of another end":  {set(5, bytes.Repeat([]byte{1}, 32)), reason.EventLogMismatch},
		"bank not extended":     {set(7, zero), reason.EventLogUnextended},
		"PCR 0 not extended":    {set(0, zero), reason.EventLogUnextended},
		"PCR 14 not logged":     {forge(func(l *Log) { l.Events = slices.Delete(l.Events, atMokList, atMokList+1) }), reason.EventLogUnlogged},
		"locality invented":     {put(0, said(3)), reason.EventLogMismatch},
		"locality twice":        {put(0, said(0), said(0)), reason.EventLogLocality},
		"locality late":         {put(atVersion+1, said(0)), reason.EventLogLocality},
		"locality at the end":   {put(atExit, said(0)), reason.EventLogLocality},
		"locality 1":            {put(0, said(1)), reason.EventLogLocality},
		"locality 255":          {put(0, said(255)), reason.EventLogLocality},
		"locality of two bytes": {put(0, locality([]byte(localitySignature+"\x00\x00"), 0)), reason.EventLogLocality},
		"locality of no byte":   {put(0, locality([]byte(localitySignature), 0)), reason.EventLogLocality},
		"locality without NUL":  {put(0, locality([]byte("StartupLocality!\x00"), 0)), reason.EventLogLocality},
		"locality of PCR 1":     {put(0, locality([]byte(localitySignature+"\x00"), 1)), reason.EventLogLocality},
		"no PCRs":               {func(*Log, []wire.PCRValue) []wire.PCRValue { return nil }, reason.EventLogMismatch},
		"a PCR missing":         {func(_ *Log, p []wire.PCRValue) []wire.PCRValue { return p[:len(p)-1] }, reason.EventLogMismatch},
		"PCR 15 for 14":         {func(_ *Log, p []wire.PCRValue) []wire.PCRValue { p[len(p)-1].Index = 15; return p }, reason.EventLogMismatch},
		"PCRs out of order":     {func(_ *Log, p []wire.PCRValue) []wire.PCRValue { p[0], p[1] = p[1], p[0]; return p }, reason.EventLogMismatch},
		"PCR cut short":         {func(_ *Log, p []wire.PCRValue) []wire.PCRValue { p[3].Digest = p[3].Digest[:31]; return p }, reason.EventLogMismatch},
		"PCR 10 cut short":      {func(_ *Log, p []wire.PCRValue) []wire.PCRValue { p[10].Digest = p[10].Digest[:31]; return p }, reason.EventLogMismatch},
	} {
		l := logOf(genuine())
		pcrs := c.forge(l, quoted(l, bank, 0))
		boot, problems := Read(l.Marshal(), pcrs)
		refused(t, name, boot, problems, c.code)
	}

	// A bank that no event of a boot reached.
	l := logOf(genuine())
	pcrs := quoted(&Log{}, bank, 0)
	boot, problems := Read(l.Marshal(), pcrs)
	refused(t, "no bank extended", boot, problems, reason.EventLogUnextended)
	if len(problems) != len(extended(genuine())) {
		t.Errorf("%+v", problems)
	}
	// A TPM that nobody extended anything into, and a log that says so.
	boot, problems = Read(logOf(nil).Marshal(), pcrs)
	refused(t, "nothing measured", boot, problems, reason.EventLogSeparatorMissing)
}

// extended are the PCRs that steps extend.
func extended(steps []step) []uint32 {
	var all []uint32
	for _, s := range steps {
		all = append(all, s.pcr)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A hardware root of trust that says it started elsewhere.
func TestHardwareRootContradicted(t *testing.T) {
	steps := insert(genuine(), 0, step{0, NoAction, []byte(localitySignature + "\x03"), nil})
	steps[1].kind = EFIHCRTMEvent
	l := logOf(steps)
	boot, problems := Read(l.Marshal(), quoted(l, sha256Bank(), 4))
	refused(t, "H-CRTM from locality 3", boot, problems, reason.EventLogPlace)
}
