package main

import (
	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
)

func (a *app) agency() *cobra.Command {
	return noun("agency", "Agencies", a.agencyCreate(), a.agencyList(), a.agencyWithdrawKeys())
}

func (a *app) agencyWithdrawKeys() *cobra.Command {
	return &cobra.Command{
		Use:   "withdraw-keys ID",
		Short: "Take an agency's signing keys for access tokens out of use at once, after they may have been copied",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			out, err := a.client().WithdrawKeys(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(out, func() {
				a.printf("%s %s\n", a.say("Signing keys withdrawn:", "已撤銷簽章金鑰："), out.ID)
			})
		},
	}
}

func (a *app) agencyCreate() *cobra.Command {
	var in wire.Agency
	c := &cobra.Command{
		Use:   "create ID",
		Short: "Add an agency",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in.ID = args[0]
			out, err := a.client().CreateAgency(c.Context(), in)
			if err != nil {
				return err
			}
			return a.show(out, func() {
				a.printf("%s %s\n", a.say("Agency added:", "已新增機關："), out.ID)
			})
		},
	}
	c.Flags().StringVar(&in.NameZH, "name-zh", "", "Chinese name")
	c.Flags().StringVar(&in.NameEN, "name-en", "", "English name")
	must(c.MarkFlagRequired("name-zh"))
	must(c.MarkFlagRequired("name-en"))
	return c
}

func (a *app) agencyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the agencies",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().Agencies(c.Context())
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, x := range all {
					rows[i] = []string{x.ID, x.NameZH, x.NameEN}
				}
				a.table([]string{a.say("ID", "代碼"), a.say("CHINESE NAME", "中文名稱"), a.say("ENGLISH NAME", "英文名稱")}, rows)
			})
		},
	}
}
