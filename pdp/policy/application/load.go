package application

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
)

// Bounds of an application.
const (
	MaxFiles     = 64
	MaxBytes     = 4 << 20 // of all files together
	MaxEntities  = 10_000
	MaxPolicies  = 1000
	maxSchema    = 256 << 10
	maxRuleFile  = 256 << 10
	maxNesting   = 64 // of brackets, in any file
	maxHierarchy = 32 // of an entity's ancestors
	maxName      = 100
)

// LoadError says why an application is refused. Line is 0 where no one line is
// to blame, What names the policy or entity where there is one.
type LoadError struct {
	File string
	Line int
	What string
	Err  error
}

func (e *LoadError) Error() string {
	where := e.File
	if e.Line > 0 {
		where += ":" + strconv.Itoa(e.Line)
	}
	if e.What != "" {
		where += ": " + e.What
	}
	return where + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *LoadError) Unwrap() error { return e.Err }

// Application is a loaded application. It never changes and is safe for
// concurrent use; another set of files is another Application.
type Application struct {
	version  string
	entities types.EntityMap
	byType   map[types.EntityType][]string // ids, ascending
	enums    map[types.EntityType]map[types.String]bool
	actions  map[string]*action
	policies int
	brought  int // of the entities
	// absent is context.menshen for subjects of the application's own, asks
	// whether any policy looks at it.
	absent types.Record
	asks   bool
}

// Load parses and validates an application's files, by name. Errors about a
// file are *LoadError.
func Load(files map[string][]byte) (*Application, error) {
	sorted, err := sort(files)
	if err != nil {
		return nil, err
	}
	resolved, err := readSchema(sorted.schema, files[sorted.schema])
	if err != nil {
		return nil, err
	}
	a := &Application{version: version(files), enums: resolved.enums, actions: resolved.actions, absent: absentFacts()}
	if err := a.readEntities(sorted.entities, files, resolved); err != nil {
		return nil, err
	}
	if err := a.readPolicies(sorted.policies, files, resolved); err != nil {
		return nil, err
	}
	a.prepareSilent()
	return a, nil
}

// Version is SHA-256 over names and contents of the files, shortened.
func (a *Application) Version() string { return a.version }

// Policies is how many there are.
func (a *Application) Policies() int { return a.policies }

// Entities is how many entities the application brought.
func (a *Application) Entities() int { return a.brought }

// sorted are the names of an application's files by what they are.
type sorted struct {
	schema             string
	policies, entities []string
}

func sort(files map[string][]byte) (s sorted, err error) {
	if len(files) > MaxFiles {
		return s, fmt.Errorf("more than %d files", MaxFiles)
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		total += len(files[name])
		if len(name) > maxName {
			return s, fmt.Errorf("a file's name is longer than %d bytes", maxName)
		}
		limit := MaxBytes
		switch {
		case strings.HasSuffix(name, ".cedarschema") && s.schema != "":
			return s, &LoadError{File: name, Err: errors.New("there is a schema already: " + s.schema)}
		case strings.HasSuffix(name, ".cedarschema"):
			s.schema, limit = name, maxSchema
		case strings.HasSuffix(name, ".cedar"):
			s.policies, limit = append(s.policies, name), maxRuleFile
		case strings.HasSuffix(name, ".json"):
			s.entities = append(s.entities, name)
		default:
			return s, &LoadError{File: name, Err: errors.New("a file's name ends in .cedarschema, .cedar or .json")}
		}
		if len(files[name]) > limit {
			return s, &LoadError{File: name, Err: fmt.Errorf("larger than %d bytes", limit)}
		}
		if line := tooDeep(name, files[name]); line > 0 {
			return s, &LoadError{File: name, Line: line, Err: fmt.Errorf("nested deeper than %d", maxNesting)}
		}
	}
	switch {
	case total > MaxBytes:
		return s, fmt.Errorf("all files together are larger than %d bytes", MaxBytes)
	case s.schema == "":
		return s, errors.New("no .cedarschema file: nothing could be validated")
	case len(s.policies) == 0:
		return s, errors.New("no .cedar file: nothing would ever be allowed")
	}
	return s, nil
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
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add([]byte(name))
		add(files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
