package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
)

func doctor(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what keeps the agent from working",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			found := agent.Diagnose(cmd.Context(), c)
			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), found); err != nil {
					return err
				}
			}
			ill := false
			for _, d := range found {
				ill = ill || !d.OK
				if !asJSON {
					fmt.Fprint(cmd.OutOrStdout(), diagnosis(g, d))
				}
			}
			if ill {
				return exitFailing
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for scripts")
	return cmd
}

func diagnosis(g *global, d agent.Diagnosis) string {
	w := wordsOf(g.language())
	if d.OK {
		return fmt.Sprintf("  ✔ %s\n", w.organ(d.Name))
	}
	var b strings.Builder
	if d.Reason != nil {
		explain(&b, g.language(), "✖", *d.Reason)
	}
	if d.Detail != "" {
		fmt.Fprintf(&b, "    [%s: %s]\n", d.Name, d.Detail)
	}
	return b.String()
}
