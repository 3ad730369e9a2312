package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// pluginHost is a host of two plugins.
type pluginHost struct{}

func (pluginHost) Plugins() []client.Plugin {
	return []client.Plugin{
		{
			Name: "networknovelty", Cluster: wire.ClusterNetwork, Version: "2", Contract: 2, Up: true, Since: time.Unix(0, 0), Asked: 7,
			MedianMicros: 96, P99Micros: 1536, Keeps: []string{"networks"}, RetentionSeconds: 90 * 24 * 3600,
			Features: []string{"network"}, Enforced: []string{"own uid 60600"}, NotEnforced: []string{"landlock: abstract sockets"},
		},
		{Name: "odd", Cluster: wire.ClusterTime, Why: "the process\x1b[2J ended", Falls: 3, Shadow: true},
	}
}

func (pluginHost) ReloadPlugins(context.Context) ([]client.PluginChange, error) {
	return []client.PluginChange{{Plugin: "networknovelty", SHA256: "abcd"}, {Plugin: "odd", Problem: "it ended"}}, nil
}

func TestPluginListAndReload(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "plugin", "list")
	for _, want := range []string{"up", "down", "shadow", "0.10 ms", "1.54 ms", "networks", "90 days", "own uid 60600", "landlock: abstract sockets", "the process?[2J ended"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, _ := c.run(0, "plugin", "list", "--json"); !strings.Contains(out, `"not_enforced": [`) {
		t.Errorf("%s", out)
	}
	if out, err := c.run(exitRefused, "plugin", "reload"); !strings.Contains(out, "exchanged") || !strings.Contains(out, "as before: it ended") || !strings.Contains(err, reason.CfgPluginStays) {
		t.Errorf("%s%s", out, err)
	}
	c.lang = "zh_TW.UTF-8"
	if out, _ := c.run(0, "plugin", "list"); !strings.Contains(out, "執行中") || !strings.Contains(out, "90 日") {
		t.Errorf("%s", out)
	}
}
