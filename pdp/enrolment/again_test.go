package enrolment_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/store"
)

// failing is a store that takes a few writes and then no more.
type failing struct {
	store.Store
	left int
}

func (f *failing) Txn(ctx context.Context, conditions []store.Compare, ops []store.Op) (int64, error) {
	if f.left == 0 {
		return 0, store.ErrUnavailable
	}
	f.left--
	return f.Store.Txn(ctx, conditions, ops)
}

func (f *fixture) replacement(t *testing.T, name string) string {
	t.Helper()
	code, err := f.IssueReplacement(t.Context(), "moda", name, "uid:0", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// A new mainboard: the same name with another TPM, by a code for just that.
func TestANewMainboardTakesTheOldOnesPlace(t *testing.T) {
	f := open(t)
	old := f.enrol(t, laptop, "moda", "LT-2231")
	if _, err := f.directory.GroupDevice(t.Context(), old.DeviceID, "pilot"); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, f.startError(t, second, f.code(t, "moda", "LT-2231")), reason.EnrolNameTaken)
	code := f.replacement(t, "lt-2231")
	out, err := f.Finish(t.Context(), second.finish(t, f.begin(t, second, code)), second.spki)
	if err != nil || out.DeviceName != "LT-2231" {
		t.Fatalf("%+v %v", out, err)
	}
	if r := f.audit.last(t); r.Replaces != old.DeviceID {
		t.Errorf("recorded %+v", r)
	}
	if dev := f.device(t, old.DeviceID); dev.Status != wire.DeviceRetired {
		t.Errorf("the old device is %s", dev.Status)
	}
	if dev := f.device(t, out.DeviceID); dev.Status != wire.DeviceActive || dev.Group != "pilot" {
		t.Errorf("%+v", dev)
	}
	if _, err := f.IssueReplacement(t.Context(), "moda", "LT-9", "uid:0", time.Hour); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a code that replaces nobody: %v", err)
	}
	if _, err := f.IssueReplacement(t.Context(), "nstc", "LT-2231", "uid:0", time.Hour); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a code that replaces another agency's device: %v", err)
	}
}

// A code replaces the device that it was made for, not whoever has the name.
func TestAReplacementIsOfOneDevice(t *testing.T) {
	f := open(t)
	old := f.enrol(t, laptop, "moda", "LT-2231")
	code := f.replacement(t, "LT-2231")
	if _, err := f.directory.RetireDevice(t.Context(), old.DeviceID); err != nil {
		t.Fatal(err)
	}
	now := f.enrol(t, laptop.again(t), "moda", "LT-2231")
	refusedWith(t, f.startError(t, second, code), reason.EnrolReplacedGone)
	if dev := f.device(t, now.DeviceID); dev.Status != wire.DeviceActive {
		t.Errorf("%+v", dev)
	}
}

// The TPM that is to take a place must have none of its own.
func TestAReplacementByAnEnrolledTPM(t *testing.T) {
	f := open(t)
	f.enrol(t, laptop, "moda", "LT-2231")
	f.enrol(t, second, "moda", "LT-2232")
	refusedWith(t, f.startError(t, second.again(t), f.replacement(t, "LT-2231")), reason.EnrolEKOtherName)
}

// Enrolling again is no way out of quarantine, nor away from an owner.
func TestADeviceInQuarantineComesBackIntoIt(t *testing.T) {
	f := open(t)
	wang, err := f.directory.CreatePerson(t.Context(), wire.Person{Agency: "moda", Name: "王", Account: "wang"})
	if err != nil {
		t.Fatal(err)
	}
	first := f.enrol(t, laptop, "moda", "LT-2231")
	if _, err := f.directory.AssignDevice(t.Context(), first.DeviceID, wang.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.directory.QuarantineDevice(t.Context(), first.DeviceID, "malware"); err != nil {
		t.Fatal(err)
	}
	again := f.enrol(t, laptop.again(t), "moda", "LT-2231")
	if dev := f.device(t, again.DeviceID); dev.Status != wire.DeviceQuarantined || dev.StatusReason != "malware" || dev.Owner != wang.ID {
		t.Errorf("%+v", dev)
	}
	out, err := f.Finish(t.Context(), second.finish(t, f.begin(t, second, f.replacement(t, "LT-2231"))), second.spki)
	if err != nil || f.device(t, out.DeviceID).Status != wire.DeviceQuarantined {
		t.Errorf("with a new mainboard: %+v %v", out, err)
	}
}

// Nor is a TPM that nobody vouches for, whose new record would wait: approving
// it, by hand or by a list, would end a quarantine that nobody ended.
func TestQuarantineIsNotLeftByWaiting(t *testing.T) {
	f := open(t)
	enrol := func(m *machine) wire.Device {
		t.Helper()
		c, err := f.Start(t.Context(), m.unendorsed(t, f.code(t, "moda", "LT-5")), m.spki, "192.0.2.7")
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Finish(t.Context(), m.finish(t, c), m.spki)
		if err != nil {
			t.Fatal(err)
		}
		return f.device(t, out.DeviceID)
	}
	first := enrol(stranger)
	if _, err := f.directory.ApproveDevice(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.directory.QuarantineDevice(t.Context(), first.ID, "malware"); err != nil {
		t.Fatal(err)
	}
	again := enrol(stranger.again(t))
	if again.Status != wire.DeviceQuarantined || again.StatusReason != "malware" {
		t.Errorf("%+v", again)
	}
	if _, err := f.directory.ApproveDevice(t.Context(), again.ID); err == nil {
		t.Error("approved out of quarantine")
	}
	f.expect(t, "moda", "ek_sha256,device_name\n"+stranger.ek(t)+",LT-5\n")
	if dev := f.device(t, again.ID); dev.Status != wire.DeviceQuarantined {
		t.Errorf("a list ended the quarantine: %+v", dev)
	}
}

// meddling is a directory in which an administrator acts just before an
// enrolment commits.
type meddling struct {
	*directory.Directory
	act func()
}

func (m meddling) AddDevice(ctx context.Context, dev wire.Device, replaces string, conditions []store.Compare, ops []store.Op) error {
	m.act()
	return m.Directory.AddDevice(ctx, dev, replaces, conditions, ops)
}

func TestAQuarantineThatComesDuringAnEnrolmentHolds(t *testing.T) {
	f := open(t)
	first := f.enrol(t, laptop, "moda", "LT-2231")
	c := f.config
	c.Devices = meddling{f.directory, func() {
		if _, err := f.directory.QuarantineDevice(t.Context(), first.DeviceID, "stolen"); err != nil {
			t.Error(err)
		}
	}}
	f.use(t, c)
	fresh := laptop.again(t)
	challenge := f.begin(t, fresh, f.code(t, "moda", "LT-2231"))
	_, err := f.Finish(t.Context(), fresh.finish(t, challenge), fresh.spki)
	refusedWith(t, err, reason.Conflict)
	out, err := f.Finish(t.Context(), fresh.finish(t, challenge), fresh.spki)
	if err != nil || f.device(t, out.DeviceID).Status != wire.DeviceQuarantined {
		t.Errorf("%+v %v", out, err)
	}
}

// A certificate that ran out is told apart from one that nobody trusts, and an
// administrator can vouch for the TPM instead.
func TestACertificateOutOfDate(t *testing.T) {
	f := open(t)
	refusedWith(t, f.startError(t, stranger, f.code(t, "moda", "LT-9")), reason.EnrolEKRefused)
	f.now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // before the maker's CA
	refusedWith(t, f.startError(t, laptop, f.code(t, "moda", "LT-2231")), reason.EnrolEKEnded)
	c, err := f.Start(t.Context(), laptop.unendorsed(t, f.code(t, "moda", "LT-2231")), laptop.spki, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Finish(t.Context(), laptop.finish(t, c), laptop.spki)
	if err != nil || f.device(t, out.DeviceID).Status != wire.DevicePending {
		t.Errorf("%+v %v", out, err)
	}
}

func TestTooManyIntermediates(t *testing.T) {
	f := open(t)
	for name, sent := range map[string][][]byte{
		"number": make([][]byte, wire.MaxEKIntermediates+1),
		"size":   {make([]byte, wire.MaxEKIntermediatesBytes/2), make([]byte, wire.MaxEKIntermediatesBytes/2), {1}},
	} {
		in := laptop.start(f.code(t, "moda", "LT-"+name))
		in.EKIntermediates = sent
		_, err := f.Start(t.Context(), in, laptop.spki, "192.0.2.7")
		refusedWith(t, err, reason.EnrolMalformed)
	}
}
