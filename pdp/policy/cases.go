package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// Bounds of a file of cases.
const (
	MaxCases     = 10_000 // a file
	MaxCaseBytes = yamlfile.MaxBytes
)

// Case is one situation and what a policy set must answer to it. It starts from
// a healthy session (somebody of the portal's agency on a wholly affirmed
// laptop, a touch of a hardware key five minutes ago, a normal portal, Monday
// morning), of which Set changes attributes by their names in the schema.
type Case struct {
	File string `yaml:"-"`
	Name string `yaml:"name"`
	// At is the time of the decision, RFC 3339; Monday, 23 November 2026, 10:00
	// in Taiwan if it is not given.
	At string `yaml:"at"`
	// Person and Portal are ids, Groups the person's groups, for policies whose
	// scope names them.
	Person string         `yaml:"person"`
	Portal string         `yaml:"portal"`
	Groups []string       `yaml:"groups"`
	Set    map[string]any `yaml:"set"`
	Action wire.Action    `yaml:"action"`

	// Effect is "allow", "read-only" (an allowed read of a session that may not
	// write), "step-up" or "deny".
	Effect string `yaml:"effect"`
	// Reasons are all the codes, in any order; not compared if there is no list.
	Reasons []string `yaml:"reasons"`
	// Needs is the smallest set of changes that helps, such as "sign-in" and
	// "fix-claim firewall", in any order; not compared if there is no list.
	Needs []string `yaml:"needs"`

	facts wire.Facts
}

// CaseError says which case of a file is no case.
type CaseError struct {
	File, Case string
	Err        error
}

func (e *CaseError) Error() string {
	if e.Case == "" {
		return fmt.Sprintf("policy cases %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("policy cases %s: case %q: %v", e.File, e.Case, e.Err)
}

// Unwrap returns the cause.
func (e *CaseError) Unwrap() error { return e.Err }

// ParseCases reads a YAML file of cases; name is told in errors, each of which
// is a *CaseError. A case that no session can be in is an error, too.
func ParseCases(name string, text []byte) ([]Case, error) {
	if len(text) > MaxCaseBytes {
		return nil, &CaseError{File: name, Err: fmt.Errorf("larger than %d bytes", MaxCaseBytes)}
	}
	var file struct {
		Cases []Case `yaml:"cases"`
	}
	if err := yamlfile.Decode(name, text, &file); err != nil {
		return nil, &CaseError{File: name, Err: err}
	}
	if len(file.Cases) == 0 || len(file.Cases) > MaxCases {
		return nil, &CaseError{File: name, Err: fmt.Errorf("a file holds 1 to %d cases", MaxCases)}
	}
	seen := make(map[string]bool, len(file.Cases))
	for i := range file.Cases {
		c := &file.Cases[i]
		c.File = name
		err := c.prepare()
		if err == nil && seen[c.Name] {
			err = errors.New("this name stands twice")
		}
		if err != nil {
			return nil, &CaseError{File: name, Case: c.Name, Err: err}
		}
		seen[c.Name] = true
	}
	return file.Cases, nil
}

var effects = [...]string{"allow", "read-only", "step-up", "deny"}

// prepare checks a case and makes its facts.
func (c *Case) prepare() error {
	switch {
	case c.Name == "":
		return errors.New("every case needs a name")
	case !slices.Contains(actions[:], c.Action):
		return fmt.Errorf("action %q is none of %q", c.Action, actions)
	case !slices.Contains(effects[:], c.Effect):
		return fmt.Errorf("effect %q is none of %q", c.Effect, effects)
	case c.Effect == "read-only" && c.Action != wire.ActionRead:
		return errors.New("only reading can be read-only")
	}
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, taiwan)
	if c.At != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, c.At); err != nil {
			return fmt.Errorf("at: %q is no time such as 2026-11-23T10:00:00+08:00", c.At)
		}
	}
	c.facts = healthy(at.UTC())
	if c.Person != "" {
		c.facts.Person.ID, c.facts.SignIn.PersonID = c.Person, c.Person
	}
	if c.Portal != "" {
		c.facts.Portal.ID = c.Portal
	}
	c.facts.Person.Groups = c.Groups
	return arrange(&c.facts, c.Set)
}

// Check decides a case. The problem is empty where the answer is the wanted one,
// else it says in English what differs.
func (e *Engine) Check(c Case) (got wire.Decision, problem string) {
	if c.facts.At.IsZero() {
		return wire.Decision{}, "this case does not come from ParseCases"
	}
	got = e.Decide(c.facts, c.Action, c.facts.At)
	var differ []string
	if effect := effectOf(got); effect != c.Effect {
		differ = append(differ, fmt.Sprintf("effect is %s, want %s", effect, c.Effect))
	}
	if has := codesOf(got); c.Reasons != nil && !slices.Equal(has, sorted(c.Reasons)) {
		differ = append(differ, fmt.Sprintf("reasons are %q, want %q", has, sorted(c.Reasons)))
	}
	if has := needsOf(got); c.Needs != nil && !slices.Equal(has, sorted(c.Needs)) {
		differ = append(differ, fmt.Sprintf("what helps is %q, want %q", has, sorted(c.Needs)))
	}
	if len(differ) > 0 && c.Reasons == nil {
		differ = append(differ, fmt.Sprintf("reasons are %q", codesOf(got)))
	}
	return got, strings.Join(differ, "; ")
}

func effectOf(d wire.Decision) string {
	if d.Effect == wire.Allow && d.Obligations.ReadOnly {
		return "read-only"
	}
	return d.Effect.String()
}

func codesOf(d wire.Decision) []string {
	all := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		all = append(all, r.Code)
	}
	return sorted(all)
}

// needsOf is the set of changes that is known to help.
func needsOf(d wire.Decision) []string {
	all := []string{}
	if !d.Suffices {
		return all
	}
	for _, r := range d.Remedies {
		all = append(all, strings.TrimSpace(r.Action+" "+string(r.Claim)))
	}
	return sorted(all)
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// Unspoken returns the ids of the policies that determined none of the cases'
// answers: nobody would notice if they were wrong.
func (e *Engine) Unspoken(cases []Case) []string {
	silent := make(map[string]bool, e.rules.size)
	for id := range e.rules.byID {
		silent[string(id)] = true
	}
	for _, c := range cases {
		for _, id := range e.Decide(c.facts, c.Action, c.facts.At).Policies {
			delete(silent, id)
		}
	}
	ids := make([]string, 0, len(silent))
	for id := range silent {
		ids = append(ids, id)
	}
	return sorted(ids)
}
