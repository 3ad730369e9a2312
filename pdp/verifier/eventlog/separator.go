package eventlog

import (
	"bytes"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// separators is how many PCRs have a separator: 0 to 7 (Firmware Profile 1.06,
// 3.3.4 and 10.4.1).
const separators = 8

// The separator's values: the two that end what firmware measures, and the one
// by which firmware says that it could not measure.
var (
	separatorZero  = []byte{0x00, 0x00, 0x00, 0x00}
	separatorOnes  = []byte{0xff, 0xff, 0xff, 0xff}
	separatorError = []byte{0x01, 0x00, 0x00, 0x00}
)

// ends are the digests of the separator's values.
type ends struct{ zero, ones, failed []byte }

func endsIn(b bank) ends {
	return ends{b.sum(separatorZero), b.sum(separatorOnes), b.sum(separatorError)}
}

// separator reads an event that is a separator, and reports whether it was
// one. What makes it one is its digest: by another type, a log could hide
// where the firmware's part ended, and draw the line anew after events of the
// attacker's own.
func (r *reader) separator(i int, e *Event) bool {
	digest := r.digest(e)
	switch {
	case bytes.Equal(digest, r.ends.failed) && e.Type == Separator:
		r.tell(unsupported(reason.EventLogFirmwareError, int(e.PCR), i, "error separator"))
	case bytes.Equal(digest, r.ends.zero), bytes.Equal(digest, r.ends.ones):
		if e.Type != Separator {
			if !strict(e) {
				return false
			}
			r.misplaced(i, e)
		}
		r.separate(i, e)
	case e.Type == Separator:
		r.tampered(reason.EventLogContent, i, e, "separator of another value")
	default:
		return false
	}
	return true
}

func (r *reader) separate(i int, e *Event) {
	switch {
	case !r.covers(e):
		r.tampered(reason.EventLogDigest, i, e, "separator")
	case r.separated[e.PCR]:
		r.tampered(reason.EventLogTwice, i, e, "separator")
	}
	r.separated[e.PCR] = true
	r.measure(e, wire.MeasuredSeparator, "separator", wire.Measurement{Verified: true})
}

// strict reports whether nothing but a separator may have a separator's digest.
// In the PCRs that no policy rests on, a variable of four zeros has it too; in
// PCR 0, Intel's Boot Guard measures such a policy as contents of the CRTM.
func strict(e *Event) bool {
	return e.PCR == 2 || e.PCR == 4 || e.PCR == 7 || e.PCR == 0 && e.Type != CRTMContents
}

func (r *reader) unseparated() {
	for pcr, done := range r.separated {
		if !done {
			r.tell(unsupported(reason.EventLogSeparatorMissing, pcr, -1, "no separator"))
		}
	}
}
