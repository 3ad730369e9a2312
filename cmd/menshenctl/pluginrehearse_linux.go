package main

import (
	"context"
	"encoding/json"

	"github.com/menshen-zt/menshen/pdp/trust/backtest"
	"github.com/menshen-zt/menshen/plugins/host"
)

// openRehearsal starts a plugin for a backtest.
func openRehearsal(ctx context.Context, program string, settings json.RawMessage) (backtest.Plugin, func(), error) {
	r, err := host.OpenRehearsal(ctx, program, settings)
	if err != nil {
		return backtest.Plugin{}, nil, err
	}
	return backtest.Plugin{
		Name: r.Name(), Cluster: r.Cluster(), Kinds: r.Kinds(), Activity: r.Activity(), Rehearse: r.Rehearse,
	}, r.Close, nil
}
