package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/trust/backtest"
	"github.com/menshen-zt/menshen/pdp/trust/backtest/generator"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

const (
	defaultPlugins    = "/usr/lib/menshen/plugins"
	backtestPeople    = 6000
	backtestSignIns   = 210_000
	maxBacktestConfig = 1 << 20
)

// backtesting is what the command line asks for.
type backtesting struct {
	generate           bool
	people, signIns    int
	seed               uint64
	observations, rba  string
	share              float64
	plugins, settings  string
	weights, candidate string
	picture            string
	only               []string
}

func (a *app) pluginBacktest() *cobra.Command {
	var b backtesting
	c := &cobra.Command{
		Use:   "backtest (--generate | --observations FILE | --rba FILE)",
		Short: "Replay the past through the plugins and the fusion, and say how well they tell people from attackers",
		Long: `Replays recorded or made-up observations in the order of time through the
plugins of a folder and the fusion: each sign-in is judged before it is learned.
Needs no PDP. The plugins run as you, without the PDP's sandbox: try no program
here that you would not run. docs/backtest.md says what the figures mean.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.backtest(c.Context(), &b) },
	}
	f := c.Flags()
	f.BoolVar(&b.generate, "generate", false, "make the observations up: people, attackers and their networks")
	f.IntVar(&b.people, "people", backtestPeople, "with --generate: how many people")
	f.IntVar(&b.signIns, "sign-ins", backtestSignIns, "with --generate: about how many sign-ins")
	f.Uint64Var(&b.seed, "seed", 1, "with --generate: the same seed gives the same past")
	f.StringVar(&b.observations, "observations", "", "JSON lines of recorded observations, each with a label if one is known")
	f.StringVar(&b.rba, "rba", "", "the CSV of the public RBA data set")
	f.Float64Var(&b.share, "share", 1, "take this share of the people in a file, 0 to 1")
	f.StringVar(&b.plugins, "plugins", defaultPlugins, "the folder of the plugins' programs; all of them run")
	f.StringSliceVar(&b.only, "only", nil, "run only the plugins of these names")
	f.StringVar(&b.settings, "settings", "", "a JSON file of the plugins' settings, by name")
	f.StringVar(&b.weights, "weights", "", "weights to judge by instead of those that are shipped")
	f.StringVar(&b.candidate, "fit", "", "write the fitted weights into this file")
	f.StringVar(&b.picture, "svg", "", "write the picture into this file")
	c.MarkFlagsOneRequired("generate", "observations", "rba")
	c.MarkFlagsMutuallyExclusive("generate", "observations", "rba")
	return c
}

// refuse is a reason with what went wrong in the operating system's words.
func refuse(code string, err error) error {
	return &failure{exitRefused, reason.New(code, "detail", err.Error())}
}

func (a *app) backtest(ctx context.Context, b *backtesting) error {
	weights, err := b.loadWeights()
	if err != nil {
		return refuse(reason.BacktestWeights, err)
	}
	past, err := a.past(b)
	if err != nil {
		return err
	}
	defer past.close()
	plugins, closeAll, err := b.start(ctx, past.settings)
	if err != nil {
		return err
	}
	defer closeAll()
	replayed, err := backtest.Replay(ctx, past.events, plugins, a.progress())
	switch {
	case errors.Is(err, backtest.ErrNothing):
		return &failure{exitRefused, reason.New(reason.BacktestEmpty)}
	case err != nil:
		return refuse(reason.BacktestPlugin, err)
	}
	fuse := fusing{weights}
	report, err := backtest.Judge(replayed, fuse, past.source)
	if err != nil {
		return &failure{exitRefused, reason.New(reason.BacktestEmpty)}
	}
	if err := a.keep(b, report, weights); err != nil {
		return err
	}
	return a.show(report, func() { backtest.WriteText(a.out, report, a.say) })
}

// keep writes the picture and the candidate.
func (a *app) keep(b *backtesting, report *backtest.Report, weights *fusion.Weights) error {
	if b.picture != "" {
		if err := os.WriteFile(b.picture, backtest.Picture(report, a.say), 0o600); err != nil {
			return refuse(reason.BacktestWrite, unreadable(err))
		}
	}
	if b.candidate == "" {
		return nil
	}
	if report.Fitted == nil {
		return &failure{exitRefused, reason.New(reason.BacktestNoFit)}
	}
	text := weightsFile(weights, report.Fitted, report.Source)
	if _, err := fusion.ParseWeights(b.candidate, text); err != nil {
		return refuse(reason.BacktestWeights, err)
	}
	if err := os.WriteFile(b.candidate, text, 0o600); err != nil {
		return refuse(reason.BacktestWrite, unreadable(err))
	}
	return nil
}

func (b *backtesting) loadWeights() (*fusion.Weights, error) {
	if b.weights == "" {
		return fusion.DefaultWeights()
	}
	text, err := os.ReadFile(b.weights)
	if err != nil {
		return nil, unreadable(err)
	}
	return fusion.ParseWeights(b.weights, text)
}

// past is what will be replayed.
type past struct {
	events   []backtest.Event
	source   string
	settings map[string]json.RawMessage
	close    func()
}

func (a *app) past(b *backtesting) (past, error) {
	settings, err := b.readSettings()
	if err != nil {
		return past{}, refuse(reason.BacktestSettings, err)
	}
	out := past{settings: settings, close: func() {}}
	if b.generate {
		return b.made(out)
	}
	file, read, format := b.observations, backtest.ReadObservations, "observations"
	if b.rba != "" {
		file, read, format = b.rba, backtest.ReadRBA, "RBA data set"
	}
	in, err := os.Open(file) // #nosec G304 -- the administrator names the file
	if err != nil {
		return past{}, refuse(reason.BacktestRead, unreadable(err))
	}
	defer func() { _ = in.Close() }()
	if out.events, err = read(in, backtest.Sample(b.share)); err != nil {
		return past{}, refuse(reason.BacktestRead, err)
	}
	out.source = fmt.Sprintf("%s, share %g of the people", format, b.share)
	return out, nil
}

// made makes the past up, and the databases that plugins look addresses up in.
func (b *backtesting) made(out past) (past, error) {
	world, err := generator.New(generator.Config{People: b.people, SignIns: b.signIns, Seed: b.seed})
	if err != nil {
		return past{}, refuse(reason.BacktestNumbers, err)
	}
	folder, err := os.MkdirTemp("", "menshen-backtest-")
	if err != nil {
		return past{}, refuse(reason.BacktestWrite, unreadable(err))
	}
	out.close = func() { _ = os.RemoveAll(folder) }
	files, err := world.Databases(folder)
	if err != nil {
		out.close()
		return past{}, refuse(reason.BacktestWrite, unreadable(err))
	}
	for name, settings := range files.Settings() {
		if _, set := out.settings[name]; !set {
			out.settings[name] = settings
		}
	}
	out.events = world.Events()
	out.source = fmt.Sprintf("the generator, %d people, %d sign-ins, seed %d", b.people, b.signIns, b.seed)
	return out, nil
}

func (b *backtesting) readSettings() (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if b.settings == "" {
		return out, nil
	}
	in, err := os.Open(b.settings)
	if err != nil {
		return nil, unreadable(err)
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, maxBacktestConfig))
	if err != nil {
		return nil, unreadable(err)
	}
	return out, json.Unmarshal(text, &out)
}

// start runs every program of the folder.
func (b *backtesting) start(ctx context.Context, settings map[string]json.RawMessage) ([]backtest.Plugin, func(), error) {
	entries, err := os.ReadDir(b.plugins)
	if err != nil {
		return nil, nil, refuse(reason.BacktestPlugin, unreadable(err))
	}
	var all []backtest.Plugin
	var closers []func()
	closeAll := func() {
		var ending sync.WaitGroup
		for _, end := range closers {
			ending.Go(end)
		}
		ending.Wait()
	}
	for _, entry := range entries {
		info, err := entry.Info()
		program := err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
		if !program || (len(b.only) > 0 && !slices.Contains(b.only, entry.Name())) {
			continue
		}
		p, end, err := openRehearsal(ctx, filepath.Join(b.plugins, entry.Name()), settings[entry.Name()])
		if err != nil {
			closeAll()
			return nil, nil, refuse(reason.BacktestPlugin, err)
		}
		all, closers = append(all, p), append(closers, end)
	}
	if len(all) == 0 {
		return nil, nil, &failure{exitRefused, reason.New(reason.BacktestNoPlugin, "folder", strings.ToValidUTF8(b.plugins, "?"))}
	}
	return all, closeAll, nil
}

// progress tells of each tenth part on the error stream.
func (a *app) progress() func(done, all int) {
	var mu sync.Mutex
	told := 0
	return func(done, all int) {
		mu.Lock()
		defer mu.Unlock()
		if tenth := 10 * done / max(1, all); tenth > told {
			told = tenth
			_, _ = fmt.Fprintln(a.err, a.say("replayed", "已重播")+" "+strconv.Itoa(10*tenth)+" %") // nowhere else to tell
		}
	}
}
