package appraisal

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"

	"github.com/menshen-zt/menshen/internal/wire"
)

// A claims document with a configuration baseline has 15 KB, nearly all of it
// names that come again: deflated (RFC 1951) a tenth, within the budget of a
// device's state.

func deflate(document []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(document); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

var errInflated = errors.New("larger than any claims document")

func inflate(raw []byte) ([]byte, error) {
	document, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), wire.MaxClaimsBytes+1))
	if err != nil {
		return nil, fmt.Errorf("inflating: %w", err)
	}
	if len(document) > wire.MaxClaimsBytes {
		return nil, errInflated
	}
	return document, nil
}
