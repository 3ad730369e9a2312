package wire

import "testing"

func TestZeroAccessRefuses(t *testing.T) {
	if (Access{}).Outcome != AccessRefused || (Decision{}).Effect != Deny {
		t.Fatal("a zero value lets somebody in")
	}
}
