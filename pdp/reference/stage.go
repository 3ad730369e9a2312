package reference

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// ownIssuer is the issuer of what was learned here.
const ownIssuer = "menshen-pdp"

// maxBundles bounds an agency's bundles, all versions together.
const maxBundles = 1000

// Bundles lists an agency's bundles, each version.
func (k *Keeper) Bundles(ctx context.Context, agency string) ([]wire.BundleInfo, error) {
	all, err := list[header](ctx, k.Store, store.Prefix(kindBundle, agency))
	if err != nil {
		return nil, err
	}
	infos := make([]wire.BundleInfo, len(all))
	for i, f := range all {
		infos[i] = f.value.Info
	}
	return infos, nil
}

// Show returns one bundle with its values. Name is "id" for the newest version
// or "id@version".
func (k *Keeper) Show(ctx context.Context, agency, name string) (wire.BundleView, error) {
	f, err := k.find(ctx, agency, name)
	if err != nil {
		return wire.BundleView{}, err
	}
	b, err := k.read(ctx, f.value)
	return wire.BundleView{Info: f.value.Info, Bundle: b}, err
}

func (k *Keeper) read(ctx context.Context, h header) (wire.Bundle, error) {
	signers, err := k.signerKeys(ctx, h.Info.Agency)
	if err != nil {
		return wire.Bundle{}, err
	}
	return k.verified(ctx, h, signers)
}

func (k *Keeper) find(ctx context.Context, agency, name string) (found[header], error) {
	id, number, versioned := strings.Cut(name, "@")
	if !idShape.MatchString(id) || !idShape.MatchString(agency) {
		return found[header]{}, store.ErrNotFound
	}
	var version uint64
	var err error
	if versioned {
		version, err = strconv.ParseUint(number, 10, 64)
	} else {
		version, _, err = get[uint64](ctx, k.Store, headKey(agency, id))
	}
	if err != nil {
		return found[header]{}, errors.Join(store.ErrNotFound, err)
	}
	key := bundleKey(agency, id, version)
	h, revision, err := get[header](ctx, k.Store, key)
	return found[header]{key, h, revision}, err
}

// Import keeps a signed bundle as a draft of an agency.
func (k *Keeper) Import(ctx context.Context, agency string, s wire.SignedBundle, by string) (wire.BundleInfo, error) {
	if err := check(s.Bundle); err != nil {
		return wire.BundleInfo{}, err
	}
	if s.Bundle.Agency != wire.AnyAgency && s.Bundle.Agency != agency {
		return wire.BundleInfo{}, refuse(reason.RefForeign, "agency", s.Bundle.Agency)
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	key, err := k.trusted(ctx, agency, s)
	if err != nil {
		return wire.BundleInfo{}, err
	}
	canonical, err := Canonical(s.Bundle)
	if err != nil {
		return wire.BundleInfo{}, err
	}
	if !verifies(key, canonical, s.Signature) {
		return wire.BundleInfo{}, refuse(reason.RefSignature)
	}
	h := header{Key: s.Key, Signature: s.Signature}
	h.Info = k.info(agency, s.Bundle, canonical, by)
	h.Info.Signer = s.Key.String()
	return h.Info, k.add(ctx, h, canonical)
}

func (k *Keeper) info(agency string, b wire.Bundle, canonical []byte, by string) wire.BundleInfo {
	return wire.BundleInfo{
		ID: b.ID, Version: b.Version, Agency: agency, Issuer: b.Issuer, Note: b.Note, State: wire.BundleDraft, Created: b.Created,
		Entries: len(b.Entries), Files: len(b.Files), Digest: sha256.Sum256(canonical),
		History: []wire.BundleStep{k.step(wire.BundleDraft, by)},
	}
}

// add keeps a new draft, whose version must be above all that were. An id is its
// first issuer's for good: another could supersede that one's values, or use up
// the versions, under the same name.
func (k *Keeper) add(ctx context.Context, h header, canonical []byte) error {
	info := h.Info
	all, err := k.Bundles(ctx, info.Agency)
	if err != nil {
		return err
	}
	if len(all) >= maxBundles {
		return refuse(reason.RefTooMany)
	}
	if i := slices.IndexFunc(all, func(b wire.BundleInfo) bool { return b.ID == info.ID && b.Issuer != info.Issuer }); i >= 0 {
		return refuse(reason.RefOtherIssuer, "id", info.ID, "issuer", all[i].Issuer)
	}
	newest, revision, err := get[uint64](ctx, k.Store, headKey(info.Agency, info.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if info.Version <= newest {
		return refuse(reason.RefVersionFell, "version", strconv.FormatUint(info.Version, 10), "newest", strconv.FormatUint(newest, 10))
	}
	ops, err := parts(info, canonical)
	if err != nil {
		return err
	}
	h.Parts = len(ops)
	head, err := put(headKey(info.Agency, info.ID), info.Version)
	if err != nil {
		return err
	}
	op, err := put(bundleKey(info.Agency, info.ID, info.Version), h)
	if err != nil {
		return err
	}
	conditions := []store.Compare{{Key: head.Key, Revision: revision}, {Key: op.Key}}
	return k.commit(ctx, info.Agency, conditions, append(ops, head, op))
}

// Approve makes a draft current, or next. Where two approvers are asked for, the
// first is kept with it and the second, who is another, makes it so. A draft
// that was learned is signed by the PDP's approval key then.
func (k *Keeper) Approve(ctx context.Context, agency, name string, next bool, by string) (wire.BundleInfo, error) {
	to := wire.BundleCurrent
	if next {
		to = wire.BundleNext
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	f, err := k.find(ctx, agency, name)
	if err != nil {
		return wire.BundleInfo{}, err
	}
	h := f.value
	if h.Info.State != wire.BundleDraft {
		return wire.BundleInfo{}, inState(h.Info)
	}
	if slices.ContainsFunc(h.Info.Approvals, func(s wire.BundleStep) bool { return s.By == by }) {
		return wire.BundleInfo{}, refuse(reason.RefSameApprover, "by", by)
	}
	h.Info.Approvals = append(slices.Clone(h.Info.Approvals), k.step(to, by))
	if len(h.Info.Approvals) < k.Approvers {
		return h.Info, k.write(ctx, agency, found[header]{f.key, h, f.revision})
	}
	if h.Info.Approvals[0].State != to {
		return wire.BundleInfo{}, inState(h.Info) // the first approved something else
	}
	if len(h.Signature) == 0 {
		if h, err = k.seal(ctx, h); err != nil {
			return wire.BundleInfo{}, err
		}
	} else if b, err := k.read(ctx, h); err != nil {
		return wire.BundleInfo{}, err
	} else if _, err := k.trusted(ctx, agency, wire.SignedBundle{Bundle: b, Key: h.Key}); err != nil {
		return wire.BundleInfo{}, err // the signer was removed meanwhile
	}
	return k.move(ctx, found[header]{f.key, h, f.revision}, to, by)
}

// seal signs a learned draft.
func (k *Keeper) seal(ctx context.Context, h header) (header, error) {
	b, err := k.read(ctx, h)
	if err != nil {
		return h, err
	}
	signed, err := Sign(b, k.Approval)
	h.Key, h.Signature, h.Info.Signer = k.approvalKey, signed.Signature, k.approvalKey.String()
	return h, err
}

// Activate makes a next bundle current.
func (k *Keeper) Activate(ctx context.Context, agency, name, by string) (wire.BundleInfo, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	f, err := k.find(ctx, agency, name)
	if err != nil {
		return wire.BundleInfo{}, err
	}
	if f.value.Info.State != wire.BundleNext {
		return wire.BundleInfo{}, inState(f.value.Info)
	}
	return k.move(ctx, f, wire.BundleCurrent, by)
}

// Retire takes a bundle out of use. A current one becomes superseded: a machine
// that still shows its values was rolled back. Any other is forgotten.
func (k *Keeper) Retire(ctx context.Context, agency, name, by string) (wire.BundleInfo, error) {
	k.changing.Lock()
	defer k.changing.Unlock()
	f, err := k.find(ctx, agency, name)
	if err != nil {
		return wire.BundleInfo{}, err
	}
	switch f.value.Info.State {
	case wire.BundleCurrent:
		return k.move(ctx, f, wire.BundleSuperseded, by)
	case wire.BundleDraft, wire.BundleNext, wire.BundleSuperseded:
		return k.move(ctx, f, wire.BundleRetired, by)
	}
	return wire.BundleInfo{}, inState(f.value.Info)
}

func inState(info wire.BundleInfo) error {
	return refuse(reason.RefState, "bundle", bundleName(info.ID, info.Version), "state", string(info.State))
}

// move changes a bundle's state. One that becomes current supersedes the
// current one of its id and older next ones in the same transaction.
func (k *Keeper) move(ctx context.Context, f found[header], to wire.BundleState, by string) (wire.BundleInfo, error) {
	agency := f.value.Info.Agency
	all, err := list[header](ctx, k.Store, store.Prefix(kindBundle, agency))
	if err != nil {
		return wire.BundleInfo{}, err
	}
	changes := []found[header]{k.stepped(f, to, by)}
	for _, other := range all {
		info := other.value.Info
		if info.ID != f.value.Info.ID || info.Version == f.value.Info.Version {
			continue
		}
		accepted := info.State == wire.BundleCurrent || info.State == wire.BundleNext
		if accepted && info.Version > f.value.Info.Version && (to == wire.BundleCurrent || to == wire.BundleNext) {
			return wire.BundleInfo{}, refuse(reason.RefVersionFell, "version", strconv.FormatUint(f.value.Info.Version, 10), "newest", strconv.FormatUint(info.Version, 10))
		}
		if accepted && to == wire.BundleCurrent {
			changes = append(changes, k.stepped(other, wire.BundleSuperseded, by))
		}
	}
	return changes[0].value.Info, k.write(ctx, agency, changes...)
}

func (k *Keeper) stepped(f found[header], to wire.BundleState, by string) found[header] {
	f.value.Info.State = to
	f.value.Info.History = append(slices.Clone(f.value.Info.History), k.step(to, by))
	return f
}

// write puts changed headers in one transaction.
func (k *Keeper) write(ctx context.Context, agency string, changes ...found[header]) error {
	var conditions []store.Compare
	var ops []store.Op
	for _, c := range changes {
		op, err := put(c.key, c.value)
		if err != nil {
			return err
		}
		conditions, ops = append(conditions, store.Compare{Key: c.key, Revision: c.revision}), append(ops, op)
	}
	return k.commit(ctx, agency, conditions, ops)
}
