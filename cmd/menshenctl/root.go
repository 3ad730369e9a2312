package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// Exit codes.
const (
	exitDone    = 0
	exitRefused = 1
	exitUnknown = 2
	exitUsage   = 64 // sysexits' EX_USAGE
)

const defaultSocket = "/run/menshen-pdp/admin.sock"

// app is what the commands share.
type app struct {
	socket   string
	language string
	json     bool
	env      func(string) string
	in       io.Reader
	out, err io.Writer
}

// failure ends the program with a code and a reason that a person can read.
type failure struct {
	exit int
	why  wire.Reason
}

func (f *failure) Error() string { return f.why.Code }

func execute(ctx context.Context, args []string, env func(string) string, in io.Reader, out, err io.Writer) int {
	a := &app{env: env, in: in, out: out, err: err}
	root := a.command()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(err)
	return a.exit(root.ExecuteContext(ctx))
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "menshenctl",
		Short: "Administer Menshen on the PDP's machine",
		Long: `Administers Menshen by the PDP's Unix socket, on the PDP's own machine.

Exit codes: 0 done; 1 refused, failing or broken; 2 cannot tell; 64 usage.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.socket, "socket", defaultSocket, "the PDP's administration socket")
	flags.StringVar(&a.language, "lang", "", "language of messages: zh-TW or en (default: from the environment)")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(a.application(), a.signal(), a.plugin())
	root.AddCommand(a.agency(), a.person(), a.key(), a.portal(), a.device(), a.expected(), a.software(), a.reference(), a.exception(), a.trust(), a.appeal(), a.session(), a.decision(), a.policy(), a.status(), a.audit())
	return root
}

// lang is the language that the person reads.
func (a *app) lang() reason.Language {
	wanted := a.language
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if wanted == "" {
			wanted = a.env(name)
		}
	}
	if strings.HasPrefix(strings.ToLower(wanted), "zh") {
		return reason.Chinese
	}
	return reason.English
}

// say picks the wording in the person's language.
func (a *app) say(english, chinese string) string {
	if a.lang() == reason.Chinese {
		return chinese
	}
	return english
}

func (a *app) client() *client.Client { return client.New(a.socket, a.lang()) }

// exit tells what went wrong, if anything did, and returns the exit code.
func (a *app) exit(err error) int {
	if err == nil {
		return exitDone
	}
	var problem *client.Problem
	var failed *failure
	switch {
	case errors.As(err, &failed):
		text := reason.Of(a.lang(), failed.why)
		a.complain(failed.why.Code, text.Title, text.What, text.Do)
		return failed.exit
	case errors.As(err, &problem) && problem.Document != nil:
		d := problem.Document
		a.complain(d.Code, d.Title, d.Detail, d.Do)
		return exitRefused
	case errors.As(err, &problem):
		text := reason.Of(a.lang(), problem.Why)
		a.complain(problem.Why.Code, text.Title, text.What, text.Do)
		return exitUnknown
	default: // cobra's own errors are about the command line
		text := reason.Of(a.lang(), reason.New(reason.CfgUsage, "detail", err.Error()))
		a.complain(reason.CfgUsage, text.Title, text.What, text.Do)
		return exitUsage
	}
}

func (a *app) complain(code, title, what, do string) {
	_, _ = fmt.Fprintf(a.err, "menshenctl: %s %s\n  %s\n  → %s\n", code, title, what, do) // nowhere else to tell
}

// show prints v as JSON if that was asked for, else as text.
func (a *app) show(v any, text func()) error {
	if a.json {
		return a.printJSON(v)
	}
	text()
	return nil
}

func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.out, format, args...) // a closed pipe needs no telling
}

// noun is a command that only groups others.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return errors.New("a verb is missing after " + use)
	}}
	c.AddCommand(verbs...)
	return c
}

// agencyFlag adds --agency, completed from the PDP's agencies.
func (a *app) agencyFlag(c *cobra.Command, agency *string, required bool) {
	c.Flags().StringVar(agency, "agency", "", "agency id")
	if required {
		must(c.MarkFlagRequired("agency"))
	}
	must(c.RegisterFlagCompletionFunc("agency", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(c.Context(), 2*time.Second)
		defer cancel()
		agencies, err := a.client().Agencies(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ids := make([]string, len(agencies))
		for i, agency := range agencies {
			ids[i] = agency.ID + "\t" + agency.NameEN
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}))
}

// must is for what only a mistake in this program can break.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
