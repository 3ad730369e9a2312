package pdp

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// adminPlugins is what administration sees of the inference plugins.
type adminPlugins struct{ *PDP }

// Plugins implements admin.Plugins.
func (p adminPlugins) Plugins() []client.Plugin {
	shadows := map[string]bool{}
	for _, one := range p.config.Plugins.Run {
		shadows[one.Name] = one.Shadow
	}
	var all []client.Plugin
	for _, s := range p.situation.plugins.Status() {
		all = append(all, client.Plugin{
			Name: s.Plugin, Cluster: s.Cluster, SHA256: s.SHA256, Version: s.Version, Contract: s.Contract, Features: s.Features,
			Keeps: s.Keeps, RetentionSeconds: int64(s.Retention / time.Second), Network: s.Network, Shadow: shadows[s.Plugin],
			Up: s.Up, Since: s.Since, Why: s.Why, Falls: s.Falls, Enforced: s.Enforced, NotEnforced: s.Missing,
			Asked: s.Asked, MedianMicros: s.Median.Microseconds(), P99Micros: s.P99.Microseconds(),
		})
	}
	return all
}

// reloadLimit bounds one reload: each plugin may have to be taught anew.
const reloadLimit = 50 * time.Second

// ReloadPlugins implements admin.Plugins: programs, settings and limits that
// the configuration file names now take the place of those that run. Whatever
// else the file says waits for a restart.
func (p adminPlugins) ReloadPlugins(ctx context.Context) ([]client.PluginChange, error) {
	if p.config.file == "" {
		return nil, &pluginRefusal{reason.New(reason.CfgPluginsUnread, "problem", "it was not read from a file")}
	}
	next, err := LoadConfig(p.config.file)
	if err != nil {
		return nil, &pluginRefusal{reason.New(reason.CfgPluginsUnread, "problem", err.Error())}
	}
	if what := needsRestart(p.config.Plugins, next.Plugins); len(what) > 0 {
		return nil, &pluginRefusal{reason.New(reason.CfgPluginsRestart, "what", strings.Join(what, ", "))}
	}
	registered, err := next.Plugins.Registered()
	if err != nil {
		return nil, &pluginRefusal{reason.New(reason.CfgPluginsUnread, "problem", err.Error())}
	}
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	changes, err := p.situation.plugins.Apply(ctx, registered)
	if err != nil {
		return nil, &pluginRefusal{reason.New(reason.CfgPluginsUnread, "problem", err.Error())}
	}
	var all []client.PluginChange
	for _, c := range changes {
		one := client.PluginChange{Plugin: c.Plugin}
		if at := slices.IndexFunc(next.Plugins.Run, func(r PluginConfig) bool { return r.Name == c.Plugin }); at >= 0 {
			one.SHA256 = next.Plugins.Run[at].SHA256
		}
		if c.Err != nil {
			one.Problem = c.Err.Error()
		}
		all = append(all, one)
	}
	return all, nil
}

// needsRestart names what the fusion, the metrics or all plugins rest on.
func needsRestart(now, next PluginsConfig) []string {
	type counted struct {
		cluster wire.Cluster
		shadow  bool
	}
	of := func(c PluginsConfig) map[string]counted {
		all := map[string]counted{}
		for _, p := range c.Run {
			all[p.Name] = counted{p.Cluster, p.Shadow}
		}
		return all
	}
	var what []string
	if now.Folder != next.Folder {
		what = append(what, "folder")
	}
	if now.Launcher != next.Launcher {
		what = append(what, "launcher")
	}
	before, after := of(now), of(next)
	for name := range before {
		if after[name] != before[name] {
			what = append(what, name)
		}
	}
	for name := range after {
		if _, known := before[name]; !known {
			what = append(what, name)
		}
	}
	slices.Sort(what)
	return what
}

// pluginRefusal is a reload that cannot be done.
type pluginRefusal struct{ why wire.Reason }

func (r *pluginRefusal) Error() string {
	return r.why.Code + " " + r.why.Args["problem"] + r.why.Args["what"]
}

// Reason is what the administrator is told.
func (r *pluginRefusal) Reason() wire.Reason { return r.why }
