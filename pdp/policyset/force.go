package policyset

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// open puts the set in force that the last activation names, or the configured
// one. What does not verify decides nothing. The caller holds k.changing.
func (k *Keeper) open(ctx context.Context) error {
	k.force.Store(&inForce{})
	number, err := k.highest(ctx)
	if err != nil {
		return err
	}
	k.force.Store(&inForce{last: activation{Number: number}})
	last, err := k.last(ctx, number)
	if err == nil && (last.Number == 0 || last.Configured) {
		return k.adopt(ctx, last)
	}
	if err == nil {
		err = k.resume(ctx, last)
	}
	var refused *Refusal
	switch {
	case errors.Is(err, errNotVerified), errors.Is(err, store.ErrNotFound), errors.As(err, &refused):
		k.Logger.Error("no access policy is in force, and everything is denied: what officers activated cannot be trusted", "version", last.Version, "error", err)
		return nil
	}
	return err
}

// last returns the last activation by its number, the zero value for 0. Its
// error wraps errNotVerified for one that does not stand.
func (k *Keeper) last(ctx context.Context, number uint64) (activation, error) {
	if number == 0 {
		return activation{}, nil
	}
	s, _, err := get[signedActivation](ctx, k.Store, activationKey(number))
	if errors.Is(err, errUnreadable) || (err == nil && (s.Activation.Number != number || !k.stands(s))) {
		return s.Activation, fmt.Errorf("%w: activation %d", errNotVerified, number)
	}
	return s.Activation, err
}

// highest returns the number of the last activation that is kept, 0 for none.
func (k *Keeper) highest(ctx context.Context) (number uint64, err error) {
	prefix := store.Prefix(kindActivation, nobody)
	for after := ""; ; {
		page, err := k.Store.Scan(ctx, prefix, after, pageSize)
		if err != nil {
			return 0, fmt.Errorf("policyset: %w", err)
		}
		if n := len(page.Records); n > 0 {
			if _, err := fmt.Sscanf(page.Records[n-1].Key[len(prefix):], "%d", &number); err != nil {
				return 0, fmt.Errorf("policyset: the key of an activation: %w", err)
			}
		}
		if after = page.Next; after == "" {
			return number, nil
		}
	}
}

// resume puts the set in force that officers activated.
func (k *Keeper) resume(ctx context.Context, last activation) error {
	f, err := k.find(ctx, last.Version)
	if err != nil {
		return err
	}
	if f.value.Set.Digest != last.Digest {
		return errNotVerified
	}
	files, err := k.checked(ctx, &f.value)
	if err != nil {
		return err
	}
	set, err := k.load(files)
	if err != nil {
		return err
	}
	if set.Version() != last.Version {
		return k.carry(ctx, f.value, files, set, last)
	}
	k.force.Store(&inForce{set: set, files: files, last: last})
	return nil
}

// carry keeps the set in force after an upgrade of the program whose schema
// differs: the same files, which the officers approved, have another version
// now.
func (k *Keeper) carry(ctx context.Context, was header, files map[string][]byte, set Evaluator, last activation) error {
	f, ops, err := k.prepared(ctx, files, set, header{Set: wire.PolicySet{Note: was.Set.Note}})
	if err != nil {
		return err
	}
	next := activation{Needed: last.Needed, Approvals: last.Approvals}
	return k.enter(ctx, f, ops, set, files, next, "program")
}

// adopt puts the configured set in force, and keeps it if it is not kept yet.
func (k *Keeper) adopt(ctx context.Context, last activation) error {
	set, err := k.Load(k.Configured)
	if err != nil {
		return err
	}
	f, ops, err := k.prepared(ctx, k.Configured, set, header{Set: wire.PolicySet{Configured: true}})
	if err != nil {
		return err
	}
	if len(ops) == 0 && last.Version == set.Version() && last.Digest == f.value.Set.Digest {
		k.force.Store(&inForce{set: set, files: k.Configured, last: last})
		return nil
	}
	return k.enter(ctx, f, ops, set, k.Configured, activation{Configured: true}, "configuration")
}

// prepared returns the header of these files, as it is kept or is to be, and
// the ops that keep the files if they are not kept well already.
func (k *Keeper) prepared(ctx context.Context, files map[string][]byte, set Evaluator, fresh header) (found, []store.Op, error) {
	version := set.Version()
	if !versionShape.MatchString(version) {
		return found{}, nil, fmt.Errorf("policyset: %q is no version", version)
	}
	raw, err := canonical(files)
	if err != nil {
		return found{}, nil, err
	}
	digest := wire.HexDigest(sha256.Sum256(raw))
	h, revision, err := get[header](ctx, k.Store, setKey(version))
	if err == nil && h.Set.Version == version {
		switch _, err := k.read(ctx, &h); {
		case err == nil && h.Set.Digest != digest: // a version is a short hash
			return found{}, nil, refuse(reason.SetExists, "version", version, "state", string(h.Set.State))
		case err == nil:
			return found{setKey(version), h, revision}, nil, nil
		case !errors.Is(err, errNotVerified):
			return found{}, nil, err
		}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, errUnreadable) {
		return found{}, nil, err
	}
	ops, err := parts(version, raw)
	if err != nil {
		return found{}, nil, err
	}
	fresh.Set.Version, fresh.Set.Digest, fresh.Set.Files, fresh.Set.Policies, fresh.Parts = version, digest, len(files), set.Policies(), len(ops)
	fresh.Set.History = slices.Clone(h.Set.History)
	err = k.seal(&fresh)
	return found{setKey(version), fresh, revision}, ops, err
}

// enter puts a set in force in one transaction: the set, the one before it, and
// the activation. It is recorded before it is done.
func (k *Keeper) enter(ctx context.Context, f found, ops []store.Op, set Evaluator, files map[string][]byte, a activation, by string) error {
	before := k.force.Load().last
	a.Number, a.Version, a.Digest, a.Previous, a.At = before.Number+1, set.Version(), f.value.Set.Digest, before.Version, k.now()
	if err := k.note(ctx, a, by); err != nil {
		return err
	}
	f.value.Approvals = nil
	changes := []found{k.stepped(f, wire.PolicyActive, by)}
	all, err := k.headers(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.value.Set.State == wire.PolicyActive && other.value.Set.Version != a.Version {
			changes = append(changes, k.stepped(other, wire.PolicySuperseded, by))
		}
	}
	signature, err := k.sign(labelActivation, a)
	if err != nil {
		return err
	}
	op, err := put(activationKey(a.Number), signedActivation{a, signature})
	if err != nil {
		return err
	}
	if err := k.write(ctx, []store.Compare{{Key: op.Key}}, append(ops, op), changes...); err != nil {
		return err
	}
	k.force.Store(&inForce{set: set, files: files, last: a})
	k.Logger.Info("access policy in force", "version", a.Version, "policies", set.Policies(), "by", by)
	return nil
}

// note records which set comes into force; who asked for it, and how often, is
// recorded by whoever answers officers.
func (k *Keeper) note(ctx context.Context, a activation, by string) error {
	detail, err := json.Marshal(struct {
		Event    string `json:"event"`
		Version  string `json:"version"`
		Digest   string `json:"digest"`
		Previous string `json:"previous,omitempty"`
		By       string `json:"by"`
	}{"policy-in-force", a.Version, a.Digest.String(), a.Previous, by})
	if err != nil {
		return fmt.Errorf("policyset: %w", err)
	}
	if _, err := k.Recorder.Append(ctx, wire.AuditRecord{Kind: wire.AuditSystem, At: a.At, Detail: detail}); err != nil {
		return fmt.Errorf("policyset: recording: %w", err)
	}
	return nil
}

func (k *Keeper) stepped(f found, to wire.PolicyState, by string) found {
	f.value.Set.State = to
	f.value.Set.History = append(slices.Clone(f.value.Set.History), k.step(to, by))
	if n := len(f.value.Set.History); n > maxHistory {
		f.value.Set.History = f.value.Set.History[n-maxHistory:]
	}
	return f
}

// maxHistory bounds the steps of a set that are shown; the audit log has all.
const maxHistory = 200

// write puts changed headers, with whatever else belongs to the step, in one
// transaction. The caller holds k.changing.
func (k *Keeper) write(ctx context.Context, conditions []store.Compare, ops []store.Op, changes ...found) error {
	for _, c := range changes {
		op, err := put(c.key, c.value)
		if err != nil {
			return err
		}
		conditions, ops = append(conditions, store.Compare{Key: c.key, Revision: c.revision}), append(ops, op)
	}
	_, err := k.Store.Txn(ctx, conditions, ops)
	if errors.Is(err, store.ErrIndeterminate) {
		// What is in force is what the store says; while that is not known,
		// nothing is.
		k.force.Store(&inForce{})
		k.tell()
		return errors.Join(fmt.Errorf("policyset: %w", err), k.open(context.WithoutCancel(ctx)))
	}
	if err != nil {
		return fmt.Errorf("policyset: %w", err)
	}
	return nil
}

// inState refuses what a set's state does not allow.
func inState(set *wire.PolicySet) error {
	return refuse(reason.SetState, "version", set.Version, "state", string(set.State))
}
