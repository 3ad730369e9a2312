package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Bounds of a policy set.
const (
	MaxFiles     = 256
	MaxFileBytes = 1 << 20
	MaxPolicies  = 10_000

	maxFaults = 20 // told of one file
)

// LoadError says why a policy set is refused. Line is 0 where no one line is
// to blame.
type LoadError struct {
	File   string
	Line   int
	Policy string // its @id, where it has one
	Err    error
}

func (e *LoadError) Error() string {
	where := e.File
	if e.Line > 0 {
		where += ":" + strconv.Itoa(e.Line)
	}
	if e.Policy != "" {
		where += ": policy " + e.Policy
	}
	return fmt.Sprintf("access policy %s: %v", where, e.Err)
}

// Unwrap returns the cause.
func (e *LoadError) Unwrap() error { return e.Err }

// Engine is a loaded policy set. It never changes and is safe for concurrent
// use; a new set is a new Engine.
type Engine struct {
	rules   index
	version string
	// thresholds are the numbers that stand in the policies: an age or a minute
	// of the day that passes one of them ends a decision.
	thresholds thresholds
	view       *view
	withheld   map[string]bool // codes that a person sees and nothing more
}

// Load parses and validates the policy files, by name; only names that end in
// .cedar are accepted. The error joins one *LoadError for each fault, at most
// maxFaults of a file.
func Load(files map[string][]byte) (*Engine, error) {
	if len(files) == 0 {
		return nil, errors.New("access policy: no files: nothing would ever be allowed")
	}
	if len(files) > MaxFiles {
		return nil, fmt.Errorf("access policy: more than %d files", MaxFiles)
	}
	check, err := newChecker()
	if err != nil {
		return nil, err
	}
	return check.load(files)
}

func (c *checker) load(files map[string][]byte) (*Engine, error) {
	var rules []*rule
	var faults []error
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		parsed, err := c.file(name, files[name])
		if err != nil {
			faults = append(faults, err)
		}
		for _, r := range parsed {
			if other, twice := seen[r.id]; twice {
				faults = append(faults, &LoadError{File: name, Line: r.line, Policy: r.id, Err: fmt.Errorf("this @id stands in %s already", other)})
			}
			seen[r.id] = name
			r.file = name
		}
		rules = append(rules, parsed...)
	}
	switch {
	case len(faults) > 0:
		return nil, errors.Join(faults...)
	case len(rules) > MaxPolicies:
		return nil, fmt.Errorf("access policy: more than %d policies", MaxPolicies)
	}
	read := readsOfAll(rules)
	e := &Engine{rules: newIndex(rules), version: version(files), thresholds: newThresholds(&read), withheld: c.withheld}
	e.view = newView(read, &e.thresholds)
	return e, nil
}

// Warnings tells of policies that can never apply, whatever is asked: each is a
// *LoadError with its place. They are no reason to refuse a set, and worth a
// look: what they were meant to do nobody does.
func (e *Engine) Warnings() []error {
	var all []error
	for _, r := range e.rules.inOrder() {
		if r.neverApplies() {
			all = append(all, &LoadError{File: r.file, Line: r.line, Policy: r.id, Err: errors.New("this policy can never apply: its conditions contradict themselves")})
		}
	}
	return all
}

// Version returns the policy set's version: SHA-256 over schema and files,
// shortened.
func (e *Engine) Version() string { return e.version }

// Policies returns how many policies the set holds.
func (e *Engine) Policies() int { return e.rules.size }

// checker is what every policy is held against.
type checker struct {
	validator *validate.Validator
	codes     map[string]bool // that have a text
	withheld  map[string]bool // codes whose text a person does not see
}

func newChecker() (*checker, error) {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar(schemaText); err != nil {
		return nil, &LoadError{File: "schema.cedarschema", Err: err}
	}
	resolved, err := s.Resolve()
	if err != nil {
		return nil, &LoadError{File: "schema.cedarschema", Err: err}
	}
	c := &checker{validator: validate.New(resolved, validate.WithStrict()), codes: map[string]bool{}, withheld: map[string]bool{}}
	for _, code := range reason.Codes() {
		c.codes[code] = true
		c.withheld[code] = reason.Of(reason.English, wire.Reason{Code: code}).Withheld
	}
	return c, nil
}

func (c *checker) file(name string, text []byte) ([]*rule, error) {
	if !strings.HasSuffix(name, ".cedar") {
		return nil, &LoadError{File: name, Err: errors.New("a policy file's name ends in .cedar")}
	}
	if len(text) > MaxFileBytes {
		return nil, &LoadError{File: name, Err: fmt.Errorf("larger than %d bytes", MaxFileBytes)}
	}
	list, err := cedar.NewPolicyListFromBytes(name, text)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	rules := make([]*rule, 0, len(list))
	var faults []error
	for _, p := range list {
		r, err := newRule(p, c.codes)
		if err == nil {
			err = c.validator.Policy(r.id, (*ast.Policy)(p.AST()))
		}
		if err == nil {
			err = r.reads.misspelt
		}
		if err != nil && len(faults) < maxFaults {
			faults = append(faults, &LoadError{File: name, Line: p.Position().Line, Policy: string(p.Annotations()["id"]), Err: err})
		}
		rules = append(rules, r)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return rules, nil
}

var parserPlace = regexp.MustCompile(`^parser error: (?:parse error at )?<input>:(\d+):\d+:? ?`)

// syntaxError moves the place that the parser names into the error's own line.
func syntaxError(file string, err error) error {
	text := err.Error()
	place := parserPlace.FindStringSubmatch(text)
	if place == nil {
		return &LoadError{File: file, Err: err}
	}
	line, _ := strconv.Atoi(place[1]) // digits by the expression
	return &LoadError{File: file, Line: line, Err: errors.New("syntax: " + strings.TrimPrefix(text, place[0]))}
}

// version hashes names and contents, each with its length, so that no two sets
// share a digest by shifting bytes from one file to the next.
func version(files map[string][]byte) string {
	h := sha256.New()
	add := func(b []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	add(schemaText)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add([]byte(name))
		add(files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
