// Package yamlfile reads a configuration file strictly: an unknown or doubled
// key, a wrong type or a second document is an error that names its line.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxBytes bounds a configuration file.
const MaxBytes = 1 << 20

// ExitCode is sysexits' EX_CONFIG: a service manager does not restart on it.
const ExitCode = 78

// Error is a configuration error. Its text names the file, the line and what
// was expected there.
type Error struct {
	File string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("configuration %s: %v", e.File, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fault is one wrong value: where it stands, such as "$.web.origin", and what
// is wrong with it.
type Fault struct {
	Path    string
	Problem string
}

// Checker is a configuration that can judge its own values once it is decoded.
type Checker interface{ Check() []Fault }

// Load reads the file into v, strictly, and has v check itself where it is a
// Checker. Every error is an *Error and names the lines at fault.
func Load(file string, v any) error {
	raw, err := read(file)
	if err != nil {
		return &Error{File: file, Err: err}
	}
	return Decode(file, raw, v)
}

// Decode is Load for a document that is already in memory; file names it in
// errors.
func Decode(file string, raw []byte, v any) (err error) {
	defer func() {
		// The library panics on some malformed documents (FuzzDecode has one).
		if p := recover(); p != nil {
			err = &Error{File: file, Err: fmt.Errorf("not a document that can be read: %v", p)}
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(raw), yaml.DisallowUnknownField())
	first := v
	if saysNothing(raw) {
		first = new(any) // the library would wipe the defaults out of v
	}
	if err := decoder.Decode(first); err != nil && !errors.Is(err, io.EOF) {
		return &Error{File: file, Err: errors.New(yaml.FormatError(err, false, true))}
	}
	var second any
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return &Error{File: file, Err: errors.New("only one YAML document is allowed")}
	}
	checker, ok := v.(Checker)
	if !ok {
		return nil
	}
	var all []error
	for _, fault := range checker.Check() {
		all = append(all, locate(raw, fault))
	}
	if len(all) > 0 {
		return &Error{File: file, Err: errors.Join(all...)}
	}
	return nil
}

// saysNothing reports whether the first document is empty but for comments.
func saysNothing(raw []byte) bool {
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return false // the decoder says what is wrong
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return true
	}
	switch file.Docs[0].Body.Type() {
	case ast.NullType, ast.CommentType:
		return true
	default:
		return false
	}
}

// locate names the line of a fault, or of the nearest key above it that is in
// the file: a missing value has no line of its own.
func locate(raw []byte, f Fault) error {
	for at := f.Path; at != "$" && at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		path, err := yaml.PathString(at)
		if err != nil {
			break
		}
		node, err := path.ReadNode(bytes.NewReader(raw))
		if err != nil {
			continue
		}
		return fmt.Errorf("line %d: %s: %s", node.GetToken().Position.Line, strings.TrimPrefix(f.Path, "$."), f.Problem)
	}
	return fmt.Errorf("%s: %s", strings.TrimPrefix(f.Path, "$."), f.Problem)
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("larger than %d bytes", MaxBytes)
	}
	return raw, nil
}
