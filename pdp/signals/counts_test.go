package signals

import (
	"net/http"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/ssf"
)

// What streams hold and what became of it is counted, whosever they are.
func TestStreamsAreCounted(t *testing.T) {
	w := newWorld(t, nil)
	if c := w.tx.Counts(); c != (wire.SignalCounts{}) {
		t.Errorf("of nothing: %+v", c)
	}
	siem, edr := w.client("moda", "siem"), w.client("nstc", "edr")
	first, second := w.create(siem, ssf.Stream{}), w.create(edr, ssf.Stream{})
	w.revoke(w.somebody("moda"))
	w.one(siem, first)
	w.must(edr.Verify(t.Context(), second.ID, "x"))
	w.must(siem.Verify(t.Context(), first.ID, "y"))
	w.pass(90 * time.Second)
	if c := w.tx.Counts(); c.Streams != [3]int{2} || c.Pending != [3]int{2} || c.Lag[0] != 90*time.Second || c.Deliveries != [2][3]uint64{{}, {1}} {
		t.Errorf("%+v", c)
	}
	_, err := siem.SetStatus(t.Context(), ssf.Status{ID: first.ID, Status: "paused"})
	w.must(err)
	w.crash()
	c := w.tx.Counts()
	if c.Streams != [3]int{1, 1} || c.Pending != [3]int{1, 1} || c.Lag[0] < 90*time.Second || c.Lag[1] < 90*time.Second || c.Lag[1] >= 91*time.Second {
		t.Errorf("after a crash: %+v", c)
	}
	for id := range w.poll(edr, second) {
		w.poll(edr, second, id)
	}
	if c := w.tx.Counts(); c.Deliveries != [2][3]uint64{{}, {1, 0, 0}} || c.Lag[0] != 0 {
		t.Errorf("%+v", c)
	}
}

func TestDeliveriesAreCountedByWhatBecameOfThem(t *testing.T) {
	w := newWorld(t, nil)
	_, s, box := w.pushed("moda", "siem")
	box.Next(ssf.Answer{Status: http.StatusInternalServerError}, ssf.Answer{Status: http.StatusBadRequest, Body: `{"err":"invalid_request"}`}, ssf.Answer{Status: http.StatusAccepted})
	w.revoke(w.somebody("moda"))
	w.revoke(w.somebody("moda"))
	accepted(t, box)
	w.drained(s.ID)
	if c := w.tx.Counts(); c.Deliveries != [2][3]uint64{{1, 1, 1}, {}} || c.Pending[0] != 0 {
		t.Errorf("%+v", c)
	}
}
