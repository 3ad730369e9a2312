package reference_test

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/store"
)

const tomorrow = 24 * time.Hour

// piloted learns from two laptops and approves what was learned.
func piloted(t *testing.T) *fixture {
	t.Helper()
	f := open(t)
	f.enrol(t, "LT-1", "pilot", booted("grub 1", hostA))
	f.enrol(t, "LT-2", "pilot", booted("grub 1", hostB))
	if _, err := f.Learn(t.Context(), "moda", wire.LearnRequest{ID: "laptops", Group: "pilot"}, root); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Approve(t.Context(), "moda", "laptops", false, root); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWhatAPilotTeachesHoldsForTheFleet(t *testing.T) {
	f := piloted(t)
	shown, err := f.Show(t.Context(), "moda", "laptops")
	if err != nil || shown.Info.State != wire.BundleCurrent || shown.Info.Signer == "" || !slices.Equal(shown.Info.LearnedFrom, []string{"LT-1", "LT-2"}) {
		t.Fatalf("%+v %v", shown.Info, err)
	}
	for _, e := range shown.Bundle.Entries {
		if e.Kind == wire.MeasuredSetting || strings.Contains(e.Name, "initrd") {
			t.Errorf("learned what differs on every machine: %s %s", e.Kind, e.Name)
		}
	}
	if len(shown.Bundle.Entries) != 12 { // 13 measured places, less setting and initrd, but two command lines
		t.Errorf("%d entries", len(shown.Bundle.Entries))
	}
	f.start(t)
	for name, c := range map[string]struct {
		boot wire.Boot
		want wire.Trustworthiness
	}{
		"a third machine": {booted("grub 1", hostC), wire.Affirming},
		"an update":       {booted("grub 2", hostC), wire.Warning},
		"own firmware": {func() wire.Boot {
			b := booted("grub 1", hostC)
			b.Measurements[0] = measured(0, wire.MeasuredFirmware, "#1", "own")
			return b
		}(), wire.Contraindicated},
	} {
		if a := f.config.Appraise(c.boot, f.Set("moda")); a.Executables != c.want {
			t.Errorf("%s: %q, %+v", name, a.Executables, a.Findings)
		}
	}
}

func TestAnUpdateIsShownAsADiffAndApproved(t *testing.T) {
	f := piloted(t)
	ctx := t.Context()
	devices, _ := f.Devices(ctx, "moda")
	f.now = noon.Add(tomorrow)
	update := booted("grub 2", hostA)
	update.Measurements = append(update.Measurements, measured(2, wire.MeasuredOptionROM, "#1", "dock"))
	update.Measurements = slices.DeleteFunc(update.Measurements, func(m wire.Measurement) bool { return m.Kind == wire.MeasuredFile })
	f.boots(t, devices[0], update)

	diff, err := f.Learn(ctx, "moda", wire.LearnRequest{ID: "laptops", Devices: []string{"lt-1"}, Note: "November"}, root)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Kind         wire.MeasurementKind
		Was, Now     string
		On, WasStill int
		First        time.Time
	}
	lines := func(changes []wire.BundleChange) (all []line) {
		for _, c := range changes {
			l := line{Kind: c.Kind}
			if len(c.Was) > 0 {
				l.Was, l.WasStill = c.Was[0].Note, c.Was[0].Machines
			}
			if len(c.Now) > 0 {
				l.Now, l.On, l.First = c.Now[0].Note, c.Now[0].Machines, c.Now[0].First
			}
			all = append(all, l)
		}
		return all
	}
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	lineB := "/vmlinuz root=UUID=00000000-0000-0000-0000-" + hostB + " ro"
	for name, c := range map[string]struct{ got, want []line }{
		"added":   {lines(diff.Added), []line{{Kind: wire.MeasuredOptionROM, Now: "dock", On: 1, First: day}}},
		"changed": {lines(diff.Changed), []line{{wire.MeasuredBootApplication, "grub 1", "grub 2", 1, 1, day}, {Kind: wire.MeasuredCommandLine, Was: lineB, WasStill: 1}}},
		"gone":    {lines(diff.Gone), []line{{Kind: wire.MeasuredFile, Was: "kernel", WasStill: 1}}},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if diff.Against != 1 || diff.Info.Version != 2 || diff.Info.Note != "November" || len(diff.Warnings) != 1 || diff.Warnings[0].Code != reason.RefOnlyHere {
		t.Errorf("%+v", diff)
	}
	again, err := f.Diff(ctx, "moda", "laptops@2")
	if err != nil || !cmp.Equal(again, diff) {
		t.Error(cmp.Diff(diff, again), err)
	}

	// As next it is accepted beside what stands; as current it ends that.
	fleet, err := f.Fleet(ctx, "moda", "laptops@2")
	if err != nil || fleet.Devices != 2 || fleet.Affirming != 1 || fleet.Failing != 1 || fleet.Worse[0].Name != "LT-2" ||
		fleet.Worse[0].Appraisal.Findings[0].Type != wire.FindingRolledBack {
		t.Errorf("%+v %v", fleet, err)
	}
	if _, err := f.Approve(ctx, "moda", "laptops@2", true, root); err != nil {
		t.Fatal(err)
	}
	if fleet, err = f.Fleet(ctx, "moda", ""); err != nil || fleet.Affirming != 2 {
		t.Errorf("%+v %v", fleet, err)
	}
	moved := booted("grub 2", hostB)
	moved.Measurements = moved.Measurements[:11] // no files
	f.boots(t, devices[1], moved)
	if fleet, err = f.Fleet(ctx, "moda", "laptops@2"); err != nil || fleet.Affirming != 2 || len(fleet.Worse) != 0 {
		t.Errorf("%+v %v", fleet, err)
	}
}

func TestWhatCannotBeLearned(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.enrol(t, "LT-1", "pilot", booted("grub 1", hostA))
	gone := f.enrol(t, "LT-2", "retired", booted("grub 1", hostB))
	f.devices[1].Status = wire.DeviceRetired
	f.devices = append(f.devices, wire.Device{ID: strings.Replace(gone.ID, gone.ID[4:8], "aaaa", 1), Agency: "moda", Name: "LT-3", Status: wire.DeviceActive, Group: "new"})
	for name, c := range map[string]struct {
		in   wire.LearnRequest
		code string
	}{
		"no group":           {wire.LearnRequest{ID: "x"}, reason.RefNothingSeen},
		"group and devices":  {wire.LearnRequest{ID: "x", Group: "pilot", Devices: []string{"LT-1"}}, reason.RefNothingSeen},
		"empty group":        {wire.LearnRequest{ID: "x", Group: "other"}, reason.RefNothingSeen},
		"retired device":     {wire.LearnRequest{ID: "x", Devices: []string{"LT-2"}}, reason.RefNothingSeen},
		"never seen":         {wire.LearnRequest{ID: "x", Group: "new"}, reason.RefNothingSeen},
		"one of two unknown": {wire.LearnRequest{ID: "x", Devices: []string{"LT-1", "LT-9"}}, reason.RefNothingSeen},
		"odd id":             {wire.LearnRequest{ID: "X/", Group: "pilot"}, reason.RefID},
		"odd note":           {wire.LearnRequest{ID: "x", Group: "pilot", Note: "\x1b"}, reason.RefMalformed},
	} {
		_, err := f.Learn(ctx, "moda", c.in, root)
		refusedWith(t, name, err, c.code)
	}
}

func TestLearningWarnsOfMachinesWithoutSecureBoot(t *testing.T) {
	f := open(t)
	boot := booted("grub 1", hostA)
	boot.SecureBoot = wire.SecureBootOff
	f.enrol(t, "LT-1", "pilot", boot)
	f.enrol(t, "LT-2", "pilot", booted("grub 1", hostB))
	diff, err := f.Learn(t.Context(), "moda", wire.LearnRequest{ID: "x", Group: "pilot"}, root)
	if err != nil || len(diff.Warnings) != 1 || diff.Warnings[0].Code != reason.RefNoSecureBoot || diff.Warnings[0].Args["count"] != "1" {
		t.Errorf("%+v %v", diff.Warnings, err)
	}
}

func TestADraftThatWasLearnedCannotBeChangedBeforeApproval(t *testing.T) {
	f := open(t)
	f.enrol(t, "LT-1", "pilot", booted("grub 1", hostA))
	if _, err := f.Learn(t.Context(), "moda", wire.LearnRequest{ID: "laptops", Group: "pilot"}, root); err != nil {
		t.Fatal(err)
	}
	undo := f.rewrite(t, func(kind, v string) string { return pick(kind == "reference-part", flip(v), v) })
	if _, err := f.Approve(t.Context(), "moda", "laptops", false, root); err == nil {
		t.Error("other values than those that were shown are approved")
	}
	undo()
	if _, err := f.Approve(t.Context(), "moda", "laptops", false, root); err != nil {
		t.Error(err)
	}
	// Only a draft may be without a signature.
	undo = f.rewrite(t, func(kind, v string) string {
		before, rest, ok := strings.Cut(v, `"signature":"`)
		_, after, _ := strings.Cut(rest, `",`)
		return pick(kind == "reference" && ok, before+after, v)
	})
	defer undo()
	if k, err := reference.New(t.Context(), f.config); err != nil || len(k.Set("moda").Values) != 0 {
		t.Error("values without a signature count", err)
	}
}

// A command line that its digest does not cover has no general form.
func TestTextThatIsNotVerifiedTeachesNothing(t *testing.T) {
	f := open(t)
	boot := booted("grub 1", hostA)
	boot.Measurements = append(boot.Measurements, measured(8, wire.MeasuredCommandLine, "#2", "module ro"))
	boot.Measurements[len(boot.Measurements)-1].Verified = false
	f.enrol(t, "LT-1", "pilot", boot)
	if _, err := f.Learn(t.Context(), "moda", wire.LearnRequest{ID: "x", Group: "pilot"}, root); err != nil {
		t.Fatal(err)
	}
	view, err := f.Show(t.Context(), "moda", "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range view.Bundle.Entries {
		if e.Kind == wire.MeasuredCommandLine && len(e.Members) != map[string]int{"#1": 1, "#2": 0}[e.Name] {
			t.Errorf("%s has %d general forms", e.Name, len(e.Members))
		}
	}
}

func TestBootsAreKept(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	d := f.enrol(t, "LT-1", "", booted("grub 1", hostA))
	f.start(t)
	got, err := f.Boot(ctx, d.ID)
	if err != nil || !cmp.Equal(got, booted("grub 1", hostA)) {
		t.Error(cmp.Diff(booted("grub 1", hostA), got), err)
	}
	for _, id := range []string{"", "x", "dev-00000000000000000000000000", "../" + d.ID} {
		if _, err := f.Boot(ctx, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	record := func() int64 {
		t.Helper()
		page, err := f.store.Scan(ctx, "/v1/boot/", "", 0)
		if err != nil || len(page.Records) != 1 {
			t.Fatal(len(page.Records), err)
		}
		return page.Records[0].Revision
	}
	before := record()
	f.boots(t, d, booted("grub 1", hostA))
	if record() != before {
		t.Error("the same boot is written again")
	}
	same := booted("grub 1", hostA)
	same.PCRDigest = digest("other")
	f.boots(t, d, same)
	if record() == before {
		t.Error("the same log over other PCRs is not written")
	}
}

func TestADifferenceSaysWhoElseShowsIt(t *testing.T) {
	f := piloted(t)
	ctx := t.Context()
	f.now = noon.Add(3 * tomorrow)
	odd := booted("grub 2", hostC)
	odd.Measurements = append(odd.Measurements, measured(5, wire.MeasuredSetting, "BootNext", "usb"))
	d := f.enrol(t, "LT-3", "", odd)
	f.now = noon.Add(5 * tomorrow)
	f.enrol(t, "LT-4", "", booted("grub 2", "dddddddddddd"))
	reboot := odd
	reboot.PCRDigest = digest("again")
	f.boots(t, d, reboot) // the day that it was first seen stays

	got, err := f.Explain(ctx, d)
	if err != nil || got.Executables != wire.Warning || got.References == "" || got.Events != len(odd.Measurements) || got.Device != "LT-3" {
		t.Fatalf("%+v %v", got, err)
	}
	if len(got.Differences) != 1 {
		t.Fatalf("%+v", got.Differences)
	}
	e := got.Differences[0]
	if e.Type != wire.FindingUnknownUpdate || !e.Demanded || e.Machines != 2 || !e.First.Equal(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)) ||
		!strings.Contains(e.Expected, "(grub 1)") || !strings.Contains(e.Seen, "(grub 2)") {
		t.Errorf("%+v", e)
	}
	never := wire.Device{ID: "dev-00000000000000000000000000", Agency: "moda"}
	if _, err := f.Explain(ctx, never); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestFleetCountsEveryone(t *testing.T) {
	f := piloted(t)
	ctx := t.Context()
	for i := range 3 {
		f.enrol(t, "UP-"+strconv.Itoa(i), "", booted("grub 2", strings.Repeat(strconv.Itoa(i), 12)))
	}
	bad := booted("grub 1", hostC)
	bad.SecureBoot = wire.SecureBootOff
	bad.Measurements[1] = measured(7, wire.MeasuredSecureBoot, "SecureBoot", "off")
	f.enrol(t, "BAD", "", bad)
	f.enrol(t, "OUT", "", bad)
	f.devices[len(f.devices)-1].Status = wire.DeviceQuarantined
	f.devices = append(f.devices, wire.Device{ID: "dev-00000000000000000000000000", Agency: "moda", Name: "NEW", Status: wire.DeviceActive})
	r, err := f.Fleet(ctx, "moda", "")
	if err != nil || r.Devices != 7 || r.Affirming != 2 || r.Warning != 3 || r.Failing != 1 || r.Unmeasured != 1 || len(r.Worse) != 4 || r.Worse[0].Name != "BAD" {
		t.Errorf("%+v %v", r, err)
	}
	if bytes.Contains(encoded(t, r), []byte(`"events":[`)) {
		t.Error("a fleet report carries every machine's events")
	}
	if r, err = f.Fleet(ctx, "nstc", ""); err != nil || r.Devices != 0 {
		t.Errorf("%+v %v", r, err)
	}
}
