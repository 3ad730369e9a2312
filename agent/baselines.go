package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/menshen-zt/menshen/agent/baseline"
	"github.com/menshen-zt/menshen/agent/helper"
	"github.com/menshen-zt/menshen/internal/command"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// BaselineConfig says where the rules of configuration baselines lie, and how
// often they are measured.
type BaselineConfig struct {
	// Rules is the package's folder, Local that of the agency's own rules. Both
	// belong to root.
	Rules string `yaml:"rules"`
	Local string `yaml:"local"`
	// Every is how old a report may grow before it is made anew.
	Every yamlfile.Duration `yaml:"every"`
}

func (c *BaselineConfig) check() error {
	for key, path := range map[string]string{"rules": c.Rules, "local": c.Local} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("baselines.%s: %q is not an absolute path", key, path)
		}
	}
	if c.Every.Duration < time.Minute || c.Every.Duration > 24*time.Hour {
		return errors.New("baselines.every: must be from 1m to 24h")
	}
	return nil
}

// defaultBaselineAge is how old a report may grow.
const defaultBaselineAge = 15 * time.Minute

func (c *BaselineConfig) load() (*baseline.Set, error) {
	set, err := baseline.Load(baseline.Folders{Shipped: c.Rules, Local: c.Local})
	if err != nil {
		return nil, baselineFault(err)
	}
	return set, nil
}

func baselineFault(err error) error {
	code := reason.BaselineRules
	switch {
	case errors.Is(err, baseline.ErrExposed):
		code = reason.BaselineExposed
	case errors.Is(err, baseline.ErrTaken):
		code = reason.BaselineTaken
	}
	return fault(err, code, "detail", err.Error())
}

// Baselines lists the configuration baselines that are installed here.
func Baselines(c Config) ([]baseline.Listed, error) {
	set, err := c.Baselines.load()
	if err != nil {
		return nil, err
	}
	return set.List(), nil
}

// MeasureBaselines measures this machine now. What needs root is read where the
// caller is root or may ask the helper.
func MeasureBaselines(ctx context.Context, c Config) ([]baseline.Report, error) {
	set, err := c.Baselines.load()
	if err != nil {
		return nil, err
	}
	reports, err := set.Measure(ctx, baselineMachine(helper.NewClient(c.Helper)))
	if err != nil {
		return nil, baselineFault(err)
	}
	if len(reports) == 0 {
		return nil, fault(nil, reason.BaselineNoneApplies)
	}
	return reports, nil
}

func baselineMachine(root baseline.RootSource) baseline.Machine {
	return baseline.Machine{Files: os.DirFS("/"), Runner: command.System{}, Root: root}
}

// baselines keeps the last reports, because measuring starts programs.
type baselines struct {
	config BaselineConfig
	root   baseline.RootSource

	mu      sync.Mutex
	at      time.Time
	reports []wire.BaselineReport
}

// report returns reports that are young enough, measuring where they are not.
// Where no rules are installed there are none.
func (b *baselines) report(ctx context.Context, now time.Time) ([]wire.BaselineReport, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := now.Sub(b.at); !b.at.IsZero() && age >= 0 && age < b.config.Every.Duration {
		return b.reports, nil
	}
	if _, err := os.Stat(b.config.Rules); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	b.at, b.reports = time.Time{}, nil
	set, err := b.config.load()
	if err != nil {
		return nil, err
	}
	reports, err := set.Measure(ctx, baselineMachine(b.root))
	if err != nil {
		return nil, baselineFault(err)
	}
	b.at, b.reports = now, baseline.Wire(reports)
	return b.reports, nil
}

// forget has the next report measured anew: somebody repaired something, and
// asks.
func (b *baselines) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = time.Time{}
}

// measureBaselines adds the reports to claims.
func (a *Agent) measureBaselines(ctx context.Context, claims *wire.Claims) {
	reports, err := a.baselines.report(ctx, a.clock())
	if err != nil {
		a.logger.Warn("the configuration baselines cannot be measured", "error", err)
	}
	a.problem(partBaseline, err, "")
	claims.Baselines = reports
}
