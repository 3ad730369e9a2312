// Package strictjson decodes JSON from strangers: bounded, with unknown
// fields, duplicate keys, invalid UTF-8 and trailing data refused, and names
// matched by case. It stands on go-json-experiment/json, the library behind
// encoding/json/v2.
package strictjson

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// ErrTooLarge is returned when the input is longer than its bound.
var ErrTooLarge = errors.New("strictjson: input too large")

// Decode reads at most limit bytes from r into v. Trailing data, unknown
// fields and duplicate keys are errors; v may then be partly filled and must
// not be used.
func Decode(r io.Reader, limit int64, v any) error {
	raw, err := read(r, limit)
	if err != nil {
		return err
	}
	return Unmarshal(raw, v)
}

func read(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("strictjson: reading: %w", err)
	}
	if int64(len(raw)) > limit {
		return nil, ErrTooLarge
	}
	return raw, nil
}

// Unmarshal is Decode for bytes that are already in memory and bounded.
func Unmarshal(raw []byte, v any) error {
	if err := json.Unmarshal(raw, v, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("strictjson: %w", err)
	}
	return nil
}

// DecodeOpen is Decode for standards that have unknown fields ignored. All else
// is as strict.
func DecodeOpen(r io.Reader, limit int64, v any) error {
	raw, err := read(r, limit)
	if err != nil {
		return err
	}
	return UnmarshalOpen(raw, v)
}

// UnmarshalOpen is DecodeOpen for bytes that are already in memory and bounded.
func UnmarshalOpen(raw []byte, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("strictjson: %w", err)
	}
	return nil
}
