package eventlog

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// What GRUB puts before the text that it measures, in its versions.
const (
	grubCommand       = "grub_cmd: "
	grubCommandOld    = "grub_cmd "
	grubCmdline       = "kernel_cmdline: "
	grubCmdlineOld    = "grub_kernel_cmdline "
	grubModuleCmdline = "module_cmdline: "
)

// windowsEnd is what Windows extends when its boot loader is done.
const windowsEnd = "WBCL"

// loadOptions is what Linux's EFI stub calls the command line that it measures.
const loadOptions = "LOADED_IMAGE::LoadOptions"

func ordinal(n int) string { return "#" + strconv.Itoa(n) }

// loader reads PCR 8: the boot loader's commands and the command line.
func (r *reader) loader(i int, e *Event) {
	if e.Type != IPL {
		r.unknown(i, e)
		return
	}
	for _, prefix := range [...]string{grubCommand, grubCommandOld, grubCmdline, grubCmdlineOld, grubModuleCmdline} {
		if text, ok := bytes.CutPrefix(e.Data, []byte(prefix)); ok {
			kind, name := r.grubKind(prefix, string(bytes.TrimSuffix(text, []byte{0})))
			r.grub(i, e, text, kind, name)
			return
		}
	}
	r.options(i, e)
}

// grubKind tells command lines from commands. The prefix is not measured: a
// text that can be a command line is one under whatever prefix it is logged.
// GRUB puts a file's path first, with quotes or a backslash where the path
// needs them; a path without a slash, as on a network, shows by the command
// before it. Another boot loader's text in UTF-16 has NULs between its letters,
// and is no command of GRUB's either.
func (r *reader) grubKind(prefix, text string) (wire.MeasurementKind, string) {
	loads := r.loads
	r.loads = ""
	switch {
	case prefix == grubModuleCmdline:
		return wire.MeasuredCommandLine, "module"
	case prefix == grubCmdline, prefix == grubCmdlineOld, !isCommand(text), loads != "" && bare(text) == loads:
		return wire.MeasuredCommandLine, "kernel"
	}
	if command, rest, _ := strings.Cut(text, " "); slices.Contains(loaders[:], command) {
		r.loads = bare(rest)
	}
	return wire.MeasuredLoaderCommand, commandName(text)
}

// loaders are the commands of GRUB after which it measures a command line.
var loaders = [...]string{
	"linux", "linuxefi", "linux16", "multiboot", "multiboot2", "module", "module2",
	"xen_hypervisor", "xen_linux", "xen_module", "xen_initrd",
}

// isCommand reports whether a text can be a command as GRUB measures it: its
// words with blanks between. An empty one can: no file has an empty name.
func isCommand(text string) bool {
	if text == "" {
		return true
	}
	first := rune(text[0])
	named := first <= unicode.MaxASCII && (unicode.IsLetter(first) || unicode.IsDigit(first) || strings.ContainsRune("_[!.-", first))
	return named && !strings.ContainsRune(text, 0)
}

// bare is a text without what GRUB adds to the words of a command line.
func bare(text string) string {
	return strings.Join(strings.Fields(strings.NewReplacer(`\`, "", `"`, "", `'`, "").Replace(text)), " ")
}

// grub adds a text that GRUB measured, whose digest covers it with or without
// the NUL at its end.
func (r *reader) grub(i int, e *Event, text []byte, kind wire.MeasurementKind, name string) {
	digest := r.digest(e)
	if !r.bank.is(digest, text) && !r.bank.is(digest, bytes.TrimSuffix(text, []byte{0})) {
		r.tampered(reason.EventLogDigest, i, e, name)
		return
	}
	detail := strings.TrimRight(string(text), "\x00")
	if kind == wire.MeasuredCommandLine {
		detail = commandLine(detail)
	}
	r.measure(e, kind, name, wire.Measurement{Detail: detail, Verified: true})
}

// commandLine returns a command line as it is, or nothing where it has a
// character that the kernel could take for another than a reader does: it
// splits words at bytes, and at some that are part of letters.
func commandLine(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return ""
	}
	return text
}

// commandName names a command by its first word and, where it sets a variable,
// by that: so an argument that changes is a new value of the same place.
func commandName(text string) string {
	words := strings.Fields(strings.TrimRight(text, "\x00"))
	if len(words) == 0 {
		return "(empty)"
	}
	if words[0] == "set" && len(words) > 1 {
		variable, _, _ := strings.Cut(words[1], "=")
		return "set " + variable
	}
	first, _, _ := strings.Cut(words[0], "=")
	return first
}

// options reads a command line as systemd-boot measures it, in UTF-16. It logs
// one byte less than it measures.
func (r *reader) options(i int, e *Event) {
	if !wide(e.Data) || !r.covers(e) && !r.bank.is(r.digest(e), append(bytes.Clone(e.Data), 0)) {
		r.unknown(i, e)
		return
	}
	line := commandLine(strings.TrimRight(ucs2(e.Data), "\x00"))
	r.measure(e, wire.MeasuredCommandLine, "options", wire.Measurement{Detail: line, Verified: true})
}

// file reads PCR 9: the files that a boot loader read, and what Linux's EFI
// stub was given. Its digests are those of the files, so that the names are the
// log's word.
func (r *reader) file(i int, e *Event) {
	switch e.Type {
	case IPL:
		if text, ok := letters(e.Data); ok {
			r.measure(e, wire.MeasuredFile, withoutDevice(text), wire.Measurement{Detail: text})
			return
		}
	case EventTag:
		text, ok := tagged(e.Data)
		switch {
		case ok && text == loadOptions:
			r.measure(e, wire.MeasuredCommandLine, "load options", wire.Measurement{})
			return
		case ok:
			r.measure(e, wire.MeasuredFile, text, wire.Measurement{})
			return
		}
	}
	r.unknown(i, e)
}

// withoutDevice cuts GRUB's name of a disk off a path: disks are numbered in
// the order in which they are found.
func withoutDevice(path string) string {
	if strings.HasPrefix(path, "(") {
		if _, rest, ok := strings.Cut(path, ")"); ok && rest != "" {
			return rest
		}
	}
	return path
}

// tagged reads the text of a TCG_PCClientTaggedEvent (Firmware Profile 1.06,
// 10.4.2).
func tagged(data []byte) (string, bool) {
	c := cursor{rest: data}
	c.u32()
	body := c.take(uint64(c.u32()))
	if !c.end() {
		return "", false
	}
	return letters(body)
}

// machineOwner reads PCR 14: shim's machine owner keys, or what Windows calls
// its boot authorities. Shim logs a variable's name for the digest of its data.
func (r *reader) machineOwner(i int, e *Event) {
	text, ok := letters(e.Data)
	switch {
	case e.Type == IPL && ok:
		r.measure(e, wire.MeasuredMOK, text, wire.Measurement{})
	case e.Type == Separator && text == windowsEnd && r.covers(e):
		r.measure(e, wire.MeasuredSeparator, "separator", wire.Measurement{Detail: text, Verified: true})
	case e.Type == EventTag && r.covers(e):
		r.measure(e, wire.MeasuredAuthority, "windows", wire.Measurement{Verified: true})
	default:
		r.unknown(i, e)
	}
}
