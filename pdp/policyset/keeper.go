package policyset

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/store"
)

// Evaluator is a loaded policy set. It never changes, is safe for concurrent
// use, and its answers depend on its arguments alone.
type Evaluator interface {
	// Decide judges one action on facts at that moment, and never fails.
	Decide(facts wire.Facts, action wire.Action, at time.Time) wire.Decision
	Version() string
	Policies() int
}

// Recorder is the audit log: Append returns once the record is durable.
type Recorder interface {
	Append(ctx context.Context, r wire.AuditRecord) (uint64, error)
}

// Source gives the recorded decisions since a time with their inputs, the
// oldest first. An error that carries a reason stands for one decision that
// cannot be given, and the next may follow; any other says that the rest cannot
// be read. The sequence ends when ctx does.
type Source func(ctx context.Context, since time.Time) iter.Seq2[wire.RecordedDecision, error]

// Config is what a Keeper needs; every field is required but Recorded, without
// which there is no what-if.
type Config struct {
	Store store.Store
	// Load reads and validates a set; its error says where and why.
	Load func(files map[string][]byte) (Evaluator, error)
	// Configured is the set that is in force while officers activated none.
	Configured map[string][]byte
	// Approval signs what is kept (Ed25519).
	Approval ed25519.PrivateKey
	// Approvers is how many officers must approve an activation: 1 or 2.
	Approvers int
	// ConfirmAbove is the share of people, in percent, that may lose access in a
	// what-if before an activation must be confirmed by typing.
	ConfirmAbove int
	Recorder     Recorder
	Recorded     Source
	Clock        func() time.Time
	Logger       *slog.Logger
}

// Keeper keeps the policy sets. It is safe for concurrent use.
type Keeper struct {
	Config
	approvalKey ed25519.PublicKey

	// changing keeps steps in a row, so that what is in memory is never older
	// than what the store holds.
	changing sync.Mutex
	force    atomic.Pointer[inForce]
	shadow   atomic.Pointer[shadow]
	queue    chan observed
	trying   sync.Mutex // one what-if at a time

	mu          sync.Mutex
	subscribers []func()
	loaded      cache
}

// inForce is the set that decides; none does where set is nil.
type inForce struct {
	set   Evaluator
	files map[string][]byte
	last  activation
}

// maxSets bounds the sets that are kept.
const maxSets = 2000

var versionShape = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// New opens the kept sets and puts one in force, or none if what should be
// cannot be trusted. Its error is the store's, the audit log's, or says what is
// wrong with the configured set.
func New(ctx context.Context, c Config) (*Keeper, error) {
	for name, missing := range map[string]bool{
		"store": c.Store == nil, "load": c.Load == nil, "configured set": len(c.Configured) == 0, "approval key": len(c.Approval) != ed25519.PrivateKeySize,
		"number of approvers (1 or 2)": c.Approvers < 1 || c.Approvers > 2, "share to confirm above (0 to 100)": c.ConfirmAbove < 0 || c.ConfirmAbove > 100,
		"recorder": c.Recorder == nil, "clock": c.Clock == nil, "logger": c.Logger == nil,
	} {
		if missing {
			return nil, fmt.Errorf("policyset: no %s", name)
		}
	}
	k := &Keeper{Config: c, approvalKey: ed25519.PublicKey(c.Approval[32:]), queue: make(chan observed, queued)}
	k.changing.Lock()
	defer k.changing.Unlock()
	if err := k.open(ctx); err != nil {
		return nil, err
	}
	return k, k.openShadow(ctx)
}

// Active returns the set in force; nil where none can be trusted, and then
// everything is to be denied.
func (k *Keeper) Active() Evaluator { return k.force.Load().set }

// ActiveFiles returns the version and the files of the set in force. Shared:
// read only.
func (k *Keeper) ActiveFiles() (version string, files map[string][]byte) {
	f := k.force.Load()
	return f.last.Version, f.files
}

// ConfiguredInForce reports whether the configured set is in force.
func (k *Keeper) ConfiguredInForce() bool { return k.force.Load().last.Configured }

// Problem says why no set is in force; its code is empty if one is.
func (k *Keeper) Problem() wire.Reason {
	if k.Active() == nil {
		return reason.New(reason.PolicyUntrusted)
	}
	return wire.Reason{}
}

// Subscribe has f called after another set came into force, in the goroutine
// that brought it: f must not block.
func (k *Keeper) Subscribe(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.subscribers = append(k.subscribers, f)
}

func (k *Keeper) tell() {
	k.mu.Lock()
	subscribers := k.subscribers
	k.mu.Unlock()
	for _, f := range subscribers {
		f()
	}
}

// Sets lists the kept sets, with the approvals that count now.
func (k *Keeper) Sets(ctx context.Context) ([]wire.PolicySet, error) {
	all, err := k.headers(ctx)
	if err != nil {
		return nil, err
	}
	sets := make([]wire.PolicySet, len(all))
	for i := range all {
		sets[i] = k.shown(&all[i].value)
	}
	return sets, nil
}

// shown is a set as it is told: the approvals are those that count.
func (k *Keeper) shown(h *header) wire.PolicySet {
	set := h.Set
	set.Approvals = nil
	if set.State == wire.PolicyActive {
		return set
	}
	for _, a := range k.approvals(h, k.force.Load().last.Number) {
		set.Approvals = append(set.Approvals, a.Approval)
	}
	return set
}

// Show returns one set with its files, by its version.
func (k *Keeper) Show(ctx context.Context, version string) (wire.PolicySetView, error) {
	f, err := k.find(ctx, version)
	if err != nil {
		return wire.PolicySetView{}, err
	}
	files, err := k.checked(ctx, &f.value)
	if err != nil {
		return wire.PolicySetView{}, err
	}
	view := wire.PolicySetView{Set: k.shown(&f.value), Files: make(map[string]string, len(files))}
	for name, text := range files {
		view.Files[name] = string(text)
	}
	return view, nil
}

// find returns a kept set's header; its error wraps store.ErrNotFound.
func (k *Keeper) find(ctx context.Context, version string) (found, error) {
	if !versionShape.MatchString(version) {
		return found{}, store.ErrNotFound
	}
	h, revision, err := get[header](ctx, k.Store, setKey(version))
	if err == nil && h.Set.Version != version {
		err = errUnreadable
	}
	if errors.Is(err, errUnreadable) {
		err = refuse(reason.SetNotVerified, "version", version)
	}
	return found{setKey(version), h, revision}, err
}

// checked reads a set's files, or refuses with the reason.
func (k *Keeper) checked(ctx context.Context, h *header) (map[string][]byte, error) {
	files, err := k.read(ctx, h)
	if errors.Is(err, errNotVerified) {
		k.Logger.Error("a policy set is not what was signed", "version", h.Set.Version, "error", err)
		return nil, refuse(reason.SetNotVerified, "version", h.Set.Version)
	}
	return files, err
}

// evaluator loads a kept set. A set that another release checked, by another
// schema, is refused: its version says nothing of what it means now.
func (k *Keeper) evaluator(ctx context.Context, h *header) (Evaluator, map[string][]byte, error) {
	files, err := k.checked(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	set, err := k.load(files)
	if err != nil {
		return nil, nil, err
	}
	if set.Version() != h.Set.Version {
		return nil, nil, refuse(reason.SetOtherProgram, "version", h.Set.Version, "now", set.Version())
	}
	return set, files, nil
}

// load validates files; the refusal says where and why.
func (k *Keeper) load(files map[string][]byte) (Evaluator, error) {
	set, err := k.Load(files)
	if err != nil {
		return nil, refuse(reason.CfgPolicy, "detail", err.Error())
	}
	return set, nil
}

// At returns the set of a version that decided once, for replay.
func (k *Keeper) At(ctx context.Context, version string) (Evaluator, error) {
	if f := k.force.Load(); f.set != nil && f.set.Version() == version {
		return f.set, nil
	}
	if set := k.loaded.get(version); set != nil {
		return set, nil
	}
	f, err := k.find(ctx, version)
	if err != nil {
		return nil, err
	}
	set, _, err := k.evaluator(ctx, &f.value)
	if err != nil {
		return nil, err
	}
	k.loaded.put(set)
	return set, nil
}

// cache keeps the few sets that were asked for last.
type cache struct {
	mu   sync.Mutex
	sets []Evaluator
}

const cached = 8

func (c *cache) get(version string) Evaluator {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, set := range c.sets {
		if set.Version() == version {
			return set
		}
	}
	return nil
}

func (c *cache) put(set Evaluator) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sets) == cached {
		c.sets = append(c.sets[:0:0], c.sets[1:]...)
	}
	c.sets = append(c.sets, set)
}
