package reference

import (
	"context"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
)

// maxWorse bounds how many devices a fleet report names.
const maxWorse = 1000

// Fleet tells how an agency's active devices would stand if the named bundle
// were current, by their last boots; how they stand now where none is named.
// Nothing is changed.
func (k *Keeper) Fleet(ctx context.Context, agency, name string) (wire.FleetReport, error) {
	set, err := k.setIf(ctx, agency, name)
	if err != nil {
		return wire.FleetReport{}, err
	}
	f, err := k.fleetOf(ctx, agency)
	if err != nil {
		return wire.FleetReport{}, err
	}
	report := wire.FleetReport{Devices: len(f.devices)}
	for _, d := range f.devices {
		seen, ok := f.boots[d.ID]
		if !ok {
			report.Unmeasured++
			continue
		}
		a := k.Appraise(seen.Boot, set)
		switch a.Executables {
		case wire.Affirming:
			report.Affirming++
			continue
		case wire.Warning:
			report.Warning++
		default:
			report.Failing++
		}
		a.Events = nil // one device's explanation has them
		report.Worse = append(report.Worse, wire.FleetDevice{ID: d.ID, Name: d.Name, Group: d.Group, SeenAt: seen.At, Appraisal: a})
	}
	slices.SortStableFunc(report.Worse, func(a, b wire.FleetDevice) int { return warns(a) - warns(b) })
	report.Worse = report.Worse[:min(len(report.Worse), maxWorse)]
	return report, nil
}

func warns(d wire.FleetDevice) int {
	if d.Appraisal.Executables == wire.Warning {
		return 1
	}
	return 0
}

// setIf is the set that would be if the bundle were current.
func (k *Keeper) setIf(ctx context.Context, agency, name string) (*wire.ReferenceSet, error) {
	if name == "" {
		return k.Set(agency), nil
	}
	found, err := k.find(ctx, agency, name)
	if err != nil {
		return nil, err
	}
	b, err := k.read(ctx, found.value)
	if err != nil {
		return nil, err
	}
	all, err := k.bundles(ctx, agency)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s staged) bool { return s.bundle.ID == b.ID && s.bundle.Version == b.Version })
	for i := range all {
		if all[i].bundle.ID == b.ID {
			all[i].state = wire.BundleSuperseded
		}
	}
	return build(append(all, staged{b, wire.BundleCurrent})), nil
}

// Explain holds a device's last boot against its agency's reference values,
// and says of each difference on how many machines it is seen. Its error wraps
// store.ErrNotFound if no boot is known.
func (k *Keeper) Explain(ctx context.Context, d wire.Device) (wire.BootExplanation, error) {
	seen, _, err := k.boot(ctx, d.ID)
	if err != nil {
		return wire.BootExplanation{}, err
	}
	f, err := k.fleetOf(ctx, d.Agency)
	if err != nil {
		return wire.BootExplanation{}, err
	}
	set := k.Set(d.Agency)
	a := k.Appraise(seen.Boot, set)
	out := wire.BootExplanation{
		DeviceID: d.ID, Device: d.Name, SeenAt: seen.At, SecureBoot: seen.Boot.SecureBoot, Events: len(seen.Boot.Measurements),
		References: set.Version, Findings: a.Findings, Executables: a.Executables, Hardware: a.Hardware,
	}
	for _, e := range a.Events {
		explained := wire.ExplainedEvent{BootEvent: e}
		if key, ok := valueOf(e.Measurement); ok {
			s := f.values[key]
			explained.Machines, explained.First = s.machines, s.first
		}
		explained.Measurement.Members = nil // digests of entries help nobody
		out.Differences = append(out.Differences, explained)
	}
	return out, nil
}
