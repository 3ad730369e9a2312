package verifier_test

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/verifier"
)

func digestOf(text string) []byte {
	d := sha256.Sum256([]byte(text))
	return d[:]
}

func measured(pcr int, kind wire.MeasurementKind, name, content string, members ...string) wire.Measurement {
	m := wire.Measurement{PCR: pcr, Kind: kind, Name: name, Digest: digestOf(content), Detail: content, Verified: true}
	for _, member := range members {
		m.Members = append(m.Members, digestOf(member))
	}
	return m
}

const commandLine = "/vmlinuz-6.1 root=UUID=6f1b0a52-7f0e-4c1d-9a55-0c4d7e9b1a2f ro quiet"

// goodBoot is a laptop's boot by shim and GRUB.
func goodBoot() wire.Boot {
	return wire.Boot{SecureBoot: wire.SecureBootOn, Measurements: []wire.Measurement{
		measured(0, wire.MeasuredFirmware, "#1", "crtm 1"), measured(0, wire.MeasuredFirmware, "#2", "volume 1"),
		measured(7, wire.MeasuredSecureBoot, "SecureBoot", "on"),
		measured(7, wire.MeasuredPK, "PK", "pk", "vendor"), measured(7, wire.MeasuredKEK, "KEK", "kek", "vendor", "ms"),
		measured(7, wire.MeasuredDB, "db", "db", "ms-2011", "ms-2023"), measured(7, wire.MeasuredDBX, "dbx", "dbx 2", "bad-1", "bad-2"),
		measured(0, wire.MeasuredSeparator, "separator", "0"),
		measured(2, wire.MeasuredOptionROM, "#1", "rom"),
		measured(1, wire.MeasuredSetting, "BootOrder", "1,2,3"), measured(5, wire.MeasuredPartitions, "#1", "gpt"),
		measured(7, wire.MeasuredAuthority, "db", "authority ms-2011", "ms-2011"),
		measured(4, wire.MeasuredBootApplication, "#1", "shim 15.8"), measured(4, wire.MeasuredBootApplication, "#2", "grub 2.12"),
		measured(7, wire.MeasuredPolicy, "SbatLevel", "sbat 2"), measured(14, wire.MeasuredMOK, "MokList", "mok"),
		measured(8, wire.MeasuredLoaderCommand, "#1", "set root"), measured(8, wire.MeasuredCommandLine, "#1", commandLine),
		measured(9, wire.MeasuredFile, "/vmlinuz-6.1", "kernel"), measured(9, wire.MeasuredFile, "/initrd-6.1", "made here"),
	}}
}

// references accepts goodBoot and knows one superseded value a place.
func references() *wire.ReferenceSet {
	set := &wire.ReferenceSet{Version: "1", Values: map[wire.ReferenceKey][]wire.ReferenceValue{}}
	for _, m := range goodBoot().Measurements {
		switch m.Kind {
		case wire.MeasuredPartitions, wire.MeasuredLoaderCommand, wire.MeasuredSeparator:
			continue
		}
		if m.Name == "/initrd-6.1" {
			continue
		}
		know(set, m, wire.ReferenceCurrent)
		old := m
		old.Digest, old.Members = digestOf("old "+m.Detail), nil
		know(set, old, wire.ReferenceSuperseded)
	}
	next := measured(4, wire.MeasuredBootApplication, "#2", "grub 2.14")
	know(set, next, wire.ReferenceNext)
	return set
}

func know(set *wire.ReferenceSet, m wire.Measurement, state wire.ReferenceState) {
	v := wire.ReferenceValue{Digest: [32]byte(m.Digest), State: state, Bundle: "b", Note: m.Detail, Members: m.Members}
	if m.Kind == wire.MeasuredCommandLine && state == wire.ReferenceCurrent {
		general := wire.GeneralCommandLineDigest(m.Detail)
		v.Members = [][]byte{general[:]}
	}
	set.Values[wire.KeyOf(m)] = append(set.Values[wire.KeyOf(m)], v)
}

// at returns the measurement of that kind and name.
func at(b *wire.Boot, kind wire.MeasurementKind, name string) *wire.Measurement {
	i := slices.IndexFunc(b.Measurements, func(m wire.Measurement) bool { return m.Kind == kind && m.Name == name })
	return &b.Measurements[i]
}

func without(b *wire.Boot, kind wire.MeasurementKind) {
	b.Measurements = slices.DeleteFunc(b.Measurements, func(m wire.Measurement) bool { return m.Kind == kind })
}

func become(kind wire.MeasurementKind, name, content string, members ...string) func(*wire.Boot) {
	return func(b *wire.Boot) {
		m := at(b, kind, name)
		*m = measured(m.PCR, kind, name, content, members...)
	}
}

func added(pcr int, kind wire.MeasurementKind, name, content string, members ...string) func(*wire.Boot) {
	return func(b *wire.Boot) {
		b.Measurements = append(b.Measurements, measured(pcr, kind, name, content, members...))
	}
}

func all(changes ...func(*wire.Boot)) func(*wire.Boot) {
	return func(b *wire.Boot) {
		for _, change := range changes {
			change(b)
		}
	}
}

func lost(kind wire.MeasurementKind) func(*wire.Boot) {
	return func(b *wire.Boot) { without(b, kind) }
}

func secureBootUnknown(b *wire.Boot) { b.SecureBoot = "" }

func secureBootOff(b *wire.Boot) {
	b.SecureBoot = wire.SecureBootOff
	become(wire.MeasuredSecureBoot, "SecureBoot", "off")(b)
}

func bootCodes(a wire.BootAppraisal) string {
	var codes []string
	for _, f := range a.Findings {
		codes = append(codes, string(f.Type)+"/"+f.Reason.Code)
	}
	return strings.Join(codes, " ")
}

func TestBoot(t *testing.T) {
	const yes, warn, no = wire.Affirming, wire.Warning, wire.Contraindicated
	unknown := "tampered/" + reason.BootUnknownValue
	update := "unknown-signed-update/" + reason.BootUnknownUpdate
	for name, c := range map[string]struct {
		change   func(*wire.Boot)
		want     string
		tier     wire.Trustworthiness
		hardware wire.Trustworthiness
	}{
		"as approved":                           {func(*wire.Boot) {}, "", yes, yes},
		"next":                                  {become(wire.MeasuredBootApplication, "#2", "grub 2.14"), "", yes, yes},
		"other settings":                        {become(wire.MeasuredSetting, "BootOrder", "3,2,1"), "", yes, yes},
		"other partitions":                      {become(wire.MeasuredPartitions, "#1", "other gpt"), "", yes, yes},
		"other loader commands":                 {become(wire.MeasuredLoaderCommand, "#1", "set root=x"), "", yes, yes},
		"an initrd of its own":                  {become(wire.MeasuredFile, "/initrd-6.1", "made again"), "", yes, yes},
		"a kernel not known":                    {added(9, wire.MeasuredFile, "/vmlinuz-6.2", "kernel 6.2"), "", yes, yes},
		"an action":                             {added(4, wire.MeasuredAction, "#1", "Calling EFI Application from Boot Option"), "", yes, yes},
		"another turn":                          {func(b *wire.Boot) { at(b, wire.MeasuredBootApplication, "#2").Name = "#5" }, "", yes, yes},
		"another machine's UUID":                {become(wire.MeasuredCommandLine, "#1", strings.Replace(commandLine, "6f1b", "0000", 1)), "", yes, yes},
		"another kernel's path":                 {become(wire.MeasuredCommandLine, "#1", strings.Replace(commandLine, "6.1", "6.12", 1)), "", yes, yes},
		"no option ROM":                         {lost(wire.MeasuredOptionROM), "", yes, yes},
		"no command line":                       {lost(wire.MeasuredCommandLine), "", yes, yes},
		"manufacturer's own":                    {added(6, wire.MeasuredUnknown, "#1", "?"), "", yes, yes},
		"load options":                          {added(9, wire.MeasuredCommandLine, "load options", "?"), "", yes, yes},
		"superseded kernel, other name":         {added(9, wire.MeasuredFile, "/x", "old kernel"), "rolled-back/" + reason.BootRolledBack, no, yes},
		"Windows' boot authority":               {added(14, wire.MeasuredAuthority, "windows", "?"), "unsupported/" + reason.BootUnknownEvents, warn, yes},
		"update beside Windows' boot authority": {all(added(14, wire.MeasuredAuthority, "windows", "?"), become(wire.MeasuredBootApplication, "#2", "grub 3")), update + " unsupported/" + reason.BootUnknownEvents, warn, yes},
		"command line's text not covered": {func(b *wire.Boot) {
			become(wire.MeasuredCommandLine, "#1", strings.Replace(commandLine, "6.1", "6.12", 1))(b)
			at(b, wire.MeasuredCommandLine, "#1").Verified = false
		}, unknown, no, yes},
		"unknown, PCR of code":    {added(4, wire.MeasuredUnknown, "#1", "?"), "unsupported/" + reason.BootUnknownEvents, warn, yes},
		"setting, PCR of code":    {added(4, wire.MeasuredSetting, "#1", "?"), "unsupported/" + reason.BootUnknownEvents, warn, yes},
		"unknown boot loader":     {become(wire.MeasuredBootApplication, "#2", "grub 3"), update, warn, yes},
		"one boot loader more":    {added(4, wire.MeasuredBootApplication, "#3", "other"), update, warn, yes},
		"kernel, same name":       {become(wire.MeasuredFile, "/vmlinuz-6.1", "kernel again"), update, warn, yes},
		"Secure Boot policy":      {become(wire.MeasuredPolicy, "SbatLevel", "sbat 3"), update, warn, yes},
		"dbx grown":               {become(wire.MeasuredDBX, "dbx", "dbx 3", "bad-1", "bad-2", "bad-3"), update, warn, yes},
		"new key of db":           {become(wire.MeasuredAuthority, "db", "authority ms-2023", "ms-2023"), update, warn, yes},
		"update with a key of db": {all(added(7, wire.MeasuredAuthority, "db", "authority ms-2023", "ms-2023"), become(wire.MeasuredBootApplication, "#1", "shim 16")), update + " " + update, warn, yes},

		"Secure Boot off":              {secureBootOff, "tampered/" + reason.BootSecureBootOff, no, yes},
		"Secure Boot odd":              {become(wire.MeasuredSecureBoot, "SecureBoot", "2"), unknown, no, yes},
		"PK changed":                   {become(wire.MeasuredPK, "PK", "own pk", "own"), "tampered/" + reason.BootKeysChanged, no, yes},
		"KEK changed":                  {become(wire.MeasuredKEK, "KEK", "own kek", "own"), "tampered/" + reason.BootKeysChanged, no, yes},
		"db grown":                     {become(wire.MeasuredDB, "db", "db+", "ms-2011", "ms-2023", "own"), "tampered/" + reason.BootKeysChanged, no, yes},
		"key of nobody":                {added(7, wire.MeasuredAuthority, "db", "authority own", "own"), unknown, no, yes},
		"key without its entry":        {added(7, wire.MeasuredAuthority, "db", "authority own"), unknown, no, yes},
		"MOK changed":                  {become(wire.MeasuredMOK, "MokList", "own mok", "own"), unknown, no, yes},
		"debugger let in":              {added(7, wire.MeasuredAction, "#1", "UEFI Debug Mode"), unknown, no, yes},
		"firmware's, other type":       {added(0, wire.MeasuredUnknown, "#1", "?"), unknown, no, yes},
		"option ROM's, other type":     {added(2, wire.MeasuredUnknown, "#1", "?"), unknown, no, yes},
		"command line's, other type":   {added(8, wire.MeasuredUnknown, "#1", "?"), unknown, no, yes},
		"own MOK, all of another type": {all(added(7, wire.MeasuredUnknown, "#1", "own key"), added(14, wire.MeasuredUnknown, "#1", "own mok"), added(4, wire.MeasuredUnknown, "#1", "own loader")), unknown + " unsupported/" + reason.BootUnknownEvents, no, yes},
		"old boot loader, other type":  {added(4, wire.MeasuredUnknown, "#1", "old grub 2.12"), "rolled-back/" + reason.BootRolledBack, no, yes},
		"old kernel, as load options":  {added(9, wire.MeasuredCommandLine, "load options", "old kernel"), "rolled-back/" + reason.BootRolledBack, no, yes},
		"old line, as a command":       {added(8, wire.MeasuredLoaderCommand, "#2", "old "+commandLine), "rolled-back/" + reason.BootRolledBack, no, yes},
		"old setting":                  {become(wire.MeasuredSetting, "BootOrder", "old 1,2,3"), "", yes, yes},
		"firmware unknown":             {become(wire.MeasuredFirmware, "#2", "volume 9"), unknown, no, no},
		"option ROM unknown":           {added(2, wire.MeasuredOptionROM, "#2", "own rom"), unknown, no, no},
		"own init":                     {become(wire.MeasuredCommandLine, "#1", commandLine+" init=/bin/sh"), unknown, no, yes},
		"dbx shrunk":                   {become(wire.MeasuredDBX, "dbx", "dbx 1", "bad-1"), "rolled-back/" + reason.BootRevocationsLost, no, yes},
		"dbx exchanged":                {become(wire.MeasuredDBX, "dbx", "dbx x", "bad-1", "bad-3", "bad-4"), "rolled-back/" + reason.BootRevocationsLost, no, yes},
		"boot loader superseded":       {become(wire.MeasuredBootApplication, "#2", "old grub 2.12"), "rolled-back/" + reason.BootRolledBack, no, yes},
		"superseded, other turn":       {added(4, wire.MeasuredBootApplication, "#7", "old grub 2.12"), "rolled-back/" + reason.BootRolledBack, no, yes},
		"firmware superseded":          {become(wire.MeasuredFirmware, "#2", "old volume 1"), "rolled-back/" + reason.BootRolledBack, no, no},
		"kernel superseded":            {become(wire.MeasuredFile, "/vmlinuz-6.1", "old kernel"), "rolled-back/" + reason.BootRolledBack, no, yes},

		"update, Secure Boot unsaid":  {all(secureBootUnknown, become(wire.MeasuredBootApplication, "#2", "grub 3")), unknown, no, yes},
		"update, nothing verified it": {all(lost(wire.MeasuredAuthority), become(wire.MeasuredBootApplication, "#2", "grub 3")), unknown + " missing/" + reason.BootEventMissing, no, yes},
		"update, by a stranger's key": {all(added(7, wire.MeasuredAuthority, "db", "authority own", "own"), become(wire.MeasuredBootApplication, "#2", "grub 3")), unknown + " " + unknown, no, yes},
		"update, own KEK":             {all(become(wire.MeasuredKEK, "KEK", "own kek"), become(wire.MeasuredBootApplication, "#2", "grub 3")), "tampered/" + reason.BootKeysChanged + " " + unknown, no, yes},
		"update, own MOK":             {all(become(wire.MeasuredMOK, "MokList", "own mok"), become(wire.MeasuredBootApplication, "#2", "grub 3")), unknown + " " + unknown, no, yes},
		"update, unknown event":       {all(added(7, wire.MeasuredUnknown, "#1", "?"), become(wire.MeasuredBootApplication, "#2", "grub 3")), unknown + " unsupported/" + reason.BootUnknownEvents, no, yes},
		"key of db, db changed":       {all(become(wire.MeasuredDB, "db", "db+", "ms-2011", "own"), added(7, wire.MeasuredAuthority, "db", "authority own", "own")), "tampered/" + reason.BootKeysChanged + " " + unknown, no, yes},
		"no log":                      {func(b *wire.Boot) { b.Measurements = nil }, "missing/" + reason.BootNoLog, no, yes},
		"no firmware":                 {lost(wire.MeasuredFirmware), "missing/" + reason.BootEventMissing, no, no},
		"no boot application":         {lost(wire.MeasuredBootApplication), "missing/" + reason.BootEventMissing, no, yes},
		"no authority":                {lost(wire.MeasuredAuthority), "missing/" + reason.BootEventMissing, no, yes},
		"no dbx":                      {lost(wire.MeasuredDBX), "rolled-back/" + reason.BootRevocationsLost, no, yes},
		"no PK":                       {lost(wire.MeasuredPK), "tampered/" + reason.BootKeysChanged, no, yes},
		"no KEK":                      {lost(wire.MeasuredKEK), "tampered/" + reason.BootKeysChanged, no, yes},
		"no db":                       {lost(wire.MeasuredDB), "tampered/" + reason.BootKeysChanged, no, yes},
		"no SecureBoot":               {lost(wire.MeasuredSecureBoot), "tampered/" + reason.BootKeysChanged, no, yes},
		"nothing but an unknown event": {func(b *wire.Boot) {
			*b = wire.Boot{Measurements: []wire.Measurement{measured(6, wire.MeasuredUnknown, "#1", "?")}}
		}, "tampered/" + reason.BootKeysChanged + " tampered/" + reason.BootKeysChanged + " tampered/" + reason.BootKeysChanged + " tampered/" + reason.BootKeysChanged + " missing/" + reason.BootEventMissing + " missing/" + reason.BootEventMissing + " missing/" + reason.BootEventMissing + " rolled-back/" + reason.BootRevocationsLost, no, no},
	} {
		boot := goodBoot()
		c.change(&boot)
		a := verifier.AppraiseBoot(boot, references(), verifier.DefaultBootPolicy())
		got, want := strings.Fields(bootCodes(a)), strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || a.Executables != c.tier || a.Hardware != c.hardware {
			t.Errorf("%s: %s, executables %q, hardware %q; want %s, %q, %q", name, bootCodes(a), a.Executables, a.Hardware, c.want, c.tier, c.hardware)
		}
		for _, f := range a.Findings {
			for _, lang := range []reason.Language{reason.English, reason.Chinese} {
				if text := reason.Of(lang, f.Reason); strings.Contains(text.What+text.Do, "{") {
					t.Errorf("%s: %s has an argument that is not filled: %s", name, f.Reason.Code, text.What)
				}
			}
		}
	}
}

func TestBootWithoutReferenceValues(t *testing.T) {
	empty := references()
	empty.Values = nil
	for name, a := range map[string]wire.BootAppraisal{
		"no set":    verifier.AppraiseBoot(goodBoot(), nil, verifier.DefaultBootPolicy()),
		"empty set": verifier.AppraiseBoot(goodBoot(), empty, verifier.DefaultBootPolicy()),
		"no policy": verifier.AppraiseBoot(goodBoot(), references(), verifier.BootPolicy{}),
	} {
		if a.Executables != wire.TrustNone || a.Hardware != wire.Affirming || bootCodes(a) != "missing/"+reason.BootUnreferenced {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestBootPolicyThatDeniesUnknownEvents(t *testing.T) {
	policy := verifier.DefaultBootPolicy()
	policy.DenyUnknown = true
	boot := goodBoot()
	added(6, wire.MeasuredUnknown, "#1", "?")(&boot)
	if a := verifier.AppraiseBoot(boot, references(), policy); a.Executables != wire.Contraindicated || bootCodes(a) != "unsupported/"+reason.BootUnknownEvents {
		t.Errorf("%+v", a)
	}
	// Once its value is approved it is known.
	set := references()
	know(set, measured(6, wire.MeasuredUnknown, "#4", "?"), wire.ReferenceCurrent)
	if a := verifier.AppraiseBoot(boot, set, policy); a.Executables != wire.Affirming || len(a.Findings) != 0 {
		t.Errorf("%+v", a)
	}
}

// A machine that an agency approved without Secure Boot has no key that
// verified anything, and no update is signed.
func TestBootApprovedWithoutSecureBoot(t *testing.T) {
	boot, set := goodBoot(), references()
	secureBootOff(&boot)
	without(&boot, wire.MeasuredAuthority)
	know(set, *at(&boot, wire.MeasuredSecureBoot, "SecureBoot"), wire.ReferenceCurrent)
	// What the log calls an initrd may be a kernel, and no key verified it.
	files := "unsupported/" + reason.BootUnknownEvents
	if a := verifier.AppraiseBoot(boot, set, verifier.DefaultBootPolicy()); a.Executables != wire.Warning || bootCodes(a) != files {
		t.Errorf("%+v", a)
	}
	become(wire.MeasuredBootApplication, "#2", "grub 3")(&boot)
	if a := verifier.AppraiseBoot(boot, set, verifier.DefaultBootPolicy()); bootCodes(a) != "tampered/"+reason.BootUnknownValue+" "+files {
		t.Errorf("%+v", a)
	}
	become(wire.MeasuredBootApplication, "#2", "grub 2.12")(&boot)
	know(set, *at(&boot, wire.MeasuredFile, "/initrd-6.1"), wire.ReferenceCurrent)
	if a := verifier.AppraiseBoot(boot, set, verifier.DefaultBootPolicy()); a.Executables != wire.Affirming || len(a.Findings) != 0 {
		t.Errorf("%+v", a)
	}
	at(&boot, wire.MeasuredFile, "/vmlinuz-6.1").Name = "/initrd-6.2" // a known value under another name
	become(wire.MeasuredFile, "/initrd-6.1", "own kernel")(&boot)
	at(&boot, wire.MeasuredFile, "/initrd-6.1").Name = "/initrd-6.3"
	if a := verifier.AppraiseBoot(boot, set, verifier.DefaultBootPolicy()); a.Executables != wire.Warning || bootCodes(a) != files {
		t.Errorf("%+v", a)
	}
	set = references() // where there are no values for a required place it is required still
	delete(set.Values, wire.ReferenceKey{PCR: 7, Kind: wire.MeasuredPK, Name: "PK"})
	boot = goodBoot()
	without(&boot, wire.MeasuredPK)
	if a := verifier.AppraiseBoot(boot, set, verifier.DefaultBootPolicy()); bootCodes(a) != "tampered/"+reason.BootKeysChanged {
		t.Errorf("%+v", a)
	}
}

// The first update of a machine whose dbx had no entries at all.
func TestBootDBXGrownFromNothing(t *testing.T) {
	empty := []byte{0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
		3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'd', 0, 'b', 0, 'x', 0}
	set, key := references(), wire.ReferenceKey{PCR: 7, Kind: wire.MeasuredDBX, Name: "dbx"}
	set.Values[key] = []wire.ReferenceValue{{Digest: sha256.Sum256(empty), State: wire.ReferenceCurrent}}
	if a := verifier.AppraiseBoot(goodBoot(), set, verifier.DefaultBootPolicy()); bootCodes(a) != "unknown-signed-update/"+reason.BootUnknownUpdate {
		t.Errorf("%+v", a)
	}
	set.Values[key][0].Digest[0] ^= 1 // a list whose entries are not known
	if a := verifier.AppraiseBoot(goodBoot(), set, verifier.DefaultBootPolicy()); bootCodes(a) != "tampered/"+reason.BootUnknownValue {
		t.Errorf("%+v", a)
	}
}

// A list of revocations that has all entries of a superseded one, and not those
// of one that is accepted.
func TestBootDBXOfTheDayBefore(t *testing.T) {
	set := references()
	know(set, measured(7, wire.MeasuredDBX, "dbx", "dbx 1", "bad-1"), wire.ReferenceSuperseded)
	boot := goodBoot()
	become(wire.MeasuredDBX, "dbx", "dbx 1, other", "bad-1", "bad-9")(&boot)
	if a := verifier.AppraiseBoot(boot, set, verifier.DefaultBootPolicy()); bootCodes(a) != "rolled-back/"+reason.BootRevocationsLost {
		t.Errorf("%+v", a)
	}
}

func TestBootFindingsAreBoundedAndExplain(t *testing.T) {
	boot := goodBoot()
	for i := range 300 {
		added(4, wire.MeasuredBootApplication, "#"+strconv.Itoa(i+3), "other "+strconv.Itoa(i))(&boot)
		added(1, wire.MeasuredUnknown, "#"+strconv.Itoa(i), "odd "+strconv.Itoa(i))(&boot)
	}
	become(wire.MeasuredCommandLine, "#1", strings.Repeat("x", 9000)+"\n\x1b[31m")(&boot)
	become(wire.MeasuredSetting, "BootOrder", "3,2,1")(&boot)
	a := verifier.AppraiseBoot(boot, references(), verifier.DefaultBootPolicy())
	if len(a.Findings) != 13 || a.Findings[0].Type != wire.FindingTampered || len(a.Events) != 602 {
		t.Fatalf("%d findings, %d events, %s", len(a.Findings), len(a.Events), bootCodes(a))
	}
	for _, f := range a.Findings {
		if len(f.Seen)+len(f.Expected) > 2000 || strings.ContainsAny(f.Seen, "\n\x1b") {
			t.Errorf("%q %q", f.Expected, f.Seen)
		}
	}
	f := a.Findings[1]
	if f.Expected != "6c2fa3ad7b4c4a5d (grub 2.12)" && !strings.Contains(f.Expected, "(grub 2.1") || !strings.Contains(f.Seen, " (other 0)") {
		t.Errorf("expected %q, seen %q", f.Expected, f.Seen)
	}
	i := slices.IndexFunc(a.Events, func(e wire.BootEvent) bool { return e.Measurement.Kind == wire.MeasuredSetting })
	if i < 0 || a.Events[i].Demanded || a.Events[i].Type != "" || !strings.Contains(a.Events[i].Expected, "(1,2,3)") {
		t.Error("a setting that differs is not told, or is demanded")
	}
}

// rank orders tiers, the worst first: nothing known affirms least.
func rank(w wire.Trustworthiness) int {
	return slices.Index([]wire.Trustworthiness{wire.TrustNone, wire.Contraindicated, wire.Warning, wire.Affirming}, w)
}

// randomBoot mixes good, next, superseded and unknown values.
func randomBoot(r *rand.Rand) wire.Boot {
	boot := goodBoot()
	for i := range boot.Measurements {
		m := &boot.Measurements[i]
		switch r.IntN(40) {
		case 0:
			m.Digest = digestOf("old " + m.Detail)
		case 1, 2:
			m.Digest, m.Detail, m.Members = digestOf("unknown"), "unknown", m.Members[:len(m.Members)/2]
		case 3:
			m.Kind = wire.MeasuredUnknown
		case 4:
			m.PCR = r.IntN(16)
		}
	}
	if r.IntN(8) == 0 {
		boot.SecureBoot = wire.SecureBootOff
	}
	return boot
}

// Removing an accepted reference value never raises a tier. (A file is demanded
// only where there is a value for it; a superseded value only ever lowers, and
// without it nothing is affirmed that was not.)
func TestBootRemovingAReferenceNeverRaises(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	policy := verifier.DefaultBootPolicy()
	affirmed := 0
	for range 300 {
		boot, set := randomBoot(r), references()
		before := verifier.AppraiseBoot(boot, set, policy)
		if before.Executables == wire.Affirming {
			affirmed++
		}
		for _, key := range slices.Collect(maps.Keys(set.Values)) {
			for i, v := range set.Values[key] {
				less := references()
				less.Values[key] = slices.Delete(less.Values[key], i, i+1)
				if len(less.Values[key]) == 0 {
					delete(less.Values, key)
				}
				after := verifier.AppraiseBoot(boot, less, policy)
				if v.State == wire.ReferenceSuperseded {
					if rank(after.Executables) > rank(before.Executables) && after.Executables == wire.Affirming {
						t.Fatalf("without the superseded %v %s: %s", key, v.Note, bootCodes(after))
					}
					continue
				}
				if key.Kind != wire.MeasuredFile && rank(after.Executables) > rank(before.Executables) || rank(after.Hardware) > rank(before.Hardware) {
					t.Fatalf("without %v: %q becomes %q: %s, then %s", key, before.Executables, after.Executables, bootCodes(before), bootCodes(after))
				}
			}
		}
	}
	if affirmed == 0 {
		t.Error("no boot was affirmed to begin with")
	}
}

// Removing a measurement never raises a tier: one that was fine, the last one of
// a place that is required, or all of them. (A log without an event that was
// extended does not replay, so that nobody can leave one out at will.)
func TestBootRemovingAMeasurementNeverRaises(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	policy := verifier.DefaultBootPolicy()
	for range 300 {
		boot, set := randomBoot(r), references()
		before := verifier.AppraiseBoot(boot, set, policy)
		differs := func(m wire.Measurement) bool {
			return slices.ContainsFunc(before.Events, func(e wire.BootEvent) bool {
				return wire.KeyOf(e.Measurement) == wire.KeyOf(m) && bytes.Equal(e.Measurement.Digest, m.Digest)
			})
		}
		for i, m := range boot.Measurements {
			less := boot
			less.Measurements = slices.Delete(slices.Clone(boot.Measurements), i, i+1)
			place := verifier.BootPlace{PCR: m.PCR, Kind: m.Kind}
			last := slices.Contains(policy.Required, place) &&
				!slices.ContainsFunc(less.Measurements, func(o wire.Measurement) bool { return o.PCR == m.PCR && o.Kind == m.Kind })
			if differs(m) && !last {
				continue
			}
			if after := verifier.AppraiseBoot(less, set, policy); rank(after.Executables) > rank(before.Executables) {
				t.Fatalf("without %v: %s, then %s", wire.KeyOf(m), bootCodes(before), bootCodes(after))
			}
		}
		if after := verifier.AppraiseBoot(wire.Boot{SecureBoot: boot.SecureBoot}, set, policy); rank(after.Executables) > rank(before.Executables) {
			t.Fatalf("without a log %q becomes %q", before.Executables, after.Executables)
		}
	}
}

// What is tampered, rolled back or missing never stands beside an affirmation,
// and what is not affirmed always has a finding that says why.
func TestBootFindingsAndTierAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		a := verifier.AppraiseBoot(randomBoot(r), references(), verifier.DefaultBootPolicy())
		bad := slices.ContainsFunc(a.Findings, func(f wire.Finding) bool {
			return f.Type == wire.FindingTampered || f.Type == wire.FindingRolledBack || f.Type == wire.FindingMissing
		})
		if bad != (a.Executables == wire.Contraindicated) || a.Executables != wire.Affirming && len(a.Findings) == 0 {
			t.Fatalf("%q with %s", a.Executables, bootCodes(a))
		}
	}
}
