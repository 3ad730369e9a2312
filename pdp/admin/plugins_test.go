package admin

import (
	"context"
	"net/http"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// pluginHost is a host of one plugin.
type pluginHost struct{ fails error }

func (*pluginHost) Plugins() []client.Plugin {
	return []client.Plugin{{Name: "networknovelty", Cluster: wire.ClusterNetwork, Up: true}}
}

func (p *pluginHost) ReloadPlugins(context.Context) ([]client.PluginChange, error) {
	return []client.PluginChange{{Plugin: "networknovelty", SHA256: "ab"}, {Plugin: "odd", Problem: "it ended"}}, p.fails
}

// unread is a configuration that cannot be used.
type unread struct{}

func (unread) Error() string       { return "unread" }
func (unread) Reason() wire.Reason { return reason.New(reason.CfgPluginsUnread, "problem", "line 7") }

// A reload is in the audit log with what it did; what cannot be recorded is not done.
func TestPluginsAreReloadedOnTheRecord(t *testing.T) {
	f := open(t)
	if all, err := f.Plugins(t.Context()); err != nil || len(all) != 1 || !all[0].Up {
		t.Errorf("%+v %v", all, err)
	}
	before := len(f.audit.acts(t))
	changes, err := f.ReloadPlugins(t.Context())
	acts := f.audit.acts(t)[before:]
	if err != nil || len(changes) != 2 || len(acts) != 2 || acts[0].Outcome != outcomeAsked || acts[1].Made != "networknovelty ab; odd stays: it ended" {
		t.Errorf("%+v %+v %v", changes, acts, err)
	}
	f.plugins.fails = unread{}
	if _, err := f.ReloadPlugins(t.Context()); err != nil {
		refusedWith(t, err, http.StatusBadRequest, reason.CfgPluginsUnread)
	} else {
		t.Error("a configuration that cannot be used was taken")
	}
	f.audit.room = len(f.audit.records)
	_, err = f.ReloadPlugins(t.Context())
	refusedWith(t, err, http.StatusServiceUnavailable, reason.AuditClosed)
}
