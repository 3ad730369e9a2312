package baseline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Report is how a machine stands to one baseline, with what a person needs to
// understand and repair it.
type Report struct {
	wire.BaselineReport
	Title   Text
	Numbers Numbers
	// Rules are those of Results, in the same order.
	Rules []Explained
}

// Explained is what a person is told of a rule.
type Explained struct {
	Title, Remedy Text
	// Expected is in signs that need no language, empty where the title says it.
	Expected string
	// Look says where to look at a rule that a person must judge.
	Look Text
	// Partial says that a part of what the baseline asks is not measured.
	Partial bool
}

// maxWire bounds the reports in a claims document, of whose bytes the claims
// need some too.
const maxWire = wire.MaxClaimsBytes * 3 / 4

// Wire returns the reports as the PDP gets them. Where they are too many to be
// sent whole, what was seen is left out: first of rules that pass, then of all.
// Reports that are still too large are not sent, which the PDP notices.
func Wire(reports []Report) []wire.BaselineReport {
	all := make([]wire.BaselineReport, 0, len(reports))
	for _, r := range reports {
		all = append(all, r.BaselineReport)
	}
	for _, spare := range []func(wire.RuleResult) bool{
		func(wire.RuleResult) bool { return false },
		func(r wire.RuleResult) bool { return r.State == wire.ClaimPass || r.State == wire.ClaimNotApplicable },
		func(wire.RuleResult) bool { return true },
	} {
		for i := range all {
			all[i].Results = without(all[i].Results, spare)
		}
		if raw, err := json.Marshal(all); err == nil && len(raw) <= maxWire {
			return all
		}
	}
	return nil
}

// without leaves out what was seen of some results.
func without(results []wire.RuleResult, spare func(wire.RuleResult) bool) []wire.RuleResult {
	results = slices.Clone(results)
	for i, r := range results {
		if spare(r) {
			results[i].Seen = ""
		}
	}
	return results
}

// Listed is one baseline of a set, for administrators.
type Listed struct {
	ID, Version string
	Title       Text
	Numbers     Numbers
	AppliesTo   []System
	RuleSet     []byte
	Rules       int
}

// List returns every baseline of the set.
func (s *Set) List() []Listed {
	var all []Listed
	for _, b := range s.baselines {
		all = append(all, Listed{b.ID, b.Version, b.Title, b.Numbers, b.AppliesTo, slices.Clone(b.digest[:]), len(b.rules)})
	}
	return all
}

// Measure measures the machine against each baseline that applies to it.
func (s *Set) Measure(ctx context.Context, machine Machine) ([]Report, error) {
	m := machine.look(ctx)
	id, version, err := m.system()
	if err != nil {
		return nil, err
	}
	var reports []Report
	for _, b := range s.baselines {
		if slices.ContainsFunc(b.AppliesTo, func(x System) bool { return x.covers(id, version) }) {
			reports = append(reports, b.measure(m))
		}
	}
	return reports, nil
}

func (x System) covers(id, version string) bool {
	return x.ID == id && (x.Version == version || strings.HasPrefix(version, x.Version+"."))
}

// system reads os-release(5).
func (m *measurement) system() (id, version string, err error) {
	text, err := m.readIfThere("/etc/os-release")
	if err == nil && text == "" {
		text, err = m.read("/usr/lib/os-release")
	}
	if err != nil {
		return "", "", fmt.Errorf("baseline: which system this is: %w", err)
	}
	for _, line := range lines(text) {
		name, is, _ := strings.Cut(line, "=")
		switch is = strings.Trim(is, `"'`); name {
		case "ID":
			id = is
		case "VERSION_ID":
			version = is
		}
	}
	if id == "" || version == "" {
		return "", "", fmt.Errorf("baseline: os-release names no system and version")
	}
	return id, version, nil
}

func (b *loaded) measure(m *measurement) Report {
	r := Report{
		BaselineReport: wire.BaselineReport{Baseline: b.ID, Version: b.Version, RuleSet: slices.Clone(b.digest[:])},
		Title:          b.Title, Numbers: b.Numbers,
	}
	for _, rule := range b.rules {
		o := rule.measure(m)
		r.Results = append(r.Results, wire.RuleResult{Rule: rule.id, State: o.state, Seen: short(o.seen)})
		e := Explained{Title: rule.Title, Remedy: rule.Remedy, Partial: rule.Partial}
		if rule.Expect != nil {
			e.Expected = rule.Expect.String()
		}
		if rule.Manual != nil {
			e.Look = rule.Manual.Look
		}
		r.Rules = append(r.Rules, e)
	}
	return r
}

// measure runs the rule's check. One that panics has measured nothing, and must
// not take the agent with it.
func (r *Rule) measure(m *measurement) (o outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			o = cannot("the check failed: %v", fault)
		}
	}()
	if instead := r.When.unmet(m); instead != nil {
		return *instead
	}
	if o = r.all()[0].measure(m, r.Expect); !o.state.Valid() || o.state == wire.ClaimException {
		return cannot("the check gave no result")
	}
	return o
}

// short makes what was seen one short printable line.
func short(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return ' '
	}, text)
	if len(text) <= wire.MaxSeen {
		return text
	}
	const more = "…"
	return strings.ToValidUTF8(text[:wire.MaxSeen-len(more)], "") + more
}
