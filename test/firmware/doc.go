// Package firmware is a PC's firmware, boot loader and kernel for software
// TPMs: from a small description of a machine it makes the TCG crypto-agile
// event log that UEFI, shim, GRUB and Linux would write (TCG PC Client Platform
// Firmware Profile 1.06, 10), and Linux's IMA list after it, and extends a
// TPM's PCRs as they would be.
//
// Guarantees: the same description gives the same log, byte by byte; what Boot
// extends is what the log says, in every active bank of the TPM. Events can be
// taken apart, changed and marshalled again, so that a test can lie in one
// place and nowhere else. It serves tests alone: nothing in it judges.
package firmware
