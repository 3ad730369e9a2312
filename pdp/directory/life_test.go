package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

func (f *fixture) enrolled(t *testing.T, name string, status wire.DeviceStatus) wire.Device {
	t.Helper()
	d := device(t, "moda", name, "ek "+name, "tls "+name)
	if status == wire.DevicePending {
		d.Status = status
	}
	if err := f.add(t, d, ""); err != nil {
		t.Fatal(err)
	}
	var err error
	switch status {
	case wire.DeviceRetired:
		d, err = f.RetireDevice(t.Context(), d.ID)
	case wire.DeviceQuarantined:
		d, err = f.QuarantineDevice(t.Context(), d.ID, "lost")
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestQuarantineAndRelease(t *testing.T) {
	f := open(t)
	d := f.enrolled(t, "LT-1", wire.DeviceActive)
	for _, why := range []string{"found without its owner", "malware suspected"} {
		got, err := f.QuarantineDevice(t.Context(), d.ID, why)
		if err != nil || got.Status != wire.DeviceQuarantined || got.StatusReason != why {
			t.Errorf("%+v %v", got, err)
		}
	}
	for _, why := range []string{"", " ", strings.Repeat("x", maxName+1), "a\x1bb"} {
		_, err := f.QuarantineDevice(t.Context(), d.ID, why)
		wants(t, err, ErrInvalid)
	}
	_, err := f.ReleaseDevice(t.Context(), d.ID, "a\nb")
	wants(t, err, ErrInvalid)
	got, err := f.ReleaseDevice(t.Context(), d.ID, "")
	if err != nil || got.Status != wire.DeviceActive || got.StatusReason != "" {
		t.Errorf("%+v %v", got, err)
	}
	if last := f.changes[len(f.changes)-1]; last.Kind != KindDevice || last.ID != d.ID {
		t.Errorf("told %+v", last)
	}
	_, err = f.ReleaseDevice(t.Context(), d.ID, "")
	wants(t, err, ErrState)
	// Neither is a way around an approval, or back from retirement.
	for _, status := range []wire.DeviceStatus{wire.DevicePending, wire.DeviceRetired} {
		d := f.enrolled(t, string(status), status)
		_, err := f.QuarantineDevice(t.Context(), d.ID, "why")
		wants(t, err, ErrState)
		_, err = f.ReleaseDevice(t.Context(), d.ID, "why")
		wants(t, err, ErrState)
		if got, _ := f.Device(t.Context(), d.ID); got.Status != status {
			t.Errorf("%s became %s", status, got.Status)
		}
	}
}

func TestDevicesAreGivenToPeopleOfTheirAgency(t *testing.T) {
	f := open(t)
	d := f.enrolled(t, "LT-1", wire.DeviceActive)
	p, stranger, gone := f.person(t, "moda", "wang.xm"), f.person(t, "nstc", "li"), f.person(t, "moda", "gone")
	if _, err := f.SetDisabled(t.Context(), gone.ID, true); err != nil {
		t.Fatal(err)
	}
	if got, err := f.AssignDevice(t.Context(), d.ID, p.ID); err != nil || got.Owner != p.ID {
		t.Errorf("%+v %v", got, err)
	}
	for _, other := range []wire.Person{stranger, gone} {
		_, err := f.AssignDevice(t.Context(), d.ID, other.ID)
		wants(t, err, ErrInvalid)
	}
	_, err := f.AssignDevice(t.Context(), d.ID, "per-00000000000000000000000004")
	wants(t, err, ErrNotFound)
	if got, _ := f.Device(t.Context(), d.ID); got.Owner != p.ID {
		t.Errorf("owner %q", got.Owner)
	}
	if got, err := f.AssignDevice(t.Context(), d.ID, ""); err != nil || got.Owner != "" {
		t.Errorf("%+v %v", got, err)
	}
	retired := f.enrolled(t, "LT-2", wire.DeviceRetired)
	_, err = f.AssignDevice(t.Context(), retired.ID, p.ID)
	wants(t, err, ErrState)
}

func TestGroups(t *testing.T) {
	f := open(t)
	d := f.enrolled(t, "LT-1", wire.DeviceActive)
	for _, group := range []string{"pilot", ""} {
		if got, err := f.GroupDevice(t.Context(), d.ID, group); err != nil || got.Group != group {
			t.Errorf("%+v %v", got, err)
		}
	}
	_, err := f.GroupDevice(t.Context(), d.ID, "Pilot group")
	wants(t, err, ErrInvalid)
	retired := f.enrolled(t, "LT-2", wire.DeviceRetired)
	_, err = f.GroupDevice(t.Context(), retired.ID, "pilot")
	wants(t, err, ErrState)
}

func TestATransferMakesANewRecordWithTheSameKeys(t *testing.T) {
	for _, status := range []wire.DeviceStatus{wire.DeviceActive, wire.DeviceQuarantined} {
		f := open(t)
		old := f.enrolled(t, "LT-1", status)
		p := f.person(t, "moda", "wang.xm")
		if _, err := f.AssignDevice(t.Context(), old.ID, p.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := f.GroupDevice(t.Context(), old.ID, "pilot"); err != nil {
			t.Fatal(err)
		}
		carried := store.Key("attestation", "nstc", "x")
		made, err := f.TransferDevice(t.Context(), Transfer{
			ID: old.ID, Agency: "nstc", Name: "NS-9", Why: "moved",
			Carry: func(_ context.Context, from, to wire.Device) ([]store.Compare, []store.Op, error) {
				if from.ID != old.ID || to.Agency != "nstc" {
					t.Errorf("carries from %+v to %+v", from, to)
				}
				return []store.Compare{{Key: carried}}, []store.Op{{Key: carried, Value: []byte("1")}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := old
		want.ID, want.Agency, want.Name = made.ID, "nstc", "NS-9"
		if status == wire.DeviceActive {
			want.StatusReason = "moved" // a quarantine keeps its own reason
		}
		if made.ID == old.ID || cmp.Diff(made, want) != "" {
			t.Error(cmp.Diff(made, want))
		}
		for _, lookup := range []func() (wire.Device, error){
			func() (wire.Device, error) { return f.Device(t.Context(), made.ID) },
			func() (wire.Device, error) { return f.DeviceBySPKI(t.Context(), sha256.Sum256([]byte("tls LT-1"))) },
			func() (wire.Device, error) { return f.DeviceByEK(t.Context(), sha256.Sum256([]byte("ek LT-1"))) },
			func() (wire.Device, error) { return f.DeviceByName(t.Context(), "nstc", "ns-9") },
		} {
			if got, err := lookup(); err != nil || cmp.Diff(got, want) != "" {
				t.Errorf("%v %s", err, cmp.Diff(got, want))
			}
		}
		if got, _ := f.Device(t.Context(), old.ID); got.Status != wire.DeviceRetired || got.Agency != "moda" || got.Owner != p.ID {
			t.Errorf("old record %+v", got)
		}
		if _, err := f.store.Get(t.Context(), carried, store.Linearizable); err != nil {
			t.Error("what goes along did not:", err)
		}
		told := f.changes[len(f.changes)-2:]
		if told[0].ID != made.ID || told[0].Agency != "nstc" || told[1].ID != old.ID {
			t.Errorf("told %v", told)
		}
		// The name is free again where it was.
		if err := f.add(t, device(t, "moda", "LT-1", "ek2", "tls2"), ""); err != nil {
			t.Error(err)
		}
	}
}

func TestATransferHappensWholeOrNotAtAll(t *testing.T) {
	f := open(t)
	d := f.enrolled(t, "LT-1", wire.DeviceActive)
	if err := f.add(t, device(t, "nstc", "TAKEN", "ek9", "tls9"), ""); err != nil {
		t.Fatal(err)
	}
	pending, retired := f.enrolled(t, "LT-2", wire.DevicePending), f.enrolled(t, "LT-3", wire.DeviceRetired)
	broken := errors.New("cannot be carried")
	for name, c := range map[string]struct {
		t    Transfer
		want error
	}{
		"no such device":  {Transfer{ID: "dev-00000000000000000000000004", Agency: "nstc"}, ErrNotFound},
		"no such agency":  {Transfer{ID: d.ID, Agency: "none"}, ErrNotFound},
		"the same agency": {Transfer{ID: d.ID, Agency: "moda"}, ErrInvalid},
		"a bad name":      {Transfer{ID: d.ID, Agency: "nstc", Name: "a/b"}, ErrInvalid},
		"a bad reason":    {Transfer{ID: d.ID, Agency: "nstc", Why: "a\nb"}, ErrInvalid},
		"a taken name":    {Transfer{ID: d.ID, Agency: "nstc", Name: "taken"}, ErrExists},
		"pending":         {Transfer{ID: pending.ID, Agency: "nstc"}, ErrState},
		"retired":         {Transfer{ID: retired.ID, Agency: "nstc"}, ErrState},
		"nothing carried": {Transfer{ID: d.ID, Agency: "nstc", Carry: func(context.Context, wire.Device, wire.Device) ([]store.Compare, []store.Op, error) {
			return nil, nil, broken
		}}, broken},
		"changed under way": {Transfer{ID: d.ID, Agency: "nstc", Carry: func(ctx context.Context, old, _ wire.Device) ([]store.Compare, []store.Op, error) {
			_, err := f.GroupDevice(ctx, old.ID, "pilot")
			return nil, nil, err
		}}, store.ErrConflict},
		"what goes along is not as it was": {Transfer{ID: d.ID, Agency: "nstc", Carry: func(context.Context, wire.Device, wire.Device) ([]store.Compare, []store.Op, error) {
			return []store.Compare{{Key: store.Key("x", "nstc", "x"), Revision: 99}}, nil, nil
		}}, store.ErrConflict},
	} {
		_, err := f.TransferDevice(t.Context(), c.t)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if got, err := f.DeviceBySPKI(t.Context(), sha256.Sum256([]byte("tls LT-1"))); err != nil || got.ID != d.ID || got.Status != wire.DeviceActive {
			t.Errorf("%s: half of it happened: %+v %v", name, got, err)
		}
	}
	if all, err := f.Devices(t.Context(), "nstc"); err != nil || len(all) != 1 {
		t.Errorf("%+v %v", all, err)
	}
}

func TestOneOfTwoTransfersWins(t *testing.T) {
	f := open(t)
	if _, err := f.CreateAgency(t.Context(), wire.Agency{ID: "mof", NameZH: "財政部", NameEN: "Finance"}); err != nil {
		t.Fatal(err)
	}
	d := f.enrolled(t, "LT-1", wire.DeviceActive)
	won := winners(t, 2, func(i int) error {
		_, err := f.TransferDevice(context.Background(), Transfer{ID: d.ID, Agency: []string{"nstc", "mof"}[i]})
		return err
	})
	if won != 1 {
		t.Errorf("%d transfers of one device", won)
	}
}

func TestHostsOfAPortal(t *testing.T) {
	f := open(t)
	p, _, err := f.CreatePortal(t.Context(), wire.Portal{Agency: "moda", NameZH: "人事", NameEN: "HR", Origin: "https://hr.example", Sensitivity: wire.PortalNormal})
	if err != nil {
		t.Fatal(err)
	}
	a, b, retired := f.enrolled(t, "HR-1", wire.DeviceActive), f.enrolled(t, "HR-2", wire.DeviceActive), f.enrolled(t, "HR-3", wire.DeviceRetired)
	foreign := device(t, "nstc", "NS-1", "ek9", "tls9")
	if err := f.add(t, foreign, ""); err != nil {
		t.Fatal(err)
	}
	for _, hosts := range [][]string{{a.ID, b.ID}, {b.ID}, nil} {
		got, err := f.SetPortalHosts(t.Context(), p.ID, hosts)
		if err != nil || !slices.Equal(got.Hosts, hosts) {
			t.Errorf("%+v %v", got, err)
		}
		if last := f.changes[len(f.changes)-1]; last.Kind != KindPortal || last.ID != p.ID {
			t.Errorf("told %+v", last)
		}
	}
	for name, c := range map[string]struct {
		hosts []string
		want  error
	}{
		"twice":          {[]string{a.ID, a.ID}, ErrInvalid},
		"other agency":   {[]string{a.ID, foreign.ID}, ErrInvalid},
		"retired":        {[]string{retired.ID}, ErrInvalid},
		"unknown":        {[]string{"dev-00000000000000000000000004"}, ErrNotFound},
		"no device's id": {[]string{"HR-1"}, ErrNotFound},
		"too many":       {slices.Repeat([]string{a.ID}, maxHosts+1), ErrInvalid},
	} {
		if _, err := f.SetPortalHosts(t.Context(), p.ID, c.hosts); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, err = f.SetPortalHosts(t.Context(), "por-00000000000000000000000004", nil)
	wants(t, err, ErrNotFound)
}
