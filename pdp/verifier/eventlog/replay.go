package eventlog

import (
	"bytes"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// What firmware extends when the operating system takes over (Firmware Profile
// 1.06, 3.3.4.6).
const (
	exitInvocation = "Exit Boot Services Invocation"
	exitSuccess    = "Exit Boot Services Returned with Success"
	exitFailure    = "Exit Boot Services Returned with Failure"
	exitPCR        = 5
)

// unwritten are the ends that some firmware extends without writing them down:
// the log was handed over before.
var unwritten = [...][]string{
	{exitInvocation, exitSuccess},
	{exitInvocation, exitFailure},
	{exitInvocation, exitFailure, exitSuccess},
}

// localitySignature begins the event that says from which locality the TPM was
// started, which is PCR 0's first value (10.4.5.3).
const localitySignature = "StartupLocality\x00"

// The localities that a PC's TPM is started from: 4 where a hardware root of
// trust measured before.
const (
	localityBoot  = 0
	localityTXT   = 3
	localityHCRTM = 4
)

// startup returns the value that PCR 0 begins with.
func startup(events []Event) (byte, []Problem) {
	var start byte
	var said, hardware, extended bool
	for i := range events {
		e := &events[i]
		switch {
		case e.Type == NoAction && bytes.HasPrefix(e.Data, []byte(localitySignature[:15])):
			level, ok := startupLocality(e)
			if !ok || said || extended {
				return 0, []Problem{tampered(reason.EventLogLocality, int(int32(e.PCR)), i, "startup locality")} // #nosec G115 -- for people
			}
			said, start = true, level
		case e.Type == NoAction || e.PCR != 0:
		case e.Type == EFIHCRTMEvent && (extended || said && start != localityHCRTM):
			return 0, []Problem{tampered(reason.EventLogPlace, 0, i, "H-CRTM event")}
		default:
			hardware = hardware || e.Type == EFIHCRTMEvent
			extended = true
		}
	}
	if hardware {
		start = localityHCRTM
	}
	return start, nil
}

func startupLocality(e *Event) (byte, bool) {
	if e.PCR != 0 || len(e.Data) != len(localitySignature)+1 || !bytes.HasPrefix(e.Data, []byte(localitySignature)) {
		return 0, false
	}
	level := e.Data[len(localitySignature)]
	return level, level == localityBoot || level == localityTXT || level == localityHCRTM
}

// register is one PCR as a log would leave it.
type register struct {
	reset, value []byte
	events       int
}

// replay extends every PCR as a log says.
func replay(events []Event, b bank, start byte) []register {
	all := make([]register, maxPCR+1)
	for i := range all {
		all[i].reset = make([]byte, b.size)
	}
	all[0].reset[b.size-1] = start
	for i := range all {
		all[i].value = bytes.Clone(all[i].reset)
	}
	for i := range events {
		if e := &events[i]; e.Type != NoAction {
			r := &all[e.PCR]
			b.extend(r.value, e.Digest(b.algorithm))
			r.events++
		}
	}
	return all
}

// authenticate replays a log against the quoted PCRs. It returns the events
// that are authenticated: the log's, and those that firmware is known not to
// write down where they alone are wanting.
func authenticate(events []Event, b bank, pcrs []wire.PCRValue) ([]Event, []Problem) {
	if !whole(pcrs, b) {
		return nil, []Problem{tampered(reason.EventLogMismatch, -1, -1, "not the quoted PCRs")}
	}
	start, problems := startup(events)
	if len(problems) > 0 {
		return nil, problems
	}
	registers := replay(events, b, start)
	for _, quoted := range pcrs {
		if quoted.Index == wire.RunTimePCR {
			continue // its log is IMA's
		}
		r := registers[quoted.Index]
		switch {
		case bytes.Equal(quoted.Digest, r.value) && (r.events == 0 || !bytes.Equal(quoted.Digest, r.reset)):
		case r.events == 0:
			problems = append(problems, tampered(reason.EventLogUnlogged, quoted.Index, -1, "no event"))
		case bytes.Equal(quoted.Digest, r.reset), bytes.Equal(quoted.Digest, make([]byte, b.size)):
			problems = append(problems, tampered(reason.EventLogUnextended, quoted.Index, -1, "never extended"))
		default:
			end := ending(quoted, r.value, b)
			if end == nil {
				problems = append(problems, tampered(reason.EventLogMismatch, quoted.Index, -1, "another value"))
			}
			events = append(slices.Clip(events), end...)
		}
	}
	return events, problems
}

// whole reports whether pcrs are exactly the PCRs that a quote selects.
func whole(pcrs []wire.PCRValue, b bank) bool {
	if len(pcrs) != len(wire.QuotedPCRs) {
		return false
	}
	for i, p := range pcrs {
		if p.Index != wire.QuotedPCRs[i] || len(p.Digest) != b.size {
			return false
		}
	}
	return true
}

// ending returns the unwritten events that lead from a log's value to the
// quoted one, nil if there are none such.
func ending(quoted wire.PCRValue, value []byte, b bank) []Event {
	if quoted.Index != exitPCR {
		return nil
	}
	for _, texts := range unwritten {
		var events []Event
		reached := bytes.Clone(value)
		for _, text := range texts {
			digest := b.sum([]byte(text))
			b.extend(reached, digest)
			events = append(events, Event{
				PCR: exitPCR, Type: EFIAction, Data: []byte(text), Digests: []Digest{{b.algorithm, digest}},
			})
		}
		if bytes.Equal(quoted.Digest, reached) {
			return events
		}
	}
	return nil
}
