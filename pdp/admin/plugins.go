package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// Plugins knows the inference plugins. ReloadPlugins reads their registration
// from the configuration file, which is root's: what runs is never the
// caller's choice. Its errors carry a reason.
type Plugins interface {
	Plugins() []client.Plugin
	ReloadPlugins(ctx context.Context) ([]client.PluginChange, error)
}

func (a *Admin) pluginRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/plugins":         a.listPlugins,
		"POST /v1/plugins/reload": a.reloadPlugins,
	}
}

func (a *Admin) listPlugins(w http.ResponseWriter, r *http.Request) {
	answer(a, w, r, "plugins", listed(a.Plugins.Plugins()), nil)
}

func (a *Admin) reloadPlugins(w http.ResponseWriter, r *http.Request) {
	if !empty(w, r) {
		return
	}
	what := act{Action: "plugin reload"}
	change(a, w, r, what, func(ctx context.Context, _ string) ([]client.PluginChange, string, error) {
		changes, err := a.Plugins.ReloadPlugins(ctx)
		var made []string
		for _, c := range changes {
			text := c.Plugin + " " + c.SHA256
			if c.Problem != "" {
				text = c.Plugin + " stays: " + c.Problem
			}
			made = append(made, text)
		}
		return listed(changes), strings.Join(made, "; "), err
	})
}
