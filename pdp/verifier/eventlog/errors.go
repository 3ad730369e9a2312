package eventlog

import "errors"

// Errors of Parse, one for each way in which bytes are not a log.
var (
	// ErrTooLarge says that the log is longer than MaxBytes or has more events
	// than MaxEvents.
	ErrTooLarge = errors.New("eventlog: larger than the bounds")
	// ErrTruncated says that the bytes end, or hold zeros or garbage, where an
	// event should be.
	ErrTruncated = errors.New("eventlog: ends inside an event")
	// ErrHeader says that the Spec ID event is not one that is accepted.
	ErrHeader = errors.New("eventlog: malformed Spec ID event")
	// ErrDigests says that an event does not have exactly one digest of each
	// algorithm that the Spec ID event names.
	ErrDigests = errors.New("eventlog: digests other than the Spec ID event names")
	// ErrPCR says that an event extends a PCR that no TPM of a PC has.
	ErrPCR = errors.New("eventlog: no such PCR")
)
