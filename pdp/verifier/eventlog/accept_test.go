package eventlog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// find returns a boot's measurement at a place.
func find(t *testing.T, boot wire.Boot, pcr int, kind wire.MeasurementKind, name string) wire.Measurement {
	t.Helper()
	for _, m := range boot.Measurements {
		if m.PCR == pcr && m.Kind == kind && m.Name == name {
			return m
		}
	}
	var all []string
	for _, m := range boot.Measurements {
		all = append(all, fmt.Sprintf("%d %s %q", m.PCR, m.Kind, m.Name))
	}
	t.Errorf("no %d %s %q among %s", pcr, kind, name, strings.Join(all, ", "))
	return wire.Measurement{}
}

// What genuine machines do and forgers too could be accused of.
func TestGenuineOddities(t *testing.T) {
	off := func(s []step) []step { s[atSecureBoot] = secureBootIs(); return without(s, atAuthority) }
	tail := append(efiVariable(shimGUID, "Shim", certificate), make([]byte, shimTail)...)
	for name, change := range map[string]func(s []step) []step{
		"SecureBoot without data":        off,
		"SecureBoot of value zero":       func(s []step) []step { s[atSecureBoot] = secureBootIs(0); return s },
		"separators of ones":             func(s []step) []step { s[atSeparator0].data = separatorOnes; return s },
		"old shim's tail":                func(s []step) []step { return append(s, step{7, EFIVariableAuthority, tail, tail[:len(tail)-1]}) },
		"authority before the separator": func(s []step) []step { return move(s, atAuthority, atSecureBoot) },
		"driver after the separator":     func(s []step) []step { return append(s, s[atDriver]) },
		"tables after the separator":     func(s []step) []step { return append(s, step{0, EFIHandoffTables, []byte("t"), nil}) },
		"Boot Guard's policy of zeros":   func(s []step) []step { return insert(s, 0, step{0, CRTMContents, []byte("FIT"), zeros}) },
		"PCR 1, a variable of zeros": func(s []step) []step {
			return append(s, step{1, EFIVariableBoot, efiVariable(globalGUID, "B", zeros), zeros})
		},
		"CRTM version of other data": func(s []step) []step { s[atVersion].digested = []byte("another"); return s },
		"GRUB measures the NUL":      func(s []step) []step { s[atCommand].digested = []byte("set root=hd0\x00"); return s },
		"a PCR that is not quoted": func(s []step) []step {
			return append(s, step{12, IPL, []byte("x"), []byte("y")}, step{23, 0x99, nil, nil})
		},
		"a PCR of the running system": func(s []step) []step { return append(s, step{wire.RunTimePCR, IPL, []byte("x"), []byte("y")}) },
		"NO_ACTION events": func(s []step) []step {
			return append(s, step{0, NoAction, []byte("SP800-155 Event"), nil}, step{7, NoAction, nil, nil})
		},
		"locality 0, said": func(s []step) []step { return insert(s, 0, step{0, NoAction, []byte(localitySignature + "\x00"), nil}) },
		"a boot that failed before": func(s []step) []step {
			return insert(s, atShim, step{4, EFIAction, []byte("Returning from EFI Application from Boot Option"), nil})
		},
		"a boot loader of a conventional": func(s []step) []step { return append(s, step{4, IPL, []byte("MBR"), []byte("code")}) },
	} {
		boot, problems := readSteps(t, change(genuine()))
		if len(problems) > 0 || len(boot.PCRDigest) == 0 {
			t.Errorf("%s: %+v", name, problems)
		}
	}
}

// PCR 10 goes on with another log: neither its value nor the firmware's events
// for it count.
func TestRunTimePCR(t *testing.T) {
	steps := append(genuine(), step{wire.RunTimePCR, IPL, []byte("x"), nil})
	l := logOf(steps)
	first := quoted(l, sha256Bank(), 0)
	second := quoted(l, sha256Bank(), 0)
	second[10].Digest = bytes.Repeat([]byte{7}, 32)
	var digests [][]byte
	for _, pcrs := range [][]wire.PCRValue{first, second} {
		boot, problems := Read(l.Marshal(), pcrs)
		if len(problems) > 0 {
			t.Errorf("%+v", problems)
		}
		for _, m := range boot.Measurements {
			if m.PCR == wire.RunTimePCR {
				t.Errorf("read what nothing authenticates: %+v", m)
			}
		}
		digests = append(digests, boot.PCRDigest)
	}
	if len(digests[0]) == 0 || !bytes.Equal(digests[0], digests[1]) {
		t.Errorf("%x", digests)
	}
}

// A boot is told the same under every locality that a PC starts its TPM from.
func TestStartupLocality(t *testing.T) {
	bank := sha256Bank()
	for _, level := range []byte{0, 3, 4} {
		l := logOf(insert(genuine(), 0, step{0, NoAction, []byte(localitySignature + string(rune(level))), nil}))
		if _, problems := Read(l.Marshal(), quoted(l, bank, level)); len(problems) > 0 {
			t.Errorf("locality %d: %+v", level, problems)
		}
		for _, other := range []byte{0, 3, 4} {
			if other == level {
				continue
			}
			boot, problems := Read(l.Marshal(), quoted(l, bank, other))
			refused(t, fmt.Sprintf("locality %d said, %d true", level, other), boot, problems, reason.EventLogMismatch)
		}
	}
	for _, said := range []bool{false, true} {
		steps := genuine()
		steps[atVersion].kind = EFIHCRTMEvent
		if said {
			steps = insert(steps, 0, step{0, NoAction, []byte(localitySignature + "\x04"), nil})
		}
		l := logOf(steps)
		boot, problems := Read(l.Marshal(), quoted(l, bank, 4))
		if len(problems) > 0 {
			t.Errorf("H-CRTM: %+v", problems)
		}
		find(t, boot, 0, wire.MeasuredFirmware, "h-crtm")
	}
}

// Firmware that extends the end of its services and does not write it down.
func TestUnwrittenEnd(t *testing.T) {
	for _, texts := range unwritten {
		l := logOf(without(genuine(), atExit))
		whole := *l
		for _, text := range texts {
			whole.Events = append(whole.Events, step{5, EFIAction, []byte(text), nil}.event())
		}
		pcrs := quoted(&whole, sha256Bank(), 0)
		boot, problems := Read(l.Marshal(), pcrs)
		if len(problems) > 0 {
			t.Errorf("%v: %+v", texts, problems)
		}
		for _, text := range texts {
			if m := find(t, boot, 5, wire.MeasuredAction, text); !m.Verified {
				t.Errorf("%s is not verified", text)
			}
		}
		// Of another PCR it is a forgery.
		for i := range whole.Events {
			if e := &whole.Events[i]; e.PCR == 5 && i > atKernel-1 {
				e.PCR = 6
			}
		}
		boot, problems = Read(l.Marshal(), quoted(&whole, sha256Bank(), 0))
		refused(t, "end in PCR 6", boot, problems, reason.EventLogMismatch)
	}
}

// What is reported and breaks nothing.
func TestReported(t *testing.T) {
	shimOff := authorityOf(shimGUID, shimStateVariable, []byte{1})
	for name, c := range map[string]struct {
		change  func(s []step) []step
		finding wire.FindingType
		code    string
		pcr     int
	}{
		"unknown type, PCR 0": {func(s []step) []step { return insert(s, 1, step{0, 0x8000ffff, []byte("x"), nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 0},
		"unknown type, PCR 1": {func(s []step) []step { return append(s, step{1, 0x8000ffff, []byte("x"), nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 1},
		"unknown type, PCR 7": {func(s []step) []step { return append(s, step{7, 0x8000ffff, []byte("x"), nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 7},
		"unknown type, PCR 9": {func(s []step) []step { return append(s, step{9, 0x99, nil, nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 9},
		"unknown text, PCR 8": {func(s []step) []step { return append(s, step{8, IPL, []byte("other loader: x"), []byte("y")}) }, wire.FindingUnsupported, reason.EventLogUnknown, 8},
		"other type, PCR 8":   {func(s []step) []step { return append(s, step{8, EventTag, []byte("x"), nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 8},
		"wide text, PCR 8":    {func(s []step) []step { return append(s, step{8, IPL, wideText("ro quiet"), []byte("y")}) }, wire.FindingUnsupported, reason.EventLogUnknown, 8},
		"no text, PCR 9":      {func(s []step) []step { return append(s, step{9, IPL, []byte{1, 2}, []byte("y")}) }, wire.FindingUnsupported, reason.EventLogUnknown, 9},
		"tag cut short, PCR 9": {func(s []step) []step {
			return append(s, step{9, EventTag, []byte{1, 2, 3, 4, 9, 0, 0, 0, 'x'}, []byte("y")})
		}, wire.FindingUnsupported, reason.EventLogUnknown, 9},
		"bytes behind a tag, PCR 9": {func(s []step) []step {
			return append(s, step{9, EventTag, []byte{1, 2, 3, 4, 1, 0, 0, 0, 'x', 'y'}, []byte("y")})
		}, wire.FindingUnsupported, reason.EventLogUnknown, 9},
		"command by another type":   {func(s []step) []step { return append(s, step{8, EventTag, []byte("grub_cmd: x"), []byte("x")}) }, wire.FindingUnsupported, reason.EventLogUnknown, 8},
		"no text, PCR 14":           {func(s []step) []step { return append(s, step{14, IPL, []byte{1, 2}, []byte("y")}) }, wire.FindingUnsupported, reason.EventLogUnknown, 14},
		"tag of other data, PCR 14": {func(s []step) []step { return append(s, step{14, EventTag, []byte("x"), []byte("y")}) }, wire.FindingUnsupported, reason.EventLogUnknown, 14},
		"a key called a separator":  {func(s []step) []step { return append(s, step{14, Separator, []byte("keys"), nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 14},
		"image called an action":    {func(s []step) []step { return append(s, step{4, EFIAction, []byte("MZ\x90\x00image"), nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 4},
		"separator of other data":   {func(s []step) []step { return append(s, step{14, Separator, []byte("WBCL"), []byte("y")}) }, wire.FindingUnsupported, reason.EventLogUnknown, 14},
		"action's data, PCR 5":      {func(s []step) []step { s[atExit].digested = []byte("x"); return s }, wire.FindingUnsupported, reason.EventLogUnknown, 5},
		"variable's data, PCR 1": {func(s []step) []step {
			return append(s, step{1, EFIVariableBoot, efiVariable(globalGUID, "Boot0000", zeros), []byte("x")})
		}, wire.FindingUnsupported, reason.EventLogUnknown, 1},
		"action that is no text":  {func(s []step) []step { return append(s, step{4, EFIAction, []byte{1, 2}, nil}) }, wire.FindingUnsupported, reason.EventLogUnknown, 4},
		"program of the firmware": {func(s []step) []step { return move(s, atGRUB, atCalling) }, wire.FindingUnsupported, reason.EventLogEarlyApplication, 4},
		"debug mode":              {func(s []step) []step { return insert(s, atPK, step{7, EFIAction, []byte(debugMode), nil}) }, wire.FindingFailing, reason.EventLogDebugger, 7},
		"DMA open":                {func(s []step) []step { return insert(s, atPK, step{7, EFIAction, []byte(dmaUnshielded), nil}) }, wire.FindingFailing, reason.EventLogDMA, 7},
		"shim does not check":     {func(s []step) []step { return append(s, shimOff) }, wire.FindingFailing, reason.EventLogShimUnenforced, 7},
	} {
		boot, problems := readSteps(t, c.change(genuine()))
		if len(problems) != 1 || problems[0].Type != c.finding || problems[0].Code != c.code || problems[0].PCR != c.pcr || problems[0].Fatal {
			t.Errorf("%s: %+v", name, problems)
			continue
		}
		if len(boot.PCRDigest) == 0 {
			t.Errorf("%s breaks the reading", name)
		}
		want := wire.SecureBootOn
		if c.code == reason.EventLogShimUnenforced {
			want = wire.SecureBootOff
		}
		if boot.SecureBoot != want {
			t.Errorf("%s: Secure Boot %q", name, boot.SecureBoot)
		}
		if unknown := slices.ContainsFunc(boot.Measurements, func(m wire.Measurement) bool { return m.Kind == wire.MeasuredUnknown }); unknown != (c.code == reason.EventLogUnknown) {
			t.Errorf("%s: an unknown measurement: %v", name, unknown)
		}
		if text := reason.Of(reason.Chinese, problems[0].Finding().Reason); strings.Contains(text.What, "{") || text.Withheld {
			t.Errorf("%s: %q", name, text.What)
		}
	}
	// Shim that was told not to check, and again to check.
	if boot, problems := readSteps(t, append(genuine(), authorityOf(shimGUID, shimStateVariable, []byte{0}))); len(problems) > 0 || boot.SecureBoot != wire.SecureBootOn {
		t.Errorf("%+v", problems)
	}
}

func TestMeasurements(t *testing.T) {
	options := append(wideText("initrd=\\initrd ro"), 0)
	tag := func(text string) []byte {
		return append(appendU32(nil, 0x8f3b22ed, uint32(len(text))), text...)
	}
	long := "/vmlinuz " + strings.Repeat("x", maxDetail)
	steps := insert(genuine(), 0, step{0, EFIAction, []byte("firmware 0.1"), nil}, step{7, EFISPDMDevicePolicy, []byte("p"), nil})
	steps = append(steps,
		step{8, IPL, options, append(bytes.Clone(options), 0)},
		step{8, IPL, []byte("grub_kernel_cmdline (hd0,gpt2)/vmlinuz ro\x00"), []byte("(hd0,gpt2)/vmlinuz ro")},
		step{8, IPL, []byte("module_cmdline: /xen.gz\x00"), []byte("/xen.gz")},
		step{8, IPL, []byte("grub_cmd: /vmlinuz init=/bin/sh\x00"), []byte("/vmlinuz init=/bin/sh")},
		step{8, IPL, []byte("grub_cmd (hd0)/vmlinuz init=/bin/sh\x00"), []byte("(hd0)/vmlinuz init=/bin/sh")},
		step{8, IPL, []byte("kernel_cmdline: " + long), []byte(long)},
		step{8, IPL, []byte("grub_cmd: echo " + long), []byte("echo " + long)},
		step{8, IPL, []byte("kernel_cmdline: ro\x01quiet\x00"), []byte("ro\x01quiet")},
		step{8, IPL, []byte("grub_cmd [ -f (hd0,gpt1)/grubenv ]\x00"), []byte("[ -f (hd0,gpt1)/grubenv ]\x00")},
		step{8, IPL, []byte("grub_cmd: set root=hd1\x00"), []byte("set root=hd1")},
		step{8, IPL, []byte("grub_cmd: default=1\x00"), []byte("default=1")},
		step{9, EventTag, tag("LOADED_IMAGE::LoadOptions\x00"), []byte("options")},
		step{9, EventTag, tag("Linux initrd\x00"), []byte("initrd")},
		step{9, IPL, []byte("(hd1,gpt1)/EFI/debian/grub.cfg"), []byte("configuration")},
		step{14, EventTag, []byte("authorities"), nil},
		step{14, Separator, []byte("WBCL"), nil},
		step{7, EFIVariableAuthority, efiVariable(shimGUID, "MokListTrusted", []byte{1}), nil},
		step{7, EFIVariableAuthority, efiVariable(shimGUID, "Shim", derOf(40)), nil},
		step{7, EFIVariableAuthority, efiVariable("00112233-4455-6677-8899-aabbccddeeff", "VendorDb", derOf(40)), nil},
		step{4, EFIBootServicesApplication, imageLoad([]byte{4, 6, 20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x7f, 0xff, 4, 0}), []byte("setup")},
		step{4, EFIBootServicesApplication, []byte("no image"), []byte("other")},
		step{2, EFIRuntimeServicesDriver, nil, []byte("driver")},
		step{1, EFIVariableBoot, efiVariable(globalGUID, "BootOrder", []byte{1, 0}), []byte{1, 0}},
		step{1, EFIVariableBoot2, efiVariable("00112233-4455-6677-8899-aabbccddeeff", "BootOrder", []byte{1, 0}), nil},
		step{3, NonhostConfig, []byte("settings"), nil},
	)
	boot, problems := readSteps(t, steps)
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	for _, want := range []struct {
		pcr      int
		kind     wire.MeasurementKind
		name     string
		detail   string
		verified bool
	}{
		{8, wire.MeasuredCommandLine, "options", "initrd=\\initrd ro", true},
		{8, wire.MeasuredCommandLine, "kernel", "/vmlinuz-6.1 ro quiet", true},
		{8, wire.MeasuredCommandLine, "kernel #2", "(hd0,gpt2)/vmlinuz ro", true},
		{8, wire.MeasuredCommandLine, "kernel #6", "", true}, // unprintable: no general form
		{8, wire.MeasuredCommandLine, "module", "/xen.gz", true},
		// The prefix is not measured: a command line is not a command for it.
		{8, wire.MeasuredCommandLine, "kernel #3", "/vmlinuz init=/bin/sh", true},
		{8, wire.MeasuredCommandLine, "kernel #4", "(hd0)/vmlinuz init=/bin/sh", true},
		{8, wire.MeasuredCommandLine, "kernel #5", long, true}, // never cut short
		{8, wire.MeasuredLoaderCommand, "echo", ("echo " + long)[:maxDetail] + "…", true},
		// In PCR 0 a text is not a mere action.
		{0, wire.MeasuredFirmware, "action", "firmware 0.1", true},
		{7, wire.MeasuredPolicy, "spdm-policy", "p", true},
		{8, wire.MeasuredLoaderCommand, "[", "[ -f (hd0,gpt1)/grubenv ]", true},
		{8, wire.MeasuredLoaderCommand, "set root", "set root=hd0", true},
		{8, wire.MeasuredLoaderCommand, "set root #2", "set root=hd1", true},
		{8, wire.MeasuredLoaderCommand, "default", "default=1", true},
		{9, wire.MeasuredCommandLine, "load options", "", false},
		{9, wire.MeasuredFile, "Linux initrd", "", false},
		{9, wire.MeasuredFile, "/EFI/debian/grub.cfg #2", "(hd1,gpt1)/EFI/debian/grub.cfg", false},
		{14, wire.MeasuredAuthority, "windows", "", true},
		{14, wire.MeasuredSeparator, "separator", "WBCL", true},
		{7, wire.MeasuredMOK, "MokListTrusted", "", true},
		{7, wire.MeasuredAuthority, "Shim", "", true},
		{7, wire.MeasuredAuthority, "VendorDb-00112233-4455-6677-8899-aabbccddeeff", "", true},
		{7, wire.MeasuredPolicy, "SbatLevel", "sbat,1,2021030218 ", true},
		{4, wire.MeasuredBootApplication, "fv(04030201-0605-0807-090a-0b0c0d0e0f10)", "fv(04030201-0605-0807-090a-0b0c0d0e0f10)", false},
		{4, wire.MeasuredBootApplication, "#5", "", false},
		{2, wire.MeasuredOptionROM, "runtime-driver", "", false},
		{1, wire.MeasuredSetting, "BootOrder", "", true},
		{1, wire.MeasuredSetting, "BootOrder-00112233-4455-6677-8899-aabbccddeeff", "", true},
		{3, wire.MeasuredSetting, "nonhost-config", "settings", true},
	} {
		if m := find(t, boot, want.pcr, want.kind, want.name); m.Detail != want.detail || m.Verified != want.verified {
			t.Errorf("%s: %.99q, verified %v", want.name, m.Detail, m.Verified)
		}
	}
	// A certificate alone is its own entry; behind an owner it is the rest.
	if m := find(t, boot, 7, wire.MeasuredAuthority, "Shim"); len(m.Members) != 1 || !bytes.Equal(m.Members[0], member(derOf(40))) {
		t.Errorf("Shim: %x", m.Members)
	}
	seen := map[wire.ReferenceKey]bool{}
	for _, m := range boot.Measurements {
		if seen[wire.KeyOf(m)] {
			t.Errorf("%+v stands twice", wire.KeyOf(m))
		}
		seen[wire.KeyOf(m)] = true
	}
}

// A command line written up as a command of the boot loader would be demanded
// of nobody. The prefix is the log's word; what stands behind it is measured.
func TestACommandLineIsNoCommand(t *testing.T) {
	wideLine := string(wideText("root=/dev/sda1 init=/bin/sh"))
	for name, c := range map[string]struct {
		texts []string // as measured, each logged as a command
		lines int      // of them, from the end
	}{
		"path with a blank":                {[]string{`linux /a b init=/bin/sh`, `"/a b" init=/bin/sh`}, 1},
		"path with a blank, shell of GRUB": {[]string{`"/a b" init=/bin/sh`}, 1},
		"path with a quote":                {[]string{`\'a init=/bin/sh`}, 1},
		"path with a letter of its own":    {[]string{"\u00e9 init=/bin/sh"}, 1},
		"path on a network":                {[]string{`linux vmlinuz init=/bin/sh`, `vmlinuz init=/bin/sh`}, 1},
		"path called as a command":         {[]string{`linuxefi set init=/bin/sh`, `set init=/bin/sh`}, 1},
		"argument with a blank":            {[]string{`linux vmlinuz a=b c init=/bin/sh`, `vmlinuz "a=b c" init=/bin/sh `}, 1},
		"another boot loader's":            {[]string{wideLine}, 1},
		"another boot loader's, one word":  {[]string{"s\x00\x00\x00"}, 1},
		"commands":                         {[]string{`set linux vmlinuz`, `linux vmlinuz ro`, `initrd initrd.img`, `! [ -f x ]`, `. x`, `_f`, ``}, 0},
	} {
		for _, prefix := range [...]string{grubCommand, grubCommandOld} {
			var steps []step
			for _, text := range c.texts {
				steps = append(steps, step{8, IPL, []byte(prefix + text + "\x00"), []byte(text)})
			}
			before, _ := readSteps(t, genuine())
			boot, problems := readSteps(t, append(genuine(), steps...))
			if len(problems) > 0 || len(boot.Measurements) != len(before.Measurements)+len(steps) {
				t.Fatalf("%s: %+v", name, problems)
			}
			for i, m := range boot.Measurements[len(before.Measurements):] {
				want := wire.MeasuredLoaderCommand
				if len(c.texts)-i <= c.lines {
					want = wire.MeasuredCommandLine
				}
				if m.Kind != want {
					t.Errorf("%s: %q is a %s", name, c.texts[i], m.Kind)
				}
			}
		}
	}
}

// derOf is a DER SEQUENCE of n bytes of content.
func derOf(n int) []byte { return append([]byte{0x30, 0x82, 0, byte(n)}, make([]byte, n)...) }

// Names stay unique where a log tries to make two alike.
func TestNamesAreUnique(t *testing.T) {
	n := names{}
	got := map[string]bool{}
	for _, name := range []string{"a", "a #2", "a", "a", "a #3", "a #2 #2", "a #2"} {
		unique := n.unique(9, wire.MeasuredFile, name)
		if got[unique] {
			t.Errorf("%q stands twice", unique)
		}
		got[unique] = true
	}
	if first := n.unique(8, wire.MeasuredFile, "a"); first != "a" {
		t.Errorf("another PCR's name is %q", first)
	}
}
