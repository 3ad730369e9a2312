package pace

import (
	"testing"
	"time"
)

func TestDebtsArePaidOff(t *testing.T) {
	p := New(2, time.Second)
	now := time.Unix(1000, 0)
	for i, want := range []bool{true, true, false, false} {
		if p.Permit("a", now) != want {
			t.Errorf("request %d", i)
		}
	}
	if !p.Permit("b", now) {
		t.Error("another one pays for this one")
	}
	if !p.Permit("a", now.Add(time.Second)) || p.Permit("a", now.Add(time.Second)) {
		t.Error("one second is worth one request")
	}
	if p.Permit("c", now.Add(time.Hour)); len(p.debts) != 1 {
		t.Errorf("%d debts are remembered", len(p.debts))
	}
}
