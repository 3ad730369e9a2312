package remedy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// action is one remedy. Applying it again, and restoring again, change nothing
// further: after a crash either may come twice.
type action interface {
	// before returns what restore needs, and changes nothing.
	before(ctx context.Context) (json.RawMessage, error)
	apply(ctx context.Context) error
	restore(ctx context.Context, before json.RawMessage) error
}

// keeper applies and undoes, one at a time.
type keeper struct {
	config  Config
	records records
	actions map[Name]action

	mu sync.Mutex
}

func newKeeper(c Config) *keeper {
	return &keeper{config: c, records: records{c.Folder}, actions: map[Name]action{
		Firewall:    &firewall{namespace: c.Namespace},
		AutoUpdates: &aptDropIn{root: c.Root},
		TimeSync:    &timeSync{commands: c.Commands},
	}}
}

func (k *keeper) list() ([]State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var states []State
	for _, name := range Names() {
		one, err := k.records.load(name)
		if err != nil {
			return nil, err
		}
		s := State{Name: name, Allowed: k.allowed(name)}
		if one != nil {
			s.Recorded, s.Applied, s.At = true, one.Applied, one.At
		}
		states = append(states, s)
	}
	return states, nil
}

func (k *keeper) allowed(name Name) bool { return slices.Contains(k.config.Allowed, name) }

// apply records what is there, if that was not done before, and applies.
func (k *keeper) apply(ctx context.Context, name Name, uid int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	act, known := k.actions[name]
	if !known || !k.allowed(name) {
		return k.told(DoApply, name, uid, ErrNotAllowed)
	}
	return k.told(DoApply, name, uid, k.applyOnce(ctx, name, act))
}

func (k *keeper) applyOnce(ctx context.Context, name Name, act action) error {
	one, err := k.records.load(name)
	if err != nil {
		return err
	}
	if one == nil {
		before, err := act.before(ctx)
		if err != nil {
			return err
		}
		one = &record{V: version, Remedy: name, At: k.config.Clock().UTC(), Before: before}
		if err := k.records.save(*one); err != nil {
			return fmt.Errorf("recording what is there: %w", err)
		}
	}
	if err := act.apply(ctx); err != nil {
		return err
	}
	if one.Applied {
		return nil
	}
	one.Applied = true
	return k.records.save(*one)
}

// undo restores what was recorded, also where the remedy is allowed no more.
func (k *keeper) undo(ctx context.Context, name Name, uid int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	act, known := k.actions[name]
	if !known {
		return k.told(DoUndo, name, uid, ErrNothing)
	}
	return k.told(DoUndo, name, uid, k.undoOnce(ctx, name, act))
}

func (k *keeper) undoOnce(ctx context.Context, name Name, act action) error {
	one, err := k.records.load(name)
	if err != nil {
		return err
	}
	if one == nil {
		return ErrNothing
	}
	if err := act.restore(ctx, one.Before); err != nil {
		return err
	}
	return k.records.remove(name)
}

// again applies anew what was applied before a restart of the machine, and is
// still allowed. What was interrupted stays as it is: it can be undone.
func (k *keeper) again(ctx context.Context) {
	for _, name := range Names() {
		one, err := k.records.load(name)
		if err != nil {
			k.config.Logger.Error("a record cannot be read", "remedy", name, "error", err)
			continue
		}
		switch {
		case one == nil:
		case !one.Applied:
			k.config.Logger.Warn("a remedy was interrupted; apply it again or undo it", "remedy", name)
		case k.allowed(name):
			_ = k.apply(ctx, name, -1) // logged
		}
	}
}

// told logs what was done, durably and to the journal. What cannot be logged
// has not been done well.
func (k *keeper) told(do Do, name Name, uid int, err error) error {
	e := entry{At: k.config.Clock().UTC(), Do: do, Remedy: name, UID: uid}
	if !slices.Contains(Names(), name) {
		e.Remedy = "unknown"
	}
	if err != nil {
		e.Problem, e.Detail = problemOf(err), err.Error()
		k.config.Logger.Warn("a remedy was not done", "do", do, "remedy", e.Remedy, "uid", uid, "error", err)
	} else {
		k.config.Logger.Info("a remedy was done", "do", do, "remedy", name, "uid", uid)
	}
	if failed := k.records.log(e); failed != nil {
		k.config.Logger.Error("the log of remedies was not written", "error", failed)
		return errors.Join(err, failed)
	}
	return err
}

func problemOf(err error) Problem {
	switch {
	case errors.Is(err, ErrNotAllowed):
		return ProblemNotAllowed
	case errors.Is(err, ErrNothing):
		return ProblemNothing
	}
	return ProblemFailed
}
