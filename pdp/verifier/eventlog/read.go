package eventlog

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// maxProblems bounds what is told about one log.
const maxProblems = 64

// Reading is the version of what this package makes of a log. It grows with each
// change by which a log gives other measurements: then a Boot that was kept does
// not stand for its log any more, and the log is asked for again.
const Reading = 2

// Read reads one log against the quoted PCRs of the SHA-256 bank, which must be
// exactly wire.QuotedPCRs and already verified. Where one problem is fatal, the
// Boot holds the log's digest and nothing else: a Boot without PCRDigest was
// not read.
func Read(raw []byte, pcrs []wire.PCRValue) (wire.Boot, []Problem) {
	digest := sha256.Sum256(raw)
	boot := wire.Boot{LogDigest: digest[:]}
	if len(raw) == 0 {
		return boot, []Problem{unsupported(reason.EventLogAbsent, -1, -1, "empty")}
	}
	l, err := Parse(raw)
	switch {
	case errors.Is(err, ErrTooLarge):
		return boot, []Problem{unsupported(reason.EventLogTooLarge, -1, -1, strconv.Itoa(len(raw))+" bytes")}
	case err != nil:
		return boot, []Problem{tampered(reason.EventLogMalformed, -1, -1, err.Error())}
	}
	read, problems := read(l, sha256Bank(), pcrs)
	read.LogDigest = boot.LogDigest
	return read, problems
}

// read reads a log in one bank.
func read(l *Log, b bank, pcrs []wire.PCRValue) (wire.Boot, []Problem) {
	if !b.in(l) {
		return wire.Boot{}, []Problem{unsupported(reason.EventLogNoBank, -1, -1, "no digests of this bank")}
	}
	events, problems := authenticate(l.Events, b, pcrs)
	if len(problems) > 0 {
		return wire.Boot{}, problems
	}
	r := newReader(b)
	r.measurements = make([]wire.Measurement, 0, len(events))
	for i := range events {
		r.event(i, &events[i])
	}
	if !r.fatal() {
		r.finish()
	}
	if r.fatal() {
		return wire.Boot{}, r.problems
	}
	return wire.Boot{PCRDigest: wire.BootDigest(pcrs), Reading: Reading, SecureBoot: r.state(), Measurements: r.measurements}, r.problems
}

// reader reads the authenticated events of one boot in their order.
type reader struct {
	bank         bank
	ends         ends
	problems     []Problem
	measurements []wire.Measurement
	names        names
	separated    [separators]bool
	policy       policy // what PCR 7 says
	applications int
	// loads are the arguments of the command to load a kernel that was read last.
	loads string
}

func newReader(b bank) *reader {
	return &reader{bank: b, ends: endsIn(b), names: names{}, policy: newPolicy()}
}

// event reads one event. Which kind it is follows from its PCR, its side of
// the separator and its data where the digest covers them.
func (r *reader) event(i int, e *Event) {
	if e.Type == NoAction || e.PCR == wire.RunTimePCR || !slices.Contains(wire.QuotedPCRs[:], int(e.PCR)) {
		return
	}
	if int(e.PCR) < separators && r.separator(i, e) {
		return
	}
	if typeName(e.Type) == "" {
		r.unknown(i, e)
		return
	}
	switch e.PCR {
	case 0:
		r.firmware(i, e)
	case 2:
		r.optionROM(i, e)
	case 4:
		r.bootApplication(i, e)
	case 7:
		r.secureBoot(i, e)
	case 8:
		r.loader(i, e)
	case 9:
		r.file(i, e)
	case 14:
		r.machineOwner(i, e)
	default:
		r.setting(i, e)
	}
}

// digest is the event's in the bank that is read; Parse saw that it is there.
func (r *reader) digest(e *Event) []byte { return e.Digest(r.bank.algorithm) }

// covers reports whether the event's digest is that of all its data.
func (r *reader) covers(e *Event) bool { return r.bank.is(r.digest(e), e.Data) }

func (r *reader) fatal() bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Fatal })
}

// tell keeps a problem; what is beyond the bound adds nothing, as a fatal
// problem is never dropped for one that is not.
func (r *reader) tell(p Problem) {
	if len(r.problems) < maxProblems || p.Fatal && len(r.problems) < 2*maxProblems {
		r.problems = append(r.problems, p)
	}
}

func (r *reader) tampered(code string, i int, e *Event, seen string) {
	r.tell(tampered(code, int(e.PCR), i, plain(seen, maxText)))
}

// misplaced refuses an event that has no place in its PCR or on its side of the
// separator.
func (r *reader) misplaced(i int, e *Event) {
	r.tampered(reason.EventLogPlace, i, e, describeType(e.Type))
}

// unknown reports an event that is of no type or content known here.
func (r *reader) unknown(i int, e *Event) {
	name := describeType(e.Type)
	r.measure(e, wire.MeasuredUnknown, name, wire.Measurement{Verified: r.covers(e)})
	r.tell(reported(wire.FindingUnsupported, reason.EventLogUnknown, int(e.PCR), i, name))
}

// measure adds a measurement under a name that is made unique.
func (r *reader) measure(e *Event, kind wire.MeasurementKind, name string, m wire.Measurement) {
	m.PCR, m.Kind, m.Type = int(e.PCR), kind, e.Type
	m.Digest = bytes.Clone(r.digest(e))
	if kind != wire.MeasuredCommandLine {
		m.Detail = plain(m.Detail, maxDetail)
	}
	m.Name = r.names.unique(m.PCR, kind, plain(name, maxText))
	r.measurements = append(r.measurements, m)
}

// plainly adds a measurement that is named by its type.
func (r *reader) plainly(e *Event, kind wire.MeasurementKind) {
	m := wire.Measurement{Verified: r.covers(e)}
	if text, ok := letters(e.Data); ok {
		m.Detail = text
	}
	r.measure(e, kind, typeName(e.Type), m)
}

// action adds a fixed string (10.4.4), whose digest is its own. No image is a
// text, so that none can be passed off as an action.
func (r *reader) action(i int, e *Event) {
	text, ok := letters(e.Data)
	switch {
	case !r.covers(e):
		r.tampered(reason.EventLogDigest, i, e, "action")
	case !ok:
		r.unknown(i, e)
	default:
		r.measure(e, wire.MeasuredAction, text, wire.Measurement{Detail: text, Verified: true})
	}
}

// names makes names unique within a PCR and kind: the second "blob" is
// "blob #2".
type names map[wire.ReferenceKey]int

func (n names) unique(pcr int, kind wire.MeasurementKind, name string) string {
	key := wire.ReferenceKey{PCR: pcr, Kind: kind, Name: name}
	n[key]++
	if n[key] == 1 {
		return name
	}
	for {
		numbered := wire.ReferenceKey{PCR: pcr, Kind: kind, Name: name + " #" + strconv.Itoa(n[key])}
		if n[numbered] == 0 {
			n[numbered] = 1
			return numbered.Name
		}
		n[key]++
	}
}
