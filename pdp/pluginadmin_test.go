package pdp

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/host"
)

// A reload takes what stands in the file now, or says why it does not.
func TestReloadReadsTheFileAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pdp.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	c, err := LoadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	plugins, err := host.Start(t.Context(), nil, host.Options{Logger: slog.New(slog.DiscardHandler), RuntimeDir: filepath.Join(t.TempDir(), "p")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plugins.Close)
	p := adminPlugins{&PDP{config: c, situation: &situation{plugins: plugins}}}
	if changes, err := p.ReloadPlugins(t.Context()); err != nil || len(changes) != 0 {
		t.Errorf("%+v %v", changes, err)
	}
	for want, text := range map[string]string{reason.CfgPluginsUnread: good + "colour: red\n", reason.CfgPluginsRestart: good + plugin} {
		write(text)
		var told *pluginRefusal
		if _, err := p.ReloadPlugins(context.Background()); !errors.As(err, &told) || told.Reason().Code != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	if all := p.Plugins(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	p.config.file = ""
	if _, err := p.ReloadPlugins(t.Context()); err == nil {
		t.Error("a PDP without a file was reloaded")
	}
}

// What the fusion and the metrics count from the start cannot change under way.
func TestWhatNeedsARestart(t *testing.T) {
	one := PluginConfig{Name: "one", Cluster: wire.ClusterNetwork, SHA256: "a"}
	base := PluginsConfig{Folder: "/f", Run: []PluginConfig{one}}
	changed := func(change func(*PluginsConfig)) PluginsConfig {
		c := PluginsConfig{Folder: base.Folder, Run: slices.Clone(base.Run)}
		change(&c)
		return c
	}
	for name, tt := range map[string]struct {
		next PluginsConfig
		want []string
	}{
		"another program":  {changed(func(c *PluginsConfig) { c.Run[0].SHA256, c.Run[0].Settings = "b", map[string]any{"a": 1} }), nil},
		"another cluster":  {changed(func(c *PluginsConfig) { c.Run[0].Cluster = wire.ClusterTime }), []string{"one"}},
		"out of the score": {changed(func(c *PluginsConfig) { c.Run[0].Shadow = true }), []string{"one"}},
		"one more":         {changed(func(c *PluginsConfig) { c.Run = append(c.Run, PluginConfig{Name: "two"}) }), []string{"two"}},
		"none":             {changed(func(c *PluginsConfig) { c.Run = nil }), []string{"one"}},
		"elsewhere":        {changed(func(c *PluginsConfig) { c.Folder, c.Launcher = "/g", "/l" }), []string{"folder", "launcher"}},
	} {
		if got := needsRestart(base, tt.next); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
