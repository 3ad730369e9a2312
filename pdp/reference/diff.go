package reference

import (
	"context"
	"maps"
	"slices"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Diff shows what a bundle changes against the current one of its id.
func (k *Keeper) Diff(ctx context.Context, agency, name string) (wire.BundleDiff, error) {
	found, err := k.find(ctx, agency, name)
	if err != nil {
		return wire.BundleDiff{}, err
	}
	b, err := k.read(ctx, found.value)
	if err != nil {
		return wire.BundleDiff{}, err
	}
	f, err := k.fleetOf(ctx, agency)
	if err != nil {
		return wire.BundleDiff{}, err
	}
	return k.diff(ctx, found.value, b, f)
}

func (k *Keeper) diff(ctx context.Context, h header, b wire.Bundle, f *fleet) (wire.BundleDiff, error) {
	out := wire.BundleDiff{Info: h.Info, Warnings: h.Warnings}
	was, err := k.current(ctx, h)
	if err != nil {
		return out, err
	}
	out.Against = was.Version
	before, after := byKey(was), byKey(b)
	for _, key := range union(before, after) {
		change := wire.BundleChange{ReferenceKey: key}
		change.Was, change.Now = f.only(key, before[key], after[key]), f.only(key, after[key], before[key])
		switch {
		case len(change.Was) == 0 && len(change.Now) == 0:
		case len(before[key]) == 0:
			out.Added = append(out.Added, change)
		case len(after[key]) == 0:
			out.Gone = append(out.Gone, change)
		default:
			out.Changed = append(out.Changed, change)
		}
	}
	files := map[wire.HexDigest]int{}
	for _, file := range was.Files {
		files[file.Digest]--
	}
	for _, file := range b.Files {
		files[file.Digest]++
	}
	for _, n := range files {
		switch n {
		case 1:
			out.FilesAdded++
		case -1:
			out.FilesGone++
		}
	}
	return out, nil
}

// current returns the current bundle of the same id, empty if there is none or
// it is this one.
func (k *Keeper) current(ctx context.Context, h header) (wire.Bundle, error) {
	all, err := list[header](ctx, k.Store, store.Prefix(kindBundle, h.Info.Agency))
	if err != nil {
		return wire.Bundle{}, err
	}
	for _, f := range all {
		if info := f.value.Info; info.ID == h.Info.ID && info.State == wire.BundleCurrent && info.Version != h.Info.Version {
			return k.read(ctx, f.value)
		}
	}
	return wire.Bundle{}, nil
}

func byKey(b wire.Bundle) map[wire.ReferenceKey][]wire.BundleEntry {
	all := make(map[wire.ReferenceKey][]wire.BundleEntry, len(b.Entries))
	for _, e := range b.Entries {
		all[e.Key()] = append(all[e.Key()], e)
	}
	return all
}

func union(a, b map[wire.ReferenceKey][]wire.BundleEntry) []wire.ReferenceKey {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}

// only returns the values of a that b lacks, with the machines that show them.
func (f *fleet) only(key wire.ReferenceKey, a, b []wire.BundleEntry) []wire.SeenValue {
	var values []wire.SeenValue
	for _, e := range a {
		if slices.ContainsFunc(b, func(o wire.BundleEntry) bool { return o.Digest == e.Digest }) {
			continue
		}
		s := f.values[valueKey{key, e.Digest}]
		values = append(values, wire.SeenValue{Digest: e.Digest, Note: e.Note, Machines: s.machines, First: s.first})
	}
	return values
}
