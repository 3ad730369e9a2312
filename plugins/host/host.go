//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Host runs the registered plugins.
type Host struct {
	options    Options
	launcher   []string
	owners     []int
	runtimeDir string
	ownDir     bool

	supervisors atomic.Pointer[[]*supervisor]
	living      context.Context // until Close
	stop        context.CancelFunc
	running     sync.WaitGroup

	applying sync.Mutex // guards lives
	lives    map[*supervisor]life
}

// life ends one supervisor alone.
type life struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// Limit says what holds for one plugin's process and what does not.
type Limit struct {
	Plugin   string   `json:"plugin"`
	Enforced []string `json:"enforced"`
	Missing  []string `json:"missing"`
}

// Start checks the registration and starts every plugin. It returns when each
// has come up or failed once, or when ctx ends; what failed is tried again,
// and is missing until then. A wrong checksum, a wrong owner or a wrong name
// is an error: that is configuration and cannot heal.
func Start(ctx context.Context, plugins []Config, o Options) (*Host, error) {
	if o.Logger == nil {
		return nil, fmt.Errorf("%w: a logger is needed", ErrConfig)
	}
	h := &Host{options: o.withDefaults(), owners: []int{0}, lives: map[*supervisor]life{}}
	if o.TrustedOwner != 0 {
		h.owners = append(h.owners, o.TrustedOwner)
	}
	wanted, err := h.register(plugins)
	if err != nil {
		return nil, err
	}
	if err := h.findLauncher(); err != nil {
		return nil, err
	}
	if err := h.prepareRuntimeDir(len(wanted) > 0); err != nil {
		return nil, err
	}
	h.living, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	all := make([]*supervisor, 0, len(wanted))
	for _, c := range wanted {
		all = append(all, newSupervisor(h, c))
	}
	h.supervisors.Store(&all)
	h.applying.Lock()
	defer h.applying.Unlock()
	h.launch(ctx, all)
	if ctx.Err() != nil {
		h.close()
		return nil, ctx.Err()
	}
	return h, nil
}

func (h *Host) all() []*supervisor {
	if all := h.supervisors.Load(); all != nil {
		return *all
	}
	return nil
}

// each runs f for every supervisor at once and returns when all are done.
func (h *Host) each(f func(n int, s *supervisor)) { each(h.all(), f) }

func each(all []*supervisor, f func(n int, s *supervisor)) {
	var done sync.WaitGroup
	for n, s := range all {
		done.Go(func() { f(n, s) })
	}
	done.Wait()
}

// begin gives a supervisor its goroutine.
func (h *Host) begin(s *supervisor) {
	ctx, stop := context.WithCancel(h.living) // #nosec G118 -- end calls it, and Close ends living
	one := life{stop: stop, ended: make(chan struct{})}
	h.lives[s] = one
	h.running.Go(func() {
		defer close(one.ended)
		s.run(ctx)
	})
}

// end stops a supervisor and its plugin.
func (h *Host) end(s *supervisor) {
	h.lives[s].stop()
	<-h.lives[s].ended
	delete(h.lives, s)
}

// register checks a registration and fills in its defaults.
func (h *Host) register(plugins []Config) ([]*Config, error) {
	if len(plugins) > maxPlugins {
		return nil, fmt.Errorf("%w: more than %d plugins", ErrConfig, maxPlugins)
	}
	var all []*Config
	seen := map[string]bool{}
	for _, c := range plugins {
		c = c.withDefaults()
		if err := c.check(); err != nil {
			return nil, err
		}
		if seen[c.Name] {
			return nil, fmt.Errorf("%w: %s stands twice", ErrConfig, c.Name)
		}
		seen[c.Name] = true
		program, err := openProgram(c.Path, c.SHA256, h.owners)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.Name, err)
		}
		_ = program.Close() // the launcher checks what it executes again
		if err := c.Interpreter.check(h.owners); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.Name, err)
		}
		all = append(all, &c)
	}
	return all, nil
}

func (h *Host) findLauncher() error {
	h.launcher = h.options.Launcher
	if len(h.launcher) > 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("plugin: launcher: %w", err)
	}
	h.launcher = []string{self, "plugin-launch"}
	return nil
}

// prepareRuntimeDir makes the folder of the plugins' sockets, or takes an
// earlier host's over and clears it. Others may pass through it (each plugin's
// own folder in it is 0700), not list or write it.
func (h *Host) prepareRuntimeDir(used bool) error {
	h.runtimeDir = filepath.Clean(h.options.RuntimeDir)
	if h.options.RuntimeDir != "" && !filepath.IsAbs(h.runtimeDir) {
		return fmt.Errorf("%w: the runtime folder %q must be absolute", ErrConfig, h.options.RuntimeDir)
	}
	if h.options.RuntimeDir == "" {
		dir, err := os.MkdirTemp("", "menshen-plugins-")
		if err != nil {
			return err
		}
		h.runtimeDir, h.ownDir = dir, true
	}
	if err := os.Mkdir(h.runtimeDir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(h.runtimeDir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s is not this program's own folder", ErrConfig, h.runtimeDir)
	}
	if err := os.Chmod(h.runtimeDir, 0o711); err != nil { // #nosec G302 -- plugins of other uids pass through
		return err
	}
	if used {
		if err := h.checkWay(); err != nil {
			return err
		}
	}
	if len(h.runtimeDir) > maxSocketPath {
		return fmt.Errorf("%w: %s is too long a path for a socket", ErrConfig, h.runtimeDir)
	}
	return h.clearRuntimeDir()
}

// checkWay makes sure that plugins of other uids can reach their sockets: a
// closed folder above would only show as a plugin that never starts.
func (h *Host) checkWay() error {
	if os.Geteuid() != 0 {
		return nil // plugins share this uid
	}
	for dir := filepath.Dir(h.runtimeDir); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%w: plugins run under their own uid and cannot pass through %s (mode %v) to their sockets in %s",
				ErrConfig, dir, info.Mode().Perm(), h.runtimeDir)
		}
		if dir == "/" {
			return nil
		}
	}
}

// clearRuntimeDir removes the socket folders that kills left behind.
func (h *Host) clearRuntimeDir() error {
	entries, err := os.ReadDir(h.runtimeDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "plugin-dir") {
			if err := os.RemoveAll(filepath.Join(h.runtimeDir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Assess asks all plugins at once. It returns one verdict for each registered
// plugin, in their order; those without a usable answer are marked missing.
func (h *Host) Assess(ctx context.Context, o wire.Observation) []wire.Verdict {
	all := h.all()
	verdicts := make([]wire.Verdict, len(all))
	each(all, func(n int, s *supervisor) { verdicts[n] = s.assess(ctx, o) })
	return verdicts
}

// Limits tells what each plugin's sandbox enforces, as its launcher reported.
func (h *Host) Limits() []Limit {
	var limits []Limit
	for _, s := range h.all() {
		s.mu.Lock()
		limits = append(limits, Limit{Plugin: s.name, Enforced: s.box.Enforced, Missing: s.box.Missing})
		s.mu.Unlock()
	}
	return limits
}

// Registered returns the names of the registered plugins with their clusters.
func (h *Host) Registered() map[string]wire.Cluster {
	all := map[string]wire.Cluster{}
	for _, s := range h.all() {
		all[s.name] = s.configuration().Cluster
	}
	return all
}

// Close ends every plugin and removes their sockets.
func (h *Host) Close() {
	h.stop()
	h.applying.Lock()
	defer h.applying.Unlock()
	h.close()
}

func (h *Host) close() {
	h.stop()
	h.running.Wait()
	if err := h.clearRuntimeDir(); err != nil {
		h.options.Logger.Warn("plugin sockets remain", "reason", err.Error())
	}
	if h.ownDir {
		_ = os.Remove(h.runtimeDir) // an empty folder that stays is harmless
	}
}
