package wire

import "crypto/sha256"

// The values between the event log's parser, the boot appraisal and the
// reference values.

// MeasurementKind says what a boot event measured (TCG PC Client Platform
// Firmware Profile 1.06, 3.3.4 and 10.4). Which kind an event is follows from
// its PCR, its place and its verified data, never from its type alone: an
// event's type is not authenticated.
type MeasurementKind string

// Measurement kinds.
const (
	MeasuredFirmware        MeasurementKind = "firmware"         // PCR 0: CRTM version, firmware volumes
	MeasuredSetting         MeasurementKind = "setting"          // PCR 1, 3, 5: configuration, boot order
	MeasuredOptionROM       MeasurementKind = "option-rom"       // PCR 2
	MeasuredSecureBoot      MeasurementKind = "secure-boot"      // PCR 7: the SecureBoot variable
	MeasuredPK              MeasurementKind = "pk"               // PCR 7
	MeasuredKEK             MeasurementKind = "kek"              // PCR 7
	MeasuredDB              MeasurementKind = "db"               // PCR 7
	MeasuredDBX             MeasurementKind = "dbx"              // PCR 7
	MeasuredPolicy          MeasurementKind = "policy"           // PCR 7: dbt, dbr, SbatLevel, AuditMode, …
	MeasuredAuthority       MeasurementKind = "authority"        // PCR 7: the key that verified an image
	MeasuredBootApplication MeasurementKind = "boot-application" // PCR 4: shim, boot loader, kernel as EFI image
	MeasuredMOK             MeasurementKind = "mok"              // PCR 14, and 7: shim's machine owner keys
	MeasuredLoaderCommand   MeasurementKind = "loader-command"   // PCR 8: the boot loader's own commands
	MeasuredCommandLine     MeasurementKind = "command-line"     // PCR 8: the kernel's command line
	MeasuredFile            MeasurementKind = "file"             // PCR 9: what the boot loader read, named by path
	MeasuredPartitions      MeasurementKind = "partitions"       // PCR 5: the partition table
	MeasuredAction          MeasurementKind = "action"           // fixed strings: boot attempts, exit of boot services
	MeasuredSeparator       MeasurementKind = "separator"        //
	MeasuredUnknown         MeasurementKind = "unknown"          // well-formed, but of no type known here
)

// Measurement is one event of a boot, as the Verifier read it from a log that
// replays to the quoted PCRs.
type Measurement struct {
	PCR  int             `json:"pcr"`
	Kind MeasurementKind `json:"kind"`
	// Name tells measurements of one kind and PCR apart, and is the same at
	// each boot of a machine that was not changed: a variable's name, a file's
	// path without device, or the place in the order, such as "#2".
	Name string `json:"name"`
	// Digest is that of the SHA-256 bank: what was extended.
	Digest []byte `json:"digest"`
	// Type is the event's type as the log says. It is not authenticated.
	Type uint32 `json:"type"`
	// Detail is for people: a path, a version. Of a command line it is the whole
	// line without the boot loader's own prefix, never cut short or changed, and
	// empty where it has other than printable ASCII characters or is not covered
	// by Digest: its general form is held against reference values
	// (GeneralCommandLine).
	Detail string `json:"detail,omitempty"`
	// Verified says that the event's data hash to Digest, so that Name and
	// Detail are as authentic as Digest is. Without it they are the log's word:
	// a file's or an image's digest is its own.
	Verified bool `json:"verified,omitempty"`
	// Members are SHA-256 digests of the entries of a signature list (PK, KEK,
	// db, dbx), in order and without their owners, so that a certificate's is
	// its fingerprint; of an authority, the one entry.
	Members [][]byte `json:"members,omitempty"`
}

// SecureBootState is what PCR 7 says; the zero value is nothing known.
type SecureBootState string

// Secure Boot states.
const (
	SecureBootOn  SecureBootState = "on"
	SecureBootOff SecureBootState = "off"
)

// Boot is what one event log says, once it replays to the quoted PCRs. A log
// that was not read has no PCRDigest and no measurements.
type Boot struct {
	// LogDigest is SHA-256 over the log's bytes.
	LogDigest []byte `json:"log_digest"`
	// PCRDigest is BootDigest over the quoted PCRs that the log replayed to.
	PCRDigest []byte `json:"pcr_digest"`
	// Reading says by which version of the parser the log was read: another
	// reads other things out of the same bytes.
	Reading      int             `json:"reading,omitempty"`
	SecureBoot   SecureBootState `json:"secure_boot,omitempty"`
	Measurements []Measurement   `json:"measurements"`
}

// BootDigest is SHA-256 over the values of quoted PCRs, ascending, but for
// RunTimePCR: it changes while the machine runs, and no firmware extends it.
func BootDigest(pcrs []PCRValue) []byte {
	h := sha256.New()
	for _, p := range pcrs {
		if p.Index != RunTimePCR {
			h.Write(p.Digest)
		}
	}
	return h.Sum(nil)
}

// BootAppraisal is how a boot stands to an agency's reference values.
type BootAppraisal struct {
	Findings []Finding `json:"findings,omitempty"`
	// Executables is the tier of the vector; Hardware is the best that the
	// device's hardware may count for. The zero values affirm nothing.
	Executables Trustworthiness `json:"executables"`
	Hardware    Trustworthiness `json:"hardware"`
	// Events are the measurements that differ from the reference values, those
	// that are not demanded too, in the order of the log; then what is absent.
	Events []BootEvent `json:"events,omitempty"`
}

// BootEvent is one measurement that differs from the reference values.
type BootEvent struct {
	// Measurement has no digest where the reference values have this place and
	// the boot does not.
	Measurement Measurement `json:"measurement"`
	// Demanded says that the appraisal policy asks for a known value here. Type
	// is empty where it does not.
	Demanded bool        `json:"demanded"`
	Type     FindingType `json:"type,omitempty"`
	Expected string      `json:"expected,omitempty"`
	Seen     string      `json:"seen,omitempty"`
}
