package main

import (
	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) personErase() *cobra.Command {
	var agency string
	var in client.Erasure
	c := &cobra.Command{
		Use:   "erase ACCOUNT|ID",
		Short: "Destroy the keys of what was recorded of a person's decisions, and what plugins know",
		Long: `Deletes what the trust score's history and its plugins keep of a person, and
destroys the keys under which the inputs of a person's decisions are sealed in
the audit log: what was known of the person, the laptop and the network at each
of them. Nobody can read these any more, or compute the decisions again. The
records themselves stay, with the decision, its reasons and the ids, and the
log still verifies.

It cannot be taken back. Keys and sessions are not touched: see "person
disable". Copies of the store made before still hold the keys, sealed by the
PDP's keyring.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e, err := a.client().ErasePerson(c.Context(), agency, args[0], in)
			if err != nil {
				return err
			}
			return a.show(e, func() {
				a.printf("%s %d\n", a.say("Keys destroyed:", "已銷毀的金鑰數："), e.Keys)
			})
		},
	}
	a.agencyFlag(c, &agency, false)
	c.Flags().StringVar(&in.Reason, "reason", "", "why, for the audit log")
	must(c.MarkFlagRequired("reason"))
	return c
}
