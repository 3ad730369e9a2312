package main

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
)

// maxCode bounds a code that is read from standard input.
const maxCode = 1 << 10

func enrol(g *global) *cobra.Command {
	var pdp string
	var replace bool
	cmd := &cobra.Command{
		Use:   "enrol CODE",
		Short: "Enrol this laptop with a one-time code; - reads it from standard input",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			if pdp != "" {
				c.PDP = pdp
			}
			code := args[0]
			if code == "-" {
				line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), maxCode)).ReadString('\n')
				if err != nil && line == "" {
					return fmt.Errorf("reading the code: %w", err)
				}
				code = line
			}
			w := wordsOf(g.language())
			out, began := cmd.OutOrStdout(), time.Now()
			s, err := agent.Enrol(cmd.Context(), c, code, replace, func(step int) {
				fmt.Fprintf(out, w.step+"\n", step, len(w.steps), w.steps[step-1])
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(out, w.enrolled+"\n", s.DeviceName, s.Agency, s.Provenance, time.Since(began).Round(10*time.Millisecond))
			return nil
		},
	}
	cmd.Flags().StringVar(&pdp, "pdp", "", "the PDP's agents' port as host:port; by default the configuration's")
	cmd.Flags().BoolVar(&replace, "replace", false, "give up the enrolment that is there, once the new one is finished")
	return cmd
}
