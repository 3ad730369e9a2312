package reference

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/menshen-zt/menshen/internal/deflate"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// maxBootBytes bounds a boot as it is read back from the store.
const maxBootBytes = 8 << 20

// seenBoot is a device's last boot. Since has for each measurement the day, in
// days since 1970, that this device first showed that value.
type seenBoot struct {
	DeviceID string    `json:"device_id"`
	At       time.Time `json:"at"`
	Boot     wire.Boot `json:"boot"`
	Since    []int64   `json:"since"`
}

const day = 24 * 60 * 60

// Saw keeps a device's boot. One that is kept already costs a read.
func (k *Keeper) Saw(ctx context.Context, device wire.Device, boot wire.Boot) error {
	before, _, err := k.boot(ctx, device.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && bytes.Equal(before.Boot.LogDigest, boot.LogDigest) && bytes.Equal(before.Boot.PCRDigest, boot.PCRDigest) && before.Boot.Reading == boot.Reading {
		return nil
	}
	now := k.Clock().UTC().Truncate(time.Second)
	packed, err := pack(seenBoot{DeviceID: device.ID, At: now, Boot: boot, Since: since(before, boot, now.Unix()/day)})
	if err != nil {
		return err
	}
	op, err := put(bootKey(device.ID), packed)
	if err != nil {
		return err
	}
	if _, err := k.Store.Txn(ctx, nil, []store.Op{op}); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	return nil
}

// since keeps the day of each value that the device showed before.
func since(before seenBoot, boot wire.Boot, today int64) []int64 {
	known := make(map[valueKey]int64, len(before.Since))
	for i, m := range before.Boot.Measurements {
		if key, ok := valueOf(m); ok && i < len(before.Since) {
			known[key] = before.Since[i]
		}
	}
	days := make([]int64, len(boot.Measurements))
	for i, m := range boot.Measurements {
		days[i] = today
		if key, ok := valueOf(m); ok && known[key] != 0 {
			days[i] = known[key]
		}
	}
	return days
}

// Boot returns a device's last boot; its error wraps store.ErrNotFound if none
// was seen.
func (k *Keeper) Boot(ctx context.Context, deviceID string) (wire.Boot, error) {
	seen, _, err := k.boot(ctx, deviceID)
	return seen.Boot, err
}

func (k *Keeper) boot(ctx context.Context, deviceID string) (seenBoot, int64, error) {
	if wire.CheckID(wire.PrefixDevice, deviceID) != nil {
		return seenBoot{}, 0, fmt.Errorf("reference: %w", store.ErrNotFound)
	}
	packed, revision, err := get[[]byte](ctx, k.Store, bootKey(deviceID))
	if err != nil {
		return seenBoot{}, 0, err
	}
	seen, err := unpack(packed)
	return seen, revision, err
}

func pack(seen seenBoot) ([]byte, error) {
	raw, err := json.Marshal(seen)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return deflate.Pack(raw)
}

func unpack(packed []byte) (seen seenBoot, err error) {
	raw, err := deflate.Unpack(packed, maxBootBytes)
	if err == nil {
		err = json.Unmarshal(raw, &seen)
	}
	if err != nil {
		return seenBoot{}, fmt.Errorf("reference: unpacking a boot: %w", err)
	}
	return seen, nil
}

// valueKey is one value at one place.
type valueKey struct {
	wire.ReferenceKey
	digest wire.HexDigest
}

// valueOf returns the value that a measurement is, unless it has no digest of
// the SHA-256 bank.
func valueOf(m wire.Measurement) (valueKey, bool) {
	if len(m.Digest) != len(wire.HexDigest{}) {
		return valueKey{}, false
	}
	return valueKey{wire.KeyOf(m), wire.HexDigest(m.Digest)}, true
}

// sighting is on how many machines a value is seen now, and since when.
type sighting struct {
	machines int
	first    time.Time
}

// fleet is the last boots of an agency's active devices.
type fleet struct {
	devices []wire.Device
	boots   map[string]seenBoot // by device id
	values  map[valueKey]sighting
}

// fleetOf reads the last boot of each device that is in use.
func (k *Keeper) fleetOf(ctx context.Context, agency string) (*fleet, error) {
	devices, err := k.Devices.Devices(ctx, agency)
	if err != nil {
		return nil, err
	}
	f := &fleet{boots: make(map[string]seenBoot, len(devices)), values: map[valueKey]sighting{}}
	for _, d := range devices {
		if d.Status != wire.DeviceActive {
			continue
		}
		f.devices = append(f.devices, d)
		seen, _, err := k.boot(ctx, d.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f.boots[d.ID] = seen
		f.count(seen)
	}
	return f, nil
}

// count adds a device's values, each once.
func (f *fleet) count(seen seenBoot) {
	counted := make(map[valueKey]bool, len(seen.Boot.Measurements))
	for i, m := range seen.Boot.Measurements {
		key, ok := valueOf(m)
		if !ok || counted[key] || i >= len(seen.Since) {
			continue
		}
		counted[key] = true
		first := time.Unix(seen.Since[i]*day, 0).UTC()
		s := f.values[key]
		if s.machines++; s.machines == 1 || first.Before(s.first) {
			s.first = first
		}
		f.values[key] = s
	}
}
