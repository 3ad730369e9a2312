package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

func device(t *testing.T, agency, name, ek, tls string) wire.Device {
	t.Helper()
	id, err := wire.NewID(wire.PrefixDevice, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ekDigest, spki := sha256.Sum256([]byte(ek)), sha256.Sum256([]byte(tls))
	return wire.Device{
		ID: id, Agency: agency, Name: name, Status: wire.DeviceActive, Provenance: wire.ProvenanceTPM,
		EKDigest: ekDigest[:], AK: []byte("ak"), AKQualifiedName: make([]byte, 34), SigningKey: []byte("signing"), TLSSPKI: spki[:], EnrolledAt: noon,
	}
}

func (f *fixture) add(t *testing.T, d wire.Device, replaces string) error {
	t.Helper()
	return f.AddDevice(t.Context(), d, replaces, nil, nil)
}

func TestDevicesAreFoundByEachOfTheirNames(t *testing.T) {
	f := open(t)
	d := device(t, "moda", "LT-2231", "ek", "tls")
	if err := f.add(t, d, ""); err != nil {
		t.Fatal(err)
	}
	for name, lookup := range map[string]func() (wire.Device, error){
		"id":   func() (wire.Device, error) { return f.Device(t.Context(), d.ID) },
		"spki": func() (wire.Device, error) { return f.DeviceBySPKI(t.Context(), sha256.Sum256([]byte("tls"))) },
		"ek":   func() (wire.Device, error) { return f.DeviceByEK(t.Context(), sha256.Sum256([]byte("ek"))) },
		"name": func() (wire.Device, error) { return f.DeviceByName(t.Context(), "moda", "lt-2231") },
	} {
		got, err := lookup()
		if err != nil || cmp.Diff(got, d) != "" {
			t.Errorf("by %s: %v %s", name, err, cmp.Diff(got, d))
		}
	}
	_, err := f.DeviceByName(t.Context(), "nstc", "LT-2231")
	wants(t, err, ErrNotFound)
	if all, err := f.Devices(t.Context(), "nstc"); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
}

func TestALivingDeviceIsNotTakenOver(t *testing.T) {
	f := open(t)
	d := device(t, "moda", "LT-2231", "ek", "tls")
	if err := f.add(t, d, ""); err != nil {
		t.Fatal(err)
	}
	for name, thief := range map[string]wire.Device{
		"name":             device(t, "moda", "lt-2231", "ek2", "tls2"),
		"endorsement key":  device(t, "nstc", "LT-9", "ek", "tls3"),
		"TLS key":          device(t, "moda", "LT-8", "ek4", "tls"),
		"replaces another": device(t, "moda", "LT-2231", "ek5", "tls5"),
	} {
		wants(t, f.add(t, thief, ""), ErrExists)
		if _, err := f.Device(t.Context(), thief.ID); err == nil {
			t.Error(name, "is kept")
		}
	}
	// Naming a device of another agency as the one replaced frees nothing.
	thief := device(t, "nstc", "LT-2231", "ek", "tls6")
	if err := f.add(t, thief, d.ID); err == nil {
		t.Error("a device of another agency was replaced")
	}
	if got, _ := f.Device(t.Context(), d.ID); got.Status != wire.DeviceActive {
		t.Error("the device was retired by the attempt")
	}
}

func TestReEnrolmentRetiresAndReplacesInOne(t *testing.T) {
	f := open(t)
	old := device(t, "moda", "LT-2231", "ek", "tls")
	if err := f.add(t, old, ""); err != nil {
		t.Fatal(err)
	}
	fresh := device(t, "moda", "LT-2231", "ek", "tls2")
	code := store.Key("enrol-code", "_", "x")
	wants(t, f.AddDevice(t.Context(), fresh, old.ID, []store.Compare{{Key: code, Revision: 9}}, []store.Op{{Key: code, Delete: true}}), store.ErrConflict)
	if got, _ := f.Device(t.Context(), old.ID); got.Status != wire.DeviceActive {
		t.Error("half of the change happened")
	}
	if err := f.add(t, fresh, old.ID); err != nil {
		t.Fatal(err)
	}
	if got, _ := f.Device(t.Context(), old.ID); got.Status != wire.DeviceRetired {
		t.Error("the old device lives")
	}
	if got, _ := f.DeviceBySPKI(t.Context(), sha256.Sum256([]byte("tls"))); got.ID != old.ID || got.Status != wire.DeviceRetired {
		t.Error("the old key no longer says that it is retired")
	}
	if got, _ := f.DeviceByEK(t.Context(), sha256.Sum256([]byte("ek"))); got.ID != fresh.ID {
		t.Error("the EK names the old device")
	}
	told := f.changes[len(f.changes)-2:]
	if told[0].ID != fresh.ID || told[1].ID != old.ID {
		t.Errorf("told %v", told)
	}
}

// What an administrator decides between an enrolment's checks and its commit
// stays decided.
func TestADeviceThatChangedMeanwhileIsNotReplaced(t *testing.T) {
	f := open(t)
	old := device(t, "moda", "LT-2231", "ek", "tls")
	if err := f.add(t, old, ""); err != nil {
		t.Fatal(err)
	}
	wang, err := f.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "王", Account: "wang"})
	if err != nil {
		t.Fatal(err)
	}
	fresh := device(t, "moda", "LT-2231", "ek", "tls2")
	if _, err := f.QuarantineDevice(t.Context(), old.ID, "malware"); err != nil {
		t.Fatal(err)
	}
	for _, status := range []wire.DeviceStatus{wire.DeviceActive, wire.DevicePending} {
		fresh.Status = status
		wants(t, f.add(t, fresh, old.ID), store.ErrConflict)
	}
	fresh.Status = wire.DeviceQuarantined
	if _, err := f.AssignDevice(t.Context(), old.ID, wang.ID); err != nil {
		t.Fatal(err)
	}
	wants(t, f.add(t, fresh, old.ID), store.ErrConflict)
	fresh.Owner = wang.ID
	if _, err := f.GroupDevice(t.Context(), old.ID, "pilot"); err != nil {
		t.Fatal(err)
	}
	wants(t, f.add(t, fresh, old.ID), store.ErrConflict)
	fresh.Group = "pilot"
	if err := f.add(t, fresh, old.ID); err != nil {
		t.Fatal(err)
	}
	third := fresh
	third.ID = device(t, "moda", "LT-2231", "ek", "tls3").ID
	wants(t, f.add(t, third, old.ID), store.ErrConflict) // retired by now
}

func TestRetiredNamesAreFree(t *testing.T) {
	f := open(t)
	d := device(t, "moda", "LT-2231", "ek", "tls")
	if err := f.add(t, d, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := f.RetireDevice(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if err := f.add(t, device(t, "nstc", "LT-2231", "ek", "tls"), ""); err != nil {
		t.Error(err)
	}
	_, err := f.ApproveDevice(t.Context(), d.ID)
	wants(t, err, ErrState)
}

func TestOneOfTwoEnrolmentsWins(t *testing.T) {
	f := open(t)
	a, b := device(t, "moda", "LT-1", "ek", "tls-a"), device(t, "moda", "LT-2", "ek", "tls-b")
	won := winners(t, 2, func(i int) error {
		return f.AddDevice(context.Background(), []wire.Device{a, b}[i], "", nil, nil)
	})
	if won != 1 {
		t.Errorf("%d devices with one EK", won)
	}
}

func TestPendingDevicesAreApproved(t *testing.T) {
	f := open(t)
	d := device(t, "moda", "LT-2231", "ek", "tls")
	d.Status, d.Provenance = wire.DevicePending, wire.ProvenanceTPMUnendorsed
	if err := f.add(t, d, ""); err != nil {
		t.Fatal(err)
	}
	got, err := f.ApproveDevice(t.Context(), d.ID)
	if err != nil || got.Status != wire.DeviceActive || got.Provenance != wire.ProvenanceTPMUnendorsed {
		t.Errorf("%+v %v", got, err)
	}
	_, err = f.ApproveDevice(t.Context(), d.ID)
	wants(t, err, ErrState)
}

func TestMalformedDevicesAreRefused(t *testing.T) {
	f := open(t)
	for name, spoil := range map[string]func(*wire.Device){
		"id":         func(d *wire.Device) { d.ID = "dev-1" },
		"name":       func(d *wire.Device) { d.Name = "LT 1" },
		"slash":      func(d *wire.Device) { d.Name = "a/b" },
		"agency":     func(d *wire.Device) { d.Agency = "MODA" },
		"status":     func(d *wire.Device) { d.Status = "" },
		"retired":    func(d *wire.Device) { d.Status = wire.DeviceRetired },
		"provenance": func(d *wire.Device) { d.Provenance = "" },
		"no EK":      func(d *wire.Device) { d.EKDigest = nil },
		"short EK":   func(d *wire.Device) { d.EKDigest = []byte{1} },
		"AK":         func(d *wire.Device) { d.AK = nil },
		"signing":    func(d *wire.Device) { d.SigningKey = nil },
		"TLS key":    func(d *wire.Device) { d.TLSSPKI = d.TLSSPKI[:31] },
	} {
		d := device(t, "moda", "LT-1", "ek", "tls")
		spoil(&d)
		if err := f.add(t, d, ""); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			wants(t, err, ErrInvalid)
		}
	}
}
