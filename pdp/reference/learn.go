package reference

import (
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// maxLearned bounds how many machines a draft is learned from.
const maxLearned = 1000

// Learn makes a draft of what a pilot group's machines, or named ones, showed
// at their last boot, wherever the appraisal policy wants a known value. Of
// files it takes kernels alone: all else that a boot loader reads is made on
// the machine. It is the next version of its id, or the first.
func (k *Keeper) Learn(ctx context.Context, agency string, in wire.LearnRequest, by string) (wire.BundleDiff, error) {
	if !idShape.MatchString(in.ID) {
		return wire.BundleDiff{}, refuse(reason.RefID, "id", shortText(in.ID))
	}
	f, err := k.fleetOf(ctx, agency)
	if err != nil {
		return wire.BundleDiff{}, err
	}
	pilots, err := f.pilots(in)
	if err != nil {
		return wire.BundleDiff{}, err
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	newest, _, err := get[uint64](ctx, k.Store, headKey(agency, in.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return wire.BundleDiff{}, err
	}
	b := wire.Bundle{
		Schema: schema, Issuer: ownIssuer, Agency: agency, ID: in.ID, Version: newest + 1,
		Created: k.Clock().UTC().Truncate(time.Second), Note: in.Note,
	}
	b.Entries = k.entries(f, pilots)
	sortBundle(&b)
	if err := check(b); err != nil {
		return wire.BundleDiff{}, err
	}
	canonical, err := Canonical(b)
	if err != nil {
		return wire.BundleDiff{}, err
	}
	h := header{Info: k.info(agency, b, canonical, by), Warnings: f.warnings(pilots)}
	for _, d := range pilots {
		h.Info.LearnedFrom = append(h.Info.LearnedFrom, d.Name)
	}
	if err := k.add(ctx, h, canonical); err != nil {
		return wire.BundleDiff{}, err
	}
	return k.diff(ctx, h, b, f)
}

// pilots finds the devices to learn from. Each that is named must have a boot.
func (f *fleet) pilots(in wire.LearnRequest) ([]wire.Device, error) {
	if (in.Group == "") == (len(in.Devices) == 0) {
		return nil, refuse(reason.RefNothingSeen, "which", "–")
	}
	var pilots []wire.Device
	for _, d := range f.devices {
		named := slices.ContainsFunc(in.Devices, func(name string) bool { return d.ID == name || strings.EqualFold(d.Name, name) })
		if _, seen := f.boots[d.ID]; seen && (named || in.Group != "" && d.Group == in.Group) {
			pilots = append(pilots, d)
		}
	}
	for _, name := range in.Devices {
		if !slices.ContainsFunc(pilots, func(d wire.Device) bool { return d.ID == name || strings.EqualFold(d.Name, name) }) {
			return nil, refuse(reason.RefNothingSeen, "which", shortText(name))
		}
	}
	switch {
	case len(pilots) == 0:
		return nil, refuse(reason.RefNothingSeen, "which", shortText(in.Group))
	case len(pilots) > maxLearned:
		return nil, refuse(reason.RefTooMany)
	}
	return pilots, nil
}

// entries are the values that the pilots show, each once.
func (k *Keeper) entries(f *fleet, pilots []wire.Device) []wire.BundleEntry {
	known := map[valueKey]bool{}
	var entries []wire.BundleEntry
	for _, d := range pilots {
		for _, m := range f.boots[d.ID].Boot.Measurements {
			key, ok := valueOf(m)
			if !ok || known[key] || !k.Wants(m.PCR, m.Kind) || !isKind(m.Kind) || m.Kind == wire.MeasuredFile && !isKernel(m.Name) {
				continue
			}
			known[key] = true
			entries = append(entries, entryOf(m, key.digest))
		}
	}
	return entries
}

func entryOf(m wire.Measurement, digest wire.HexDigest) wire.BundleEntry {
	e := wire.BundleEntry{PCR: m.PCR, Kind: m.Kind, Name: m.Name, Digest: digest, Note: shortText(m.Detail)}
	if m.Kind == wire.MeasuredCommandLine {
		if m.Verified && m.Detail != "" {
			e.Members = []wire.HexDigest{wire.GeneralCommandLineDigest(m.Detail)}
		}
		return e
	}
	for _, member := range m.Members {
		if len(member) == len(wire.HexDigest{}) {
			e.Members = append(e.Members, wire.HexDigest(member))
		}
	}
	return e
}

// isKernel reports whether a file that a boot loader read is a kernel by name.
func isKernel(name string) bool {
	base := strings.ToLower(path.Base(name))
	return slices.ContainsFunc([]string{"vmlinuz", "vmlinux", "bzimage", "kernel", "linux"}, func(start string) bool {
		return strings.HasPrefix(base, start)
	})
}

// warnings are what an administrator should know before approving.
func (f *fleet) warnings(pilots []wire.Device) []wire.Reason {
	var warnings []wire.Reason
	if len(pilots) == 1 {
		warnings = append(warnings, reason.New(reason.RefOnlyHere, "device", pilots[0].Name))
	}
	off := 0
	for _, d := range pilots {
		if f.boots[d.ID].Boot.SecureBoot != wire.SecureBootOn {
			off++
		}
	}
	if off > 0 {
		warnings = append(warnings, reason.New(reason.RefNoSecureBoot, "count", strconv.Itoa(off)))
	}
	return warnings
}
