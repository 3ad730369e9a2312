package policyset

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of what is watched in the shadow.
const (
	queued       = 1024 // decisions that wait to be looked at
	maxRows      = 2000
	maxExamples  = 5
	maxRowRules  = 8
	maxRowsShown = 200
)

// observed is a decision that was taken.
type observed struct {
	facts   *wire.Facts
	action  wire.Action
	id      string
	version string
}

// shadow is the candidate that is evaluated beside the set in force, with what
// was counted.
type shadow struct {
	set     Evaluator
	against Evaluator
	since   time.Time
	dropped atomic.Uint64

	mu       sync.Mutex
	judged   uint64
	failed   uint64
	unlisted uint64
	rows     map[row]*counted
}

// row is one kind of difference.
type row struct {
	was, now wire.PolicyAnswer
	portal   string
	action   wire.Action
	rules    string
}

type counted struct {
	count    uint64
	examples []string
}

// openShadow puts the set in the shadow that the store names, if there is one
// and it verifies. Its counts go on while neither it nor the set in force
// changes. The caller holds k.changing.
func (k *Keeper) openShadow(ctx context.Context) error {
	all, err := k.headers(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(f found) bool { return f.value.Set.State == wire.PolicyShadow })
	against := k.Active()
	if i < 0 || against == nil {
		k.shadow.Store(nil)
		return nil
	}
	if s := k.shadow.Load(); s != nil && s.set.Version() == all[i].value.Set.Version && s.against.Version() == against.Version() {
		return nil
	}
	set, _, err := k.evaluator(ctx, &all[i].value)
	if err != nil {
		k.Logger.Error("the policy set in shadow is left out", "version", all[i].value.Set.Version, "error", err)
		k.shadow.Store(nil)
		return nil
	}
	k.shadow.Store(&shadow{set: set, against: against, since: k.now(), rows: map[row]*counted{}})
	return nil
}

// Observe offers a decision that was taken, with its facts, which must not
// change afterwards. It never blocks: what finds no room is counted as dropped.
func (k *Keeper) Observe(facts *wire.Facts, d *wire.Decision) {
	s := k.shadow.Load()
	if s == nil {
		return
	}
	select {
	case k.queue <- observed{facts, d.Action, d.ID, d.PolicyVersion}:
	default:
		s.dropped.Add(1)
	}
}

// Run evaluates observed decisions beside the set in force until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-k.queue:
			if s := k.shadow.Load(); s != nil && s.against.Version() == o.version {
				s.judge(o)
			}
		}
	}
}

// judge evaluates both sets, at the time of the decision: what the session made
// of the first one's answer is no difference between policies.
func (s *shadow) judge(o observed) {
	was, now, err := compare(s.against, s.set, o.facts, o.action)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed++
		return
	}
	s.judged++
	if was.answer == now.answer {
		return
	}
	stricter := now
	if was.answer.Rank() < now.answer.Rank() {
		stricter = was
	}
	rules := stricter.Policies[:min(len(stricter.Policies), maxRowRules)]
	at := row{was.answer, now.answer, o.facts.Portal.ID, o.action, strings.Join(rules, " ")}
	c := s.rows[at]
	if c == nil {
		if len(s.rows) == maxRows {
			s.unlisted++
			return
		}
		c = &counted{}
		s.rows[at] = c
	}
	c.count++
	if len(c.examples) < maxExamples {
		c.examples = append(c.examples, o.id)
	}
}

// judged is a set's decision as it is felt.
type judged struct {
	wire.Decision
	answer wire.PolicyAnswer
}

// compare puts the same facts to two sets, at the time of the facts. A set that
// panics fails the comparison and nothing else.
func compare(a, b Evaluator, facts *wire.Facts, action wire.Action) (was, now judged, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("policyset: evaluating panicked: %v", p)
		}
	}()
	was.Decision, now.Decision = a.Decide(*facts, action, facts.At), b.Decide(*facts, action, facts.At)
	was.answer, now.answer = wire.AnswerOf(&was.Decision), wire.AnswerOf(&now.Decision)
	return was, now, nil
}

// ShadowReport tells what was counted since the shadow began.
func (k *Keeper) ShadowReport() (wire.PolicyShadowReport, error) {
	s := k.shadow.Load()
	if s == nil {
		return wire.PolicyShadowReport{}, refuse(reason.SetNoShadow)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	report := wire.PolicyShadowReport{
		Version: s.set.Version(), Against: s.against.Version(), Since: s.since,
		Judged: s.judged, Dropped: s.dropped.Load(), Failed: s.failed, Unlisted: s.unlisted,
		Differences: make([]wire.PolicyDifference, 0, len(s.rows)),
	}
	for at, c := range s.rows {
		report.Differences = append(report.Differences, wire.PolicyDifference{
			Was: at.was, Now: at.now, Portal: at.portal, Action: at.action, Rules: strings.Fields(at.rules),
			Count: c.count, Examples: slices.Clone(c.examples),
		})
	}
	slices.SortFunc(report.Differences, func(a, b wire.PolicyDifference) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Portal, b.Portal), cmp.Compare(a.Was, b.Was), cmp.Compare(a.Now, b.Now),
			cmp.Compare(a.Action, b.Action), slices.Compare(a.Rules, b.Rules))
	})
	for _, d := range report.Differences[min(len(report.Differences), maxRowsShown):] {
		report.Unlisted += d.Count
	}
	report.Differences = report.Differences[:min(len(report.Differences), maxRowsShown)]
	return report, nil
}
