package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/agent/helper"
)

// The agent is to be small and is idle nearly always: it collects garbage
// early, and two threads at once are plenty.
const (
	gcPercent   = 40
	memoryLimit = 18 << 20
	processors  = 2
)

func stayLean() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(min(processors, runtime.NumCPU()))
}

func logger(c agent.Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.Log.Level}))
}

func run(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the agent until it is told to stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			work, err := prepareAgent(g)
			if err != nil {
				return err
			}
			if service.Interactive() {
				return work(cmd.Context())
			}
			return underManager(work)
		},
	}
}

// serviceRun is what Windows' service manager is told to start.
func serviceRun(g *global) *cobra.Command {
	return &cobra.Command{
		Use:    "service-run",
		Short:  "Run the agent under the system's service manager",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			work, err := prepareAgent(g)
			if err != nil {
				return err
			}
			return underManager(work)
		},
	}
}

func prepareAgent(g *global) (func(context.Context) error, error) {
	c, err := g.config()
	if err != nil {
		return nil, err
	}
	stayLean()
	a, err := agent.New(c, version, logger(c))
	if err != nil {
		return nil, err
	}
	return a.Run, nil
}

func helperCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "helper",
		Short: "Run the privileged helper: read-only questions from the agent alone",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			uid, err := c.HelperUID()
			if err != nil {
				return err
			}
			stayLean()
			return helper.Run(cmd.Context(), helper.Config{
				Socket: c.Helper, AgentUID: uid, Logger: logger(c), EventLog: c.ReadEventLog, IMA: c.ReadIMA,
			})
		},
	}
}

func validate(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration and change nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := g.config(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", g.file, wordsOf(g.language()).configGood)
			return nil
		},
	}
}

func showVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "menshen-agent %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
