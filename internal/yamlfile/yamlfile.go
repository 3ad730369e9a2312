// Package yamlfile reads a configuration file strictly: an unknown or doubled
// key, a wrong type or a second document is an error that names its line.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
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

// Load reads the file into v, strictly. Every error is an *Error.
func Load(file string, v any) error {
	raw, err := read(file)
	if err != nil {
		return &Error{File: file, Err: err}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw), yaml.DisallowUnknownField())
	if err := decoder.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return &Error{File: file, Err: errors.New(yaml.FormatError(err, false, true))}
	}
	var second any
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return &Error{File: file, Err: errors.New("only one YAML document is allowed")}
	}
	return nil
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
