//go:build !linux

package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/menshen-zt/menshen/pdp/trust/backtest"
)

// openRehearsal says that plugins run where the PDP runs: on Linux.
func openRehearsal(context.Context, string, json.RawMessage) (backtest.Plugin, func(), error) {
	return backtest.Plugin{}, nil, errors.New("plugins run on Linux")
}
