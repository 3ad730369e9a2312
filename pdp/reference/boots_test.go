package reference_test

import (
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
)

// A log that a newer program read anew takes the place of what was read before.
func TestABootReadAnewIsKept(t *testing.T) {
	f := open(t)
	boot := wire.Boot{LogDigest: []byte("log"), PCRDigest: []byte("pcrs"), Reading: 1}
	laptop := f.enrol(t, "LT-1", "pilot", boot)
	for _, reading := range []int{1, 2, 2} {
		boot.Reading = reading
		f.boots(t, laptop, boot)
		if kept, err := f.Boot(t.Context(), laptop.ID); err != nil || kept.Reading != reading {
			t.Errorf("%+v, %v; want reading %d", kept, err, reading)
		}
	}
}
