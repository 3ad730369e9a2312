package policyset

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

const maxNote = 256

// Submit validates files and keeps them as a draft. What is kept already is
// refused by its version, unless what is kept is not what was signed: then it
// is written anew.
func (k *Keeper) Submit(ctx context.Context, files map[string][]byte, note, by string) (wire.PolicySet, error) {
	if len(note) > maxNote || !utf8.ValidString(note) || strings.ContainsFunc(note, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return wire.PolicySet{}, refuse(reason.SetNote, "limit", strconv.Itoa(maxNote))
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	set, err := k.load(files)
	if err != nil {
		return wire.PolicySet{}, err
	}
	f, ops, err := k.prepared(ctx, files, set, header{Set: wire.PolicySet{Note: note}})
	if err != nil {
		return wire.PolicySet{}, err
	}
	if len(ops) == 0 {
		return wire.PolicySet{}, refuse(reason.SetExists, "version", f.value.Set.Version, "state", string(f.value.Set.State))
	}
	all, err := k.headers(ctx)
	if err != nil {
		return wire.PolicySet{}, err
	}
	if f.revision == 0 && len(all) >= maxSets {
		return wire.PolicySet{}, refuse(reason.SetTooMany, "count", strconv.Itoa(len(all)))
	}
	state := wire.PolicyDraft
	if f.value.Set.Version == k.force.Load().last.Version {
		state = wire.PolicyActive // written anew, and in force as before
	}
	f = k.stepped(f, state, by)
	return k.shown(&f.value), k.write(ctx, nil, ops, f)
}

// Stage makes a draft a candidate, or takes a candidate out of the shadow.
func (k *Keeper) Stage(ctx context.Context, version, by string) (wire.PolicySet, error) {
	return k.move(ctx, version, wire.PolicyStaged, by, wire.PolicyDraft, wire.PolicyShadow)
}

// Shadow has a staged set evaluated beside the one in force, in the place of
// the one that was, which is staged again.
func (k *Keeper) Shadow(ctx context.Context, version, by string) (wire.PolicySet, error) {
	return k.move(ctx, version, wire.PolicyShadow, by, wire.PolicyStaged)
}

func (k *Keeper) move(ctx context.Context, version string, to wire.PolicyState, by string, from ...wire.PolicyState) (wire.PolicySet, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	f, err := k.find(ctx, version)
	if err != nil {
		return wire.PolicySet{}, err
	}
	if !slices.Contains(from, f.value.Set.State) {
		return wire.PolicySet{}, inState(&f.value.Set)
	}
	if _, _, err := k.evaluator(ctx, &f.value); err != nil {
		return wire.PolicySet{}, err
	}
	changes := []found{k.stepped(f, to, by)}
	if to == wire.PolicyShadow {
		all, err := k.headers(ctx)
		if err != nil {
			return wire.PolicySet{}, err
		}
		for _, other := range all {
			if other.value.Set.State == wire.PolicyShadow {
				changes = append(changes, k.stepped(other, wire.PolicyStaged, by))
			}
		}
	}
	if err := k.write(ctx, nil, nil, changes...); err != nil {
		return wire.PolicySet{}, err
	}
	return k.shown(&changes[0].value), k.openShadow(ctx)
}

// Activate approves that a staged set, or the one in shadow, comes into force.
// Where two approvers are asked for, the first is kept with it and the second,
// who is another, makes it so. Confirm is the version, typed, where the set's
// what-if asks for that.
func (k *Keeper) Activate(ctx context.Context, version, confirm, by string) (wire.PolicySet, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	f, err := k.find(ctx, version)
	if err != nil {
		return wire.PolicySet{}, err
	}
	if state := f.value.Set.State; state != wire.PolicyStaged && state != wire.PolicyShadow {
		return wire.PolicySet{}, inState(&f.value.Set)
	}
	if confirm != version {
		if err := k.confirmation(ctx, version); err != nil {
			return wire.PolicySet{}, err
		}
	}
	return k.approveOne(ctx, f, by)
}

// Rollback approves that a set comes into force again that was in force once;
// the one before the present for "". It takes as many officers as an
// activation: what was in force once may be the weaker policy.
func (k *Keeper) Rollback(ctx context.Context, version, by string) (wire.PolicySet, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	if version == "" {
		if version = k.force.Load().last.Previous; version == "" {
			return wire.PolicySet{}, refuse(reason.SetNoEarlier)
		}
	}
	f, err := k.find(ctx, version)
	if err != nil {
		return wire.PolicySet{}, err
	}
	// Where nothing is in force, the one that should be can be put right.
	again := f.value.Set.State == wire.PolicyActive && k.Active() == nil
	if f.value.Set.State != wire.PolicySuperseded && !again {
		return wire.PolicySet{}, inState(&f.value.Set)
	}
	return k.approveOne(ctx, f, by)
}

// approveOne adds an officer's approval, and puts the set in force if that was
// the last one needed.
func (k *Keeper) approveOne(ctx context.Context, f found, by string) (wire.PolicySet, error) {
	set, files, err := k.evaluator(ctx, &f.value)
	if err != nil {
		return wire.PolicySet{}, err
	}
	against := k.force.Load().last.Number
	good := k.approvals(&f.value, against)
	if slices.ContainsFunc(good, func(a signedApproval) bool { return a.Approval.By == by }) {
		return wire.PolicySet{}, refuse(reason.SetSameOfficer, "by", by)
	}
	mine, err := k.approve(&f.value, against, by)
	if err != nil {
		return wire.PolicySet{}, err
	}
	f.value.Approvals = append(slices.Clone(good), mine)
	if len(f.value.Approvals) < k.Approvers {
		return k.shown(&f.value), k.write(ctx, nil, nil, f)
	}
	a := activation{Needed: k.Approvers}
	for _, one := range f.value.Approvals {
		a.Approvals = append(a.Approvals, one.Approval)
	}
	if err := k.enter(ctx, f, nil, set, files, a, by); err != nil {
		return wire.PolicySet{}, err
	}
	k.tell()
	shown, err := k.find(ctx, set.Version())
	if err != nil {
		return wire.PolicySet{}, err
	}
	return k.shown(&shown.value), k.openShadow(ctx)
}
