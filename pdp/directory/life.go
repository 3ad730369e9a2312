package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// QuarantineDevice keeps an active device from opening anything while it goes
// on attesting. Why is kept with it. A quarantined one gets the new reason;
// any other gives ErrState.
func (d *Directory) QuarantineDevice(ctx context.Context, id, why string) (wire.Device, error) {
	if err := checkStatusReason(why); err != nil {
		return wire.Device{}, err
	}
	return d.setStatus(ctx, id, func(dev *wire.Device) error {
		if !inService(*dev) {
			return fmt.Errorf("device is %s: %w", dev.Status, ErrState)
		}
		dev.Status, dev.StatusReason = wire.DeviceQuarantined, why
		return nil
	})
}

// ReleaseDevice makes a quarantined device active again. Any other gives
// ErrState. Why may be empty.
func (d *Directory) ReleaseDevice(ctx context.Context, id, why string) (wire.Device, error) {
	if err := checkNote(why); err != nil {
		return wire.Device{}, err
	}
	return d.setStatus(ctx, id, func(dev *wire.Device) error {
		if dev.Status != wire.DeviceQuarantined {
			return fmt.Errorf("device is %s: %w", dev.Status, ErrState)
		}
		dev.Status, dev.StatusReason = wire.DeviceActive, why
		return nil
	})
}

// AssignDevice gives a device to a person of its agency who is not disabled,
// or with an empty id to nobody: then anybody of the agency may use it. A
// retired device gives ErrState.
func (d *Directory) AssignDevice(ctx context.Context, id, personID string) (wire.Device, error) {
	var owner wire.Person
	if personID != "" {
		var err error
		if owner, err = d.Person(ctx, personID); err != nil {
			return wire.Device{}, fmt.Errorf("person %q: %w", personID, err)
		}
	}
	return d.setStatus(ctx, id, func(dev *wire.Device) error {
		if dev.Status == wire.DeviceRetired {
			return fmt.Errorf("device is %s: %w", dev.Status, ErrState)
		}
		if personID != "" && (owner.Agency != dev.Agency || owner.Disabled) {
			return wrong("owner", reason.CfgOwner)
		}
		dev.Owner = owner.ID
		return nil
	})
}

// GroupDevice puts a device into a group, or with an empty one into none. A
// retired device gives ErrState.
func (d *Directory) GroupDevice(ctx context.Context, id, group string) (wire.Device, error) {
	if err := d.CheckDeviceGroup(group); err != nil {
		return wire.Device{}, err
	}
	return d.setStatus(ctx, id, func(dev *wire.Device) error {
		if dev.Status == wire.DeviceRetired {
			return fmt.Errorf("device is %s: %w", dev.Status, ErrState)
		}
		dev.Group = group
		return nil
	})
}

// CheckDeviceGroup says whether a device could be in a group of this name;
// none is fine.
func (d *Directory) CheckDeviceGroup(group string) error {
	if group == "" {
		return nil
	}
	return checkAccount("group", group)
}

// A Transfer moves a device to another agency.
type Transfer struct {
	// ID is the device as it is known now, Agency where it is to go.
	ID, Agency string
	// Name is its name there; the present one if empty.
	Name string
	// Why is kept with the old record and with the new one, which keeps the
	// reason of a quarantine instead.
	Why string
	// Carry returns what else must go along with the new record, such as
	// counters that an attacker must not have start anew. It may be nil.
	Carry func(ctx context.Context, old, made wire.Device) ([]store.Compare, []store.Op, error)
}

// TransferDevice moves a device that is in service to another agency. An id
// never changes its agency, so the device gets a new record with the same
// pinned keys and status, and the old one is retired, in one transaction.
// Owner and group belong to the old agency and do not go along. A name that is
// taken there gives ErrExists; a device that is pending or retired ErrState.
func (d *Directory) TransferDevice(ctx context.Context, t Transfer) (made wire.Device, err error) {
	if err := checkNote(t.Why); err != nil {
		return wire.Device{}, err
	}
	if wire.CheckID(wire.PrefixDevice, t.ID) != nil {
		return wire.Device{}, ErrNotFound
	}
	old, key, revision, err := find[wire.Device](ctx, d, KindDevice, t.ID)
	if err != nil {
		return wire.Device{}, err
	}
	if !inService(old) {
		return wire.Device{}, fmt.Errorf("device is %s: %w", old.Status, ErrState)
	}
	if t.Agency == old.Agency {
		return wire.Device{}, wrong("agency", reason.CfgSameAgency)
	}
	made = old
	made.Agency, made.Owner, made.Group = t.Agency, "", ""
	if old.Status != wire.DeviceQuarantined { // else why it is there is still true
		made.StatusReason = t.Why
	}
	if t.Name != "" {
		made.Name = t.Name
	}
	if err := d.CheckNewDevice(ctx, made.Agency, made.Name); err != nil {
		return wire.Device{}, err
	}
	if made.ID, err = wire.NewID(wire.PrefixDevice, d.random); err != nil {
		return wire.Device{}, err
	}
	retired := old
	retired.Status, retired.StatusReason = wire.DeviceRetired, t.Why
	op, err := put(key, retired)
	if err != nil {
		return wire.Device{}, err
	}
	return made, d.move(ctx, t, old, made, []store.Compare{{Key: key, Revision: revision}}, []store.Op{op})
}

// move is a transfer's one transaction. The conditions and ops given retire
// the old record as it was read.
func (d *Directory) move(ctx context.Context, t Transfer, old, made wire.Device, conditions []store.Compare, ops []store.Op) error {
	for what, key := range deviceIndexes(made) {
		condition, err := d.free(ctx, key, old.ID)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		op, err := put(key, made.ID)
		if err != nil {
			return err
		}
		conditions, ops = append(conditions, condition), append(ops, op)
	}
	record, err := put(store.Key(KindDevice, made.Agency, made.ID), made)
	if err != nil {
		return err
	}
	owner, err := put(ownerKey(made.ID), made.Agency)
	if err != nil {
		return err
	}
	conditions, ops = append(conditions, absent(record.Key, owner.Key)...), append(ops, record, owner)
	if t.Carry != nil {
		also, goes, err := t.Carry(ctx, old, made)
		if err != nil {
			return err
		}
		conditions, ops = append(conditions, also...), append(ops, goes...)
	}
	_, err = d.store.Txn(ctx, conditions, ops)
	if err == nil || errors.Is(err, store.ErrIndeterminate) {
		d.tell(deviceChange(made))
		d.tell(deviceChange(old))
	}
	return err
}

// inService reports whether a device has been accepted and not been retired.
func inService(dev wire.Device) bool {
	return slices.Contains([]wire.DeviceStatus{wire.DeviceActive, wire.DeviceQuarantined}, dev.Status)
}

func checkStatusReason(why string) error {
	if why == "" {
		return wrong("reason", reason.CfgStatusReason)
	}
	return checkNote(why)
}

// checkNote accepts what administrators write about a device, or nothing.
func checkNote(why string) error {
	if why == "" {
		return nil
	}
	if checkName("reason", why) != nil {
		return wrong("reason", reason.CfgStatusReason)
	}
	return nil
}
