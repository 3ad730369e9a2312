package eventlog

import (
	"strconv"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Problem is one thing that is wrong with a log, or that it shows.
type Problem struct {
	// Type is tampered where a log or a boot was forged, unsupported where it
	// cannot be judged, failing where a genuine boot was not as safe as it
	// should be.
	Type wire.FindingType
	// Code is one of ZT-DEV-100 to 119.
	Code string
	// PCR is the register, -1 where it is the log as a whole.
	PCR int
	// Event is the event's place in Log.Events, -1 where it is none.
	Event int
	// Seen says in a few English words what was seen, printable, at most
	// maxText characters long.
	Seen string
	// Fatal says that nothing is read of this boot.
	Fatal bool
}

// Finding is the problem as the Attestation Result carries it.
func (p Problem) Finding() wire.Finding {
	return wire.Finding{Type: p.Type, Seen: p.Seen, Reason: reason.New(p.Code,
		"pcr", number(p.PCR), "event", number(p.Event), "seen", p.Seen)}
}

func number(n int) string {
	if n < 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func tampered(code string, pcr, event int, seen string) Problem {
	return Problem{Type: wire.FindingTampered, Code: code, PCR: pcr, Event: event, Seen: seen, Fatal: true}
}

func unsupported(code string, pcr, event int, seen string) Problem {
	return Problem{Type: wire.FindingUnsupported, Code: code, PCR: pcr, Event: event, Seen: seen, Fatal: true}
}

// reported is a problem that leaves the rest of the boot readable.
func reported(t wire.FindingType, code string, pcr, event int, seen string) Problem {
	return Problem{Type: t, Code: code, PCR: pcr, Event: event, Seen: seen}
}
