//go:build linux

// Command menshen-pdp is the policy decision point: flags → Config → New → Run.
//
// Exit codes: 0 after an orderly end; 78 for a configuration that must be
// repaired first, which a service manager does not restart on; 1 for all else.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/yamlfile"
	"github.com/menshen-zt/menshen/pdp"
	"github.com/menshen-zt/menshen/plugins/host"
)

// pluginLaunch is the hidden first argument by which the PDP starts itself to
// become a plugin, once it has given up every right that the plugin does not need.
const pluginLaunch = "plugin-launch"

// version is set by the build.
var version = "unreleased"

func main() {
	if len(os.Args) > 1 && os.Args[1] == pluginLaunch {
		os.Exit(host.Launch(os.Args[2:])) // returns on failure only: it becomes the plugin
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "menshen-pdp:", err)
	var wrong *yamlfile.Error
	if errors.As(err, &wrong) {
		os.Exit(yamlfile.ExitCode)
	}
	os.Exit(1)
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "menshen-pdp",
		Short:         "Menshen's policy decision point",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	file := root.PersistentFlags().StringP("config", "c", "/etc/menshen/pdp.yaml", "configuration file")
	root.AddCommand(run(file), launcher(file), validate(file), initialise(file), showCA(file), showVersion())
	return root
}

func run(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the PDP until it is told to stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := pdp.LoadConfig(*file)
			if err != nil {
				return err
			}
			logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: config.Log.Level}))
			p, err := pdp.New(cmd.Context(), config, version, logger)
			if err != nil {
				return err
			}
			return p.Run(cmd.Context())
		},
	}
}

func validate(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration and the policies it names, and change nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := pdp.LoadConfig(*file)
			if err != nil {
				return err
			}
			if err := pdp.Validate(config); err != nil {
				return &yamlfile.Error{File: *file, Err: err}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), *file+": valid")
			return err
		},
	}
}

func initialise(file *string) *cobra.Command {
	var first pdp.First
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make keys and store, the first agency and its first administrator",
		Long: `Makes the PDP's keys, its private CA, its store and audit log, the first agency
and its first administrator, and prints the one-time link by which that
administrator registers a security key. It runs once, before the PDP does, as
the PDP's own user or root: no network caller ever becomes an administrator by
being first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := pdp.LoadConfig(*file)
			if err != nil {
				return err
			}
			made, err := pdp.Init(cmd.Context(), config, first)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "agency\t%s\nadministrator\t%s\nlink\t%s\nagents-ca-sha256\t%s\n",
				made.Agency, made.PersonID, made.Link, made.Fingerprint)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&first.Agency.ID, "agency", "", "the agency's id, such as moda")
	flags.StringVar(&first.Agency.NameZH, "agency-zh", "", "its name in Chinese")
	flags.StringVar(&first.Agency.NameEN, "agency-en", "", "its name in English")
	flags.StringVar(&first.Account, "account", "", "the administrator's account, such as wang.xm")
	flags.StringVar(&first.Name, "name", "", "the administrator's name")
	for _, name := range []string{"agency", "agency-zh", "agency-en", "account", "name"} {
		_ = cmd.MarkFlagRequired(name) // the names stand just above
	}
	return cmd
}

func showCA(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "ca",
		Short: "Print the certificate of the private CA, by which proxies verify the PDP",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := pdp.LoadConfig(*file)
			if err != nil {
				return err
			}
			certificate, err := pdp.CA(config)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(certificate)
			return err
		},
	}
}

func showVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "menshen-pdp", version)
			return err
		},
	}
}
