package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// AddDevice adds an enrolled device and, where replaces is not empty, retires
// that device of the same agency: all in one transaction together with the
// caller's own conditions and ops (the enrolment code that is consumed).
//
// What an administrator decided of the one replaced while the other enrolled is
// not lost: dev must have its owner, group and quarantine as they are now, else
// the error wraps store.ErrConflict.
//
// Name, endorsement key and TLS key each belong to one device that is not
// retired; one that belongs to another gives ErrExists. So no one takes over
// a living device's identity by enrolling again under it.
func (d *Directory) AddDevice(ctx context.Context, dev wire.Device, replaces string, conditions []store.Compare, ops []store.Op) error {
	if err := checkDevice(dev); err != nil {
		return err
	}
	if _, err := d.Agency(ctx, dev.Agency); err != nil {
		return fmt.Errorf("agency %q: %w", dev.Agency, err)
	}
	conditions, ops = slices.Clone(conditions), slices.Clone(ops)
	changes := []Change{deviceChange(dev)}
	for what, key := range deviceIndexes(dev) {
		condition, err := d.free(ctx, key, replaces)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		op, err := put(key, dev.ID)
		if err != nil {
			return err
		}
		conditions, ops = append(conditions, condition), append(ops, op)
	}
	if replaces != "" {
		old, condition, op, err := d.retire(ctx, dev, replaces)
		if err != nil {
			return err
		}
		conditions, ops, changes = append(conditions, condition), append(ops, op), append(changes, deviceChange(old))
	}
	record, err := put(store.Key(KindDevice, dev.Agency, dev.ID), dev)
	if err != nil {
		return err
	}
	owner, err := put(ownerKey(dev.ID), dev.Agency)
	if err != nil {
		return err
	}
	conditions = append(conditions, absent(record.Key, owner.Key)...)
	_, err = d.store.Txn(ctx, conditions, append(ops, record, owner))
	if err == nil || errors.Is(err, store.ErrIndeterminate) {
		for _, c := range changes {
			d.tell(c)
		}
	}
	return err
}

func deviceIndexes(dev wire.Device) map[string]string {
	indexes := map[string]string{
		"device name": deviceNameKey(dev.Agency, dev.Name),
		"TLS key":     hexKey("device-spki", dev.TLSSPKI),
	}
	if len(dev.EKDigest) != 0 {
		indexes["endorsement key"] = hexKey("device-ek", dev.EKDigest)
	}
	return indexes
}

// Names differ by more than case: people read them aloud.
func deviceNameKey(agency, name string) string {
	return store.Key("device-name", agency, strings.ToLower(name))
}

// free returns the condition under which an index may be pointed at a new
// device: it is absent, or names a retired device or the one replaced.
func (d *Directory) free(ctx context.Context, key, replaces string) (store.Compare, error) {
	id, revision, err := get[string](ctx, d.store, key)
	if errors.Is(err, ErrNotFound) {
		return store.Compare{Key: key}, nil
	}
	if err != nil {
		return store.Compare{}, err
	}
	if id != replaces {
		holder, err := d.Device(ctx, id)
		if err != nil {
			return store.Compare{}, err
		}
		if holder.Status != wire.DeviceRetired {
			return store.Compare{}, ErrExists
		}
	}
	return store.Compare{Key: key, Revision: revision}, nil
}

// retire ends the device with this id, whose place by takes.
func (d *Directory) retire(ctx context.Context, by wire.Device, id string) (wire.Device, store.Compare, store.Op, error) {
	if wire.CheckID(wire.PrefixDevice, id) != nil {
		return wire.Device{}, store.Compare{}, store.Op{}, ErrNotFound
	}
	key := store.Key(KindDevice, by.Agency, id)
	old, revision, err := get[wire.Device](ctx, d.store, key)
	if err == nil && !succeeds(by, old) {
		err = fmt.Errorf("device %s changed meanwhile: %w", id, store.ErrConflict)
	}
	if err != nil {
		return wire.Device{}, store.Compare{}, store.Op{}, err
	}
	old.Status = wire.DeviceRetired
	op, err := put(key, old)
	return old, store.Compare{Key: key, Revision: revision}, op, err
}

// succeeds reports whether dev may take the place of old as it is now.
func succeeds(dev, old wire.Device) bool {
	quarantine := old.Status != wire.DeviceQuarantined || dev.Status == wire.DeviceQuarantined
	return old.Status != wire.DeviceRetired && quarantine && dev.Owner == old.Owner && dev.Group == old.Group
}

func deviceChange(dev wire.Device) Change {
	return Change{Kind: KindDevice, Agency: dev.Agency, ID: dev.ID}
}

// Device returns the device with this id.
func (d *Directory) Device(ctx context.Context, id string) (wire.Device, error) {
	if wire.CheckID(wire.PrefixDevice, id) != nil {
		return wire.Device{}, ErrNotFound
	}
	dev, _, _, err := find[wire.Device](ctx, d, KindDevice, id)
	return dev, err
}

// DeviceBySPKI returns the device that was pinned with this SHA-256 digest of
// its TLS key's SubjectPublicKeyInfo. It may be pending or retired.
func (d *Directory) DeviceBySPKI(ctx context.Context, spki [32]byte) (wire.Device, error) {
	return d.deviceBy(ctx, hexKey("device-spki", spki[:]))
}

// DeviceByEK returns the device last enrolled with this endorsement key. It
// may be pending or retired.
func (d *Directory) DeviceByEK(ctx context.Context, ek [32]byte) (wire.Device, error) {
	return d.deviceBy(ctx, hexKey("device-ek", ek[:]))
}

// DeviceByName returns the device last enrolled under this name in this
// agency. It may be pending or retired.
func (d *Directory) DeviceByName(ctx context.Context, agency, name string) (wire.Device, error) {
	if checkAgencyID(agency) != nil || checkDeviceName(name) != nil {
		return wire.Device{}, ErrNotFound
	}
	id, _, err := get[string](ctx, d.store, deviceNameKey(agency, name))
	if err != nil {
		return wire.Device{}, err
	}
	dev, _, err := get[wire.Device](ctx, d.store, store.Key(KindDevice, agency, id))
	return dev, err
}

func (d *Directory) deviceBy(ctx context.Context, index string) (wire.Device, error) {
	id, _, err := get[string](ctx, d.store, index)
	if err != nil {
		return wire.Device{}, err
	}
	return d.Device(ctx, id)
}

// Devices returns the agency's devices, retired ones too.
func (d *Directory) Devices(ctx context.Context, agency string) ([]wire.Device, error) {
	if checkAgencyID(agency) != nil {
		return nil, ErrNotFound
	}
	return list[wire.Device](ctx, d.store, store.Prefix(KindDevice, agency))
}

// ApproveDevice makes a pending device active. Any other gives ErrState.
func (d *Directory) ApproveDevice(ctx context.Context, id string) (wire.Device, error) {
	return d.setStatus(ctx, id, func(dev *wire.Device) error {
		if dev.Status != wire.DevicePending {
			return fmt.Errorf("device is %s: %w", dev.Status, ErrState)
		}
		dev.Status = wire.DeviceActive
		return nil
	})
}

// RetireDevice ends a device's life for ever. Its keys stay on record, so
// that an agent that still uses them learns why it is refused.
func (d *Directory) RetireDevice(ctx context.Context, id string) (wire.Device, error) {
	return d.setStatus(ctx, id, func(dev *wire.Device) error {
		dev.Status = wire.DeviceRetired
		return nil
	})
}

func (d *Directory) setStatus(ctx context.Context, id string, change func(*wire.Device) error) (wire.Device, error) {
	if wire.CheckID(wire.PrefixDevice, id) != nil {
		return wire.Device{}, ErrNotFound
	}
	return update(ctx, d, KindDevice, id, change, deviceChange)
}

// CheckNewDevice says whether a device of this name could be enrolled in this
// agency: the agency exists and the name is well-formed.
func (d *Directory) CheckNewDevice(ctx context.Context, agency, name string) error {
	if err := checkDeviceName(name); err != nil {
		return err
	}
	if _, err := d.Agency(ctx, agency); err != nil {
		return fmt.Errorf("agency %q: %w", agency, err)
	}
	return nil
}
