//go:build linux

package host

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"time"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Config is one plugin as the operator registers it.
type Config struct {
	// Name must be what the plugin says of itself.
	Name string
	// Path is absolute; the program is a native executable, or has an Interpreter.
	Path string
	// SHA256 of the program, hexadecimal. It is mandatory.
	SHA256 string
	// Cluster must be what the plugin says of itself.
	Cluster wire.Cluster
	// UID and GID that the plugin runs under where the host is root; 0 means
	// 65534. Give each plugin its own.
	UID, GID int
	// Deadline of one verdict; 0 means 250 ms.
	Deadline time.Duration
	// MemoryBytes bounds the plugin's data; 0 means 512 MiB.
	MemoryBytes uint64
	// ReadPaths are files and folders that it may read, such as a data base. A
	// file that is exchanged while the plugin runs is another file: name its folder.
	ReadPaths []string
	// Network lets it open TCP connections to other machines. It must be what
	// the plugin says of itself.
	Network bool
	// Settings are the plugin's own, a JSON object; empty for none.
	Settings string
	// Interpreter runs the program; nil for a native one.
	Interpreter *Interpreter
}

// Options of a Host. Logger is needed, the rest has defaults.
type Options struct {
	Logger *slog.Logger
	// Launcher is the program and its first arguments that end in Launch;
	// empty means this program with the argument "plugin-launch".
	Launcher []string
	// RootLauncher is the socket of a Launcher, by which each plugin runs as a
	// user of its own although the host is not root; empty if there is none.
	RootLauncher string
	launcherUID  int // who serves it: root
	// RuntimeDir holds the plugins' sockets: a folder that the host makes,
	// owns and cleans. Empty means a new temporary one.
	RuntimeDir string
	// StartTimeout bounds one start, from exec to the first answer, and one
	// hand-over of state; 0 means 10 s.
	StartTimeout time.Duration
	// HealthEvery is how often a quiet plugin is asked for a sign of life; 0 means 5 s.
	HealthEvery time.Duration
	// TrustedOwner owns the plugins' files and folders besides root; 0 is root alone.
	TrustedOwner int
	Clock        func() time.Time
	// Replay teaches a plugin that has just started: it calls send with past
	// observations, oldest first.
	Replay func(ctx context.Context, send func([]wire.Observation) error) error
	// Changed is called when a plugin comes up or goes down; it must not block.
	Changed func(plugin string, up bool)
	// Took is called with how long each answer took; it must not block.
	Took func(plugin string, took time.Duration)
}

// Bounds and defaults.
const (
	maxPlugins          = 32
	defaultDeadline     = 250 * time.Millisecond
	maxDeadline         = 5 * time.Second
	defaultMemory       = 512 << 20
	minMemory           = 32 << 20
	maxMemory           = 64 << 30
	maxReadPaths        = 32
	maxSettings         = 64 << 10
	defaultStartTimeout = 10 * time.Second
	defaultHealthEvery  = 5 * time.Second
	nobody              = 65534
)

// ErrConfig is wrapped by every error about the configuration.
var ErrConfig = errors.New("plugin configuration")

var nameShape = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

func (c *Config) check() error {
	digest, err := hex.DecodeString(c.SHA256)
	switch {
	case !nameShape.MatchString(c.Name):
		return fmt.Errorf("%w: name %q: lower-case letters, digits and hyphens, at most 32", ErrConfig, c.Name)
	case !filepath.IsAbs(c.Path) || filepath.Clean(c.Path) != c.Path:
		return fmt.Errorf("%w: %s: path %q must be absolute and clean", ErrConfig, c.Name, c.Path)
	case err != nil || len(digest) != 32:
		return fmt.Errorf("%w: %s: sha256 must be 64 hexadecimal digits", ErrConfig, c.Name)
	case clusterNumbers()[c.Cluster] == 0:
		return fmt.Errorf("%w: %s: unknown cluster %q", ErrConfig, c.Name, c.Cluster)
	case c.Deadline < 0 || c.Deadline > maxDeadline:
		return fmt.Errorf("%w: %s: deadline above %v", ErrConfig, c.Name, maxDeadline)
	case c.UID < 0 || c.GID < 0:
		return fmt.Errorf("%w: %s: negative uid or gid", ErrConfig, c.Name)
	case c.MemoryBytes != 0 && (c.MemoryBytes < minMemory || c.MemoryBytes > maxMemory):
		return fmt.Errorf("%w: %s: memory must be from %d to %d MiB", ErrConfig, c.Name, minMemory>>20, maxMemory>>20)
	case len(c.ReadPaths) > maxReadPaths:
		return fmt.Errorf("%w: %s: more than %d paths to read", ErrConfig, c.Name, maxReadPaths)
	}
	if err := c.checkSettings(); err != nil {
		return err
	}
	for _, p := range c.ReadPaths {
		if !filepath.IsAbs(p) || filepath.Clean(p) != p {
			return fmt.Errorf("%w: %s: read path %q must be absolute and clean", ErrConfig, c.Name, p)
		}
	}
	return nil
}

func (c *Config) checkSettings() error {
	if c.Settings == "" {
		return nil
	}
	var object map[string]json.RawMessage
	if len(c.Settings) > maxSettings || json.Unmarshal([]byte(c.Settings), &object) != nil || object == nil {
		return fmt.Errorf("%w: %s: settings must be a JSON object of at most %d bytes", ErrConfig, c.Name, maxSettings)
	}
	return nil
}

// withDefaults returns the configuration with its zero values filled in.
func (c Config) withDefaults() Config {
	if c.Deadline == 0 {
		c.Deadline = defaultDeadline
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = defaultMemory
	}
	if c.UID == 0 {
		c.UID = nobody
	}
	if c.GID == 0 {
		c.GID = nobody
	}
	return c
}

func (o Options) withDefaults() Options {
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	if o.HealthEvery == 0 {
		o.HealthEvery = defaultHealthEvery
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Changed == nil {
		o.Changed = func(string, bool) {}
	}
	if o.Took == nil {
		o.Took = func(string, time.Duration) {}
	}
	if o.Replay == nil {
		o.Replay = func(context.Context, func([]wire.Observation) error) error { return nil }
	}
	return o
}
