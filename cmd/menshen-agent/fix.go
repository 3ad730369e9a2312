package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// fix repairs what an administrator of this machine allowed.
func fix(g *global) *cobra.Command {
	var list, undo bool
	cmd := &cobra.Command{
		Use:   "fix CLAIM",
		Short: "Have the agent repair what a claim is about, or undo that (as root)",
		Args: func(_ *cobra.Command, args []string) error {
			if list && (undo || len(args) != 0) || !list && len(args) != 1 {
				return errors.New("one claim is needed, such as firewall; --list shows all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			out, lang := cmd.OutOrStdout(), g.language()
			switch {
			case list:
				return listRemedies(cmd.Context(), out, lang, c)
			case undo:
				return undoRemedy(cmd.Context(), out, lang, c, wire.ClaimID(args[0]))
			}
			return applyRemedy(cmd.Context(), out, lang, c, wire.ClaimID(args[0]))
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "show what can be repaired and what was")
	cmd.Flags().BoolVar(&undo, "undo", false, "restore what was there before the repair")
	return cmd
}

func listRemedies(ctx context.Context, out io.Writer, lang reason.Language, c agent.Config) error {
	f, err := local.AskRemedies(ctx, c.Control)
	if err != nil {
		return notRunning(err)
	}
	if f.Reason != nil {
		return agent.Because(*f.Reason)
	}
	w := wordsOf(lang)
	for _, r := range f.Remedies {
		state := w.remedyForbidden
		switch {
		case r.Applied:
			state = fmt.Sprintf(w.remedyApplied, r.At.Local().Format(time.DateTime))
		case r.Recorded:
			state = w.remedyInterrupted
		case r.Allowed:
			state = w.remedyAllowed
		}
		fmt.Fprintf(out, "%-18s %s: %s\n", r.Claim, w.claim(r.Claim), state)
	}
	return nil
}

func applyRemedy(ctx context.Context, out io.Writer, lang reason.Language, c agent.Config, claim wire.ClaimID) error {
	f, err := local.AskFix(ctx, c.Control, claim)
	if err != nil {
		return notRunning(err)
	}
	if f.Reason != nil {
		return agent.Because(*f.Reason)
	}
	w := wordsOf(lang)
	fmt.Fprintf(out, w.remedyDone, w.claim(claim), claim)
	if f.Status != nil {
		_, err = io.WriteString(out, render(lang, *f.Status, time.Now()))
	}
	return err
}

func undoRemedy(ctx context.Context, out io.Writer, lang reason.Language, c agent.Config, claim wire.ClaimID) error {
	if err := agent.Undo(ctx, c, claim); err != nil {
		return err
	}
	w := wordsOf(lang)
	fmt.Fprintf(out, w.remedyUndone, w.claim(claim))
	s, err := local.AskCheck(ctx, c.Control)
	if err != nil {
		return nil // undone all the same; the agent measures when it runs
	}
	_, err = io.WriteString(out, render(lang, s, time.Now()))
	return err
}

func notRunning(err error) error {
	return errors.Join(agent.Because(reason.New(reason.AgentNotRunning)), err)
}

// remedyCommand is the process that repairs things.
func remedyCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "remedy",
		Short: "Run the process that repairs what agent.yaml allows; root's, and off unless switched on",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			stayLean()
			return agent.RunRemedies(cmd.Context(), g.file, c, logger(c))
		},
	}
}
