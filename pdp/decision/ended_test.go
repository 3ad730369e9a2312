package decision

import (
	"strconv"
	"testing"
)

// Who is too far behind is told to cut everything, and who is not gets every
// name once, in order.
func TestEndingsAreBoundedAndInOrder(t *testing.T) {
	e := newEndings("epoch")
	for i := range maxEnded + 10 {
		e.add(connectionName{"por-1", strconv.Itoa(i)})
	}
	if got, _ := e.after("por-1", "epoch", 9); !got.all {
		t.Error("names are missing, and nobody is told")
	}
	if n := len(e.byPortal["por-1"].ids); n != maxEnded {
		t.Errorf("%d are kept", n)
	}
	number, expected := uint64(10), 10
	for {
		got, more := e.after("por-1", "epoch", number)
		if more != nil {
			break
		}
		if got.all || len(got.ids) > maxTold {
			t.Fatalf("%+v", got)
		}
		for _, id := range got.ids {
			if id != strconv.Itoa(expected) {
				t.Fatalf("%s, not %d", id, expected)
			}
			expected++
		}
		number = got.next
	}
	if expected != maxEnded+10 {
		t.Errorf("the last was %d", expected-1)
	}
	if got, more := e.after("por-2", "epoch", 0); got.all || more == nil {
		t.Errorf("another portal: %+v", got)
	}
}

// So many may wait for one portal, and no more, whatever waits for another.
func TestWaitingIsBounded(t *testing.T) {
	e := newEndings("epoch")
	for range maxAsking {
		if !e.queue("por-1") {
			t.Fatal("refused below the bound")
		}
	}
	if e.queue("por-1") || !e.queue("por-2") {
		t.Error("the bound is not that of the portal")
	}
	if _, ok := e.wait(t.Context(), "por-1", "epoch", 0); ok {
		t.Error("waits above the bound")
	}
	e.leave("por-1")
	if !e.queue("por-1") {
		t.Error("nobody may take the place of one who left")
	}
}
