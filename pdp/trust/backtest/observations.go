package backtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// ReadObservations reads recorded observations: JSON lines of wire.Observation,
// each with a label if something is known of it. It sorts them by time.
func ReadObservations(r io.Reader, sample Sample) ([]Event, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLineBytes)
	var out []Event
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		e, err := readEvent(lines.Bytes())
		if err != nil {
			return nil, wrong(n, err.Error())
		}
		if problem := e.problem(); problem != "" {
			return nil, wrong(n, problem)
		}
		if !sample.takes(e.Person) {
			continue
		}
		if len(out) == maxEvents {
			return nil, ErrTooMany
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		return nil, wrong(n+1, err.Error())
	}
	InOrder(out)
	return out, nil
}

func readEvent(line []byte) (Event, error) {
	var e Event
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return Event{}, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Event{}, errTrailing
	}
	return e, nil
}

func (e *Event) problem() string {
	kinds := []wire.ObservationKind{wire.ObservedSituation, wire.ObservedSignIn, wire.ObservedFailure, wire.ObservedActivity}
	switch {
	case e.Person == "":
		return "no person"
	case e.At.IsZero():
		return "no time"
	case !slices.Contains(kinds, e.Kind):
		return "an unknown kind"
	case len(e.Label) > maxLabelBytes || len(e.Variant) > maxLabelBytes:
		return "a label that is too long"
	}
	return ""
}
