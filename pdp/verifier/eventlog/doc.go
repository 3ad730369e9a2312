// Package eventlog reads the TCG event log of a PC's boot against the PCRs that
// its TPM quoted.
//
// Standard: TCG PC Client Platform Firmware Profile 1.06, 3.3.4 and 10; UEFI
// 2.10, 3.3, 10.3 and 32.4.1.
//
// Guarantees:
//   - The parser is bounded, panics on no input, and accepts only bytes that
//     marshal to themselves: no trailing bytes, exactly one digest of each
//     algorithm that the Spec ID event names.
//   - A log counts only where it replays to every quoted PCR of the SHA-256
//     bank. A bank that was not extended (CVE-2021-42299), a PCR without events,
//     a forged start-up locality are refused, each by its own Problem.
//   - An event's type is not authenticated. What an event is follows from its
//     PCR, its side of that PCR's one separator (which is known by its digest)
//     and its data where the digest covers them. In the PCRs that policy rests
//     on (0, 2, 4, 7; 8, 9 and 14) nothing else is read.
//   - What is well-formed but not known is reported and breaks nothing.
//     Certificates are not parsed.
//   - It is pure: no clock, no state.
//
// # Names
//
// A measurement's Name is unique within its PCR and kind and the same at each
// boot of an unchanged machine; a name that comes again has " #2", " #3" behind
// it. Names of measurements with Verified are as authentic as their digests;
// the others are the log's word, and only their digests count.
//
//	firmware          0   the event's type: "crtm-version", "crtm-contents", "blob", "post-code", "nonhost-info", …
//	setting           1…6 a variable's name, such as "BootOrder"; else the event's type
//	option-rom        2   the PCI slots, "pci(1c.0)/pci(0.0)", or the firmware volume's file, "fv(<guid>)"; else the event's type
//	boot-application  4   the file's path in small letters with slashes and without device, "/efi/ubuntu/shimx64.efi";
//	                      "#n" where the image has none (a kernel that GRUB started), n counting the PCR's images;
//	                      "early <path>" before the separator
//	action            1, 3…7 the fixed string itself; in PCR 0 and 2 it is firmware or option-rom "action"
//	partitions        5   "gpt"
//	separator         any "separator"
//	secure-boot       7   "SecureBoot"
//	pk, kek, db, dbx  7   the variable's name
//	policy            7   the variable's name ("SbatLevel", "dbt", …), with "-<owner>" behind it for other owners than UEFI and shim
//	authority         7   the variable that the key is in: "db", "Shim", "MokList", …; 14 on Windows: "windows"
//	mok               7   "MokListTrusted", "MokSBState", …; 14: "MokList", "MokListX", …
//	loader-command    8   GRUB's command: its first word, "linux", and for set the variable, "set root"
//	command-line      8   "kernel" or "module" (GRUB), "options" (systemd-boot); 9: "load options" (Linux's EFI stub)
//	file              9   GRUB's path without device, "/boot/grub/grub.cfg"; "Linux initrd" (EFI stub)
//	unknown           any the event's type, "type 0x80001234" if that has no name
package eventlog
