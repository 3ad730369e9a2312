package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
)

// ekCommand shows what inventories and administrators know a TPM by.
func ekCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "ek",
		Short: "Show the digests of this machine's endorsement keys, as CSV: for lists of expected devices, and to compare before approval",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			keys, err := agent.EndorsementKeys(c)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintln(out, "ek,certificate,ek_sha256")
			for _, k := range keys {
				certificate := "none"
				if k.Certified {
					certificate = "yes"
				}
				fmt.Fprintf(out, "%s,%s,%x\n", k.Template, certificate, k.Digest)
			}
			return nil
		},
	}
}
