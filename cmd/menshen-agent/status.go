package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
	"github.com/menshen-zt/menshen/agent/local"
	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// Exit codes of status and check.
const (
	exitFailing = exitCode(1)
	exitUnknown = exitCode(2)
)

func status(g *global) *cobra.Command {
	question := func(ctx context.Context, c agent.Config) (local.Status, error) {
		return local.AskStatus(ctx, c.Control)
	}
	return ask(g, "status", "Say what the PDP thinks of this laptop, and what to repair", question)
}

func check(g *global) *cobra.Command {
	question := func(ctx context.Context, c agent.Config) (local.Status, error) {
		if inDesktop() { // what was just put right there is to count at once
			_ = agent.ReportSession(ctx, c) // without an agent the question says so
		}
		return local.AskCheck(ctx, c.Control)
	}
	return ask(g, "check", "Measure now, and say what the PDP thinks of it", question)
}

// ask makes a command that asks the running agent.
func ask(g *global, use, short string, question func(context.Context, agent.Config) (local.Status, error)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			s, err := question(cmd.Context(), c)
			if err != nil {
				why := reason.New(reason.AgentNotRunning)
				s = local.Status{V: 1, Health: local.HealthUnknown, Reason: &why, Seat: c.Seat, Port: c.Port}
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), s)
			} else {
				_, err = io.WriteString(cmd.OutOrStdout(), render(g.language(), s, time.Now()))
			}
			if err != nil {
				return err
			}
			switch s.Health {
			case local.HealthGood:
				return nil
			case local.HealthFailing:
				return exitFailing
			default:
				return exitUnknown
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for scripts")
	return cmd
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// render says a status in one line, and then what to do about each fault, in
// the words of the PDP's pages.
func render(lang reason.Language, s local.Status, now time.Time) string {
	w := wordsOf(lang)
	var failing, notes []wire.Reason
	if s.Result != nil {
		for _, f := range s.Result.Findings {
			switch {
			case f.Fails():
				failing = append(failing, f.Reason)
			case f.Note:
				notes = append(notes, f.Reason)
			}
		}
	}
	parts := []string{w.thisDevice}
	if s.DeviceName != "" {
		parts[0] = fmt.Sprintf(w.device, s.DeviceName)
	}
	if s.Trust != nil {
		parts = append(parts, fmt.Sprintf(w.trust, *s.Trust))
	}
	parts = append(parts, summary(lang, s, failing))
	if s.Result != nil && !s.Result.IssuedAt.IsZero() {
		parts = append(parts, fmt.Sprintf(w.measured, w.ago(now.Sub(s.Result.IssuedAt))))
	}
	if s.Reason == nil && len(failing) == 1 {
		parts = append(parts, fmt.Sprintf(w.fix, reason.Shown(lang, failing[0]).Do))
	}
	var b strings.Builder
	b.WriteString(strings.Join(parts, " · ") + "\n")
	for _, why := range details(s, failing) {
		explain(&b, lang, "✖", why)
	}
	for _, why := range notes {
		explain(&b, lang, "–", why)
	}
	for _, c := range s.Claims {
		fmt.Fprintf(&b, "  %s %s\n", w.mark(c.State), w.claim(c.ID))
	}
	return b.String()
}

// summary is the part of the line that says how it stands.
func summary(lang reason.Language, s local.Status, failing []wire.Reason) string {
	w := wordsOf(lang)
	var names []string
	for _, why := range failing {
		names = append(names, fmt.Sprintf("%s (%s)", reason.Shown(lang, why).Title, why.Code))
	}
	switch {
	case s.Health == local.HealthGood:
		return w.allGood
	case s.Reason != nil && s.Health == local.HealthFailing:
		return fmt.Sprintf(w.refused, reason.Shown(lang, *s.Reason).Title, s.Reason.Code)
	case s.Reason != nil:
		return fmt.Sprintf(w.cannotTell, reason.Shown(lang, *s.Reason).Title, s.Reason.Code)
	case len(names) > 0:
		return w.failing(len(names)) + strings.Join(names, w.comma)
	case s.Health == local.HealthFailing:
		return w.notAccepted
	}
	return w.unknown
}

// details are the reasons to explain, each once: why nothing can be told, what
// fails, and what hinders the agent.
func details(s local.Status, failing []wire.Reason) []wire.Reason {
	var all []wire.Reason
	if s.Reason != nil {
		all = append(all, *s.Reason)
	}
	all = append(append(all, failing...), s.Problems...)
	seen := map[string]bool{}
	kept := all[:0]
	for _, why := range all {
		if !seen[why.Code] {
			seen[why.Code] = true
			kept = append(kept, why)
		}
	}
	return kept
}

// explain writes what happened and what to do. What would help an attacker
// shows its code alone.
func explain(b *strings.Builder, lang reason.Language, mark string, why wire.Reason) {
	text := reason.Of(lang, why)
	if text.Withheld {
		fmt.Fprintf(b, "  %s %s\n", mark, why.Code)
		return
	}
	fmt.Fprintf(b, "  %s %s (%s)\n    %s\n    → %s\n", mark, text.Title, why.Code, text.What, text.Do)
	for i, step := range text.Steps {
		fmt.Fprintf(b, "      %d. %s\n", i+1, step)
	}
}
