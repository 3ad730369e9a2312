package pdp

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/plugins/host"
)

// Bounds of a plugin's configuration; the host has its own.
const (
	maxPluginDeadline  = 5 * time.Second
	minPluginMemoryMiB = 32
	maxPluginMemoryMiB = 64 << 10
	maxPluginUID       = 1<<31 - 1
)

var clusters = [...]wire.Cluster{wire.ClusterNetwork, wire.ClusterDevice, wire.ClusterTime, wire.ClusterBehaviour, wire.ClusterPosture}

func (c *Config) checkPlugins(wrong func(path, problem string, args ...any)) {
	if c.Plugins.Launcher != "" && !filepath.IsAbs(c.Plugins.Launcher) {
		wrong("$.plugins.launcher", "must be an absolute path")
	}
	seen, users := map[string]bool{}, map[uint32]string{}
	for i := range c.Plugins.Run {
		p := &c.Plugins.Run[i]
		at := fmt.Sprintf("$.plugins.run[%d]", i)
		if p.Name == "" || p.Name != filepath.Base(p.Name) || strings.HasPrefix(p.Name, ".") {
			wrong(at+".name", "must be the name of a program in the plugins' folder")
		}
		if seen[p.Name] {
			wrong(at+".name", "%s is listed twice", p.Name)
		}
		seen[p.Name] = true
		if other := users[p.UID]; p.UID != 0 && other != "" {
			wrong(at+".uid", "%s runs as this user already: each plugin has its own", other)
		}
		users[p.UID] = p.Name
		p.check(at, wrong)
	}
}

func (p *PluginConfig) check(at string, wrong func(path, problem string, args ...any)) {
	if !slices.Contains(clusters[:], p.Cluster) {
		wrong(at+".cluster", "must be one of %v", clusters)
	}
	if sum, err := hex.DecodeString(p.SHA256); err != nil || len(sum) != 32 {
		wrong(at+".sha256", "the program's SHA-256 in hexadecimal is needed")
	}
	if p.UID > maxPluginUID {
		wrong(at+".uid", "must be the number of a user")
	}
	if p.Deadline.Duration < 0 || p.Deadline.Duration > maxPluginDeadline {
		wrong(at+".deadline", "must be at most %v", maxPluginDeadline)
	}
	if p.MemoryMiB != 0 && (p.MemoryMiB < minPluginMemoryMiB || p.MemoryMiB > maxPluginMemoryMiB) {
		wrong(at+".memory_mib", "must be from %d to %d", minPluginMemoryMiB, maxPluginMemoryMiB)
	}
	for n, path := range p.Read {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path {
			wrong(fmt.Sprintf("%s.read[%d]", at, n), "must be an absolute path without . and ..")
		}
	}
	if i := p.Interpreter; i != nil {
		if !filepath.IsAbs(i.Path) || filepath.Clean(i.Path) != i.Path {
			wrong(at+".interpreter.path", "must be an absolute path without . and ..")
		}
		if sum, err := hex.DecodeString(i.SHA256); err != nil || len(sum) != 32 {
			wrong(at+".interpreter.sha256", "the interpreter's SHA-256 in hexadecimal is needed")
		}
	}
	if _, err := json.Marshal(p.Settings); err != nil {
		wrong(at+".settings", "cannot be written as JSON: %v", err)
	}
}

// Registered is the configuration as the plugins' host takes it.
func (c *PluginsConfig) Registered() ([]host.Config, error) {
	var all []host.Config
	for _, p := range c.Run {
		settings := ""
		if len(p.Settings) > 0 {
			raw, err := json.Marshal(p.Settings)
			if err != nil {
				return nil, fmt.Errorf("plugins: %s: settings: %w", p.Name, err)
			}
			settings = string(raw)
		}
		all = append(all, host.Config{
			Name: p.Name, Path: filepath.Join(c.Folder, p.Name), SHA256: p.SHA256, Cluster: p.Cluster,
			UID: int(p.UID), GID: int(p.UID), Deadline: p.Deadline.Duration,
			MemoryBytes: uint64(p.MemoryMiB) << 20, // #nosec G115 -- checked: never negative
			ReadPaths:   p.Read, Network: p.Network, Settings: settings,
			Interpreter: p.Interpreter.registered(),
		})
	}
	return all, nil
}

func (i *PluginInterpreter) registered() *host.Interpreter {
	if i == nil {
		return nil
	}
	return &host.Interpreter{Path: i.Path, SHA256: i.SHA256, Arguments: i.Arguments}
}
