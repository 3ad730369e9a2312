package pdp

import (
	"slices"
	"strconv"
	"testing"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/appraisal"
)

func TestFilesThatDevicesRanAreBounded(t *testing.T) {
	r := newRan()
	var files []string
	verify := r.noting(func(appraisal.Input) wire.Appraised { return wire.Appraised{Ran: files} })
	run := func(device string, digests ...string) {
		files = digests
		verify(appraisal.Input{Device: wire.Device{ID: device}})
	}
	run("dev-1", "a", "b")
	given := r.of("dev-1")
	run("dev-1", "a", "c")
	run("dev-1")
	if !slices.Equal(r.of("dev-1"), []string{"b", "a", "c"}) || !slices.Equal(given, []string{"a", "b"}) {
		t.Errorf("%q, given out %q", r.of("dev-1"), given)
	}
	var many []string
	for i := range 2 * maxRanFiles {
		many = append(many, strconv.Itoa(i))
	}
	run("dev-1", many...)
	if got := r.of("dev-1"); len(got) != maxRanFiles || got[maxRanFiles-1] != many[len(many)-1] {
		t.Errorf("%d kept", len(got))
	}
	for i := range maxRanDevices + 5 {
		run("dev-x"+strconv.Itoa(i), "a")
	}
	if len(r.files) != maxRanDevices {
		t.Errorf("%d devices", len(r.files))
	}
	r.forget("dev-1")
	if len(r.of("dev-1")) != 0 {
		t.Error("not forgotten")
	}
}
