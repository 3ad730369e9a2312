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
	var how agent.Enrolment
	cmd := &cobra.Command{
		Use:   "enrol [CODE]",
		Short: "Enrol this laptop with a one-time code; - reads it from standard input",
		Long: "Enrol this laptop with a one-time code; - reads it from standard input.\n\n" +
			"A laptop whose endorsement key is on the agency's list of expected devices needs no code,\n" +
			"but the fingerprint of the PDP's CA, so that it enrols at no other.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			if pdp != "" {
				c.PDP = pdp
			}
			if how.Code, err = codeOf(args, cmd.InOrStdin()); err != nil {
				return err
			}
			w := wordsOf(g.language())
			how.Language = string(g.language())
			out, began := cmd.OutOrStdout(), time.Now()
			s, err := agent.Enrol(cmd.Context(), c, how, func(step int) {
				fmt.Fprintf(out, w.step+"\n", step, len(w.steps), w.steps[step-1])
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(out, w.enrolled+"\n", s.DeviceName, s.Agency, s.Provenance, time.Since(began).Round(10*time.Millisecond))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&pdp, "pdp", "", "the PDP's agents' port as host:port; by default the configuration's")
	flags.StringVar(&how.CAFingerprint, "ca-fingerprint", "", "SHA-256 of the PDP's CA certificate in hexadecimal, instead of a code")
	flags.StringVar(&how.EK, "ek", "", "endorsement key to enrol with: p-256, p-384 or rsa-2048; by default the first of these with a certificate")
	flags.BoolVar(&how.WithoutCertificate, "without-certificate", false, "have an administrator vouch for the TPM instead of its maker")
	flags.BoolVar(&how.Replace, "replace", false, "give up the enrolment that is there, once the new one is finished")
	return cmd
}

// codeOf is the code of the command line, empty if there is none.
func codeOf(args []string, in io.Reader) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if args[0] != "-" {
		return args[0], nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxCode)).ReadString('\n')
	if err != nil && line == "" {
		return "", fmt.Errorf("reading the code: %w", err)
	}
	return line, nil
}
