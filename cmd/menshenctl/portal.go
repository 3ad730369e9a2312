package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) portal() *cobra.Command {
	return noun("portal", "Portals behind their proxies", a.portalCreate(), a.portalList(), a.portalHosts(), a.portalRoutes(), a.portalTokens())
}

func (a *app) portalCreate() *cobra.Command {
	var agency, sensitivity string
	var in client.NewPortal
	c := &cobra.Command{
		Use:   "create ORIGIN",
		Short: "Add a portal and print its proxy's bearer secret, this once",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in.Origin, in.Sensitivity = args[0], wire.Sensitivity(sensitivity)
			p, err := a.client().CreatePortal(c.Context(), agency, in)
			if err != nil {
				return err
			}
			return a.show(p, func() {
				a.facts(
					a.say("Portal", "入口"), p.Portal.Origin,
					a.say("ID", "代碼"), p.Portal.ID,
					a.say("Secret", "密鑰"), p.Secret,
				)
				a.printf("\n%s\n", a.say("Put the secret into the proxy's configuration now: it is not shown again.", "請立即將密鑰填入代理伺服器的設定；之後不會再顯示。"))
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	c.Flags().StringVar(&in.NameZH, "name-zh", "", "Chinese name")
	c.Flags().StringVar(&in.NameEN, "name-en", "", "English name")
	c.Flags().StringVar(&sensitivity, "sensitivity", string(wire.PortalSensitive), "normal or sensitive")
	must(c.MarkFlagRequired("name-zh"))
	must(c.MarkFlagRequired("name-en"))
	must(c.RegisterFlagCompletionFunc("sensitivity", cobra.FixedCompletions(
		[]string{string(wire.PortalNormal), string(wire.PortalSensitive)}, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func (a *app) portalList() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "list",
		Short: "List an agency's portals",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().Portals(c.Context(), agency)
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, p := range all {
					sensitivity := a.say("sensitive", "機敏")
					if p.Sensitivity == wire.PortalNormal {
						sensitivity = a.say("normal", "一般")
					}
					rows[i] = []string{p.Origin, a.say(p.NameEN, p.NameZH), sensitivity, p.ID}
				}
				a.table([]string{a.say("ORIGIN", "網址"), a.say("NAME", "名稱"), a.say("SENSITIVITY", "機敏等級"), a.say("ID", "代碼")}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) portalHosts() *cobra.Command {
	var none bool
	c := &cobra.Command{
		Use:   "hosts ORIGIN|ID [DEVICE…]",
		Short: "Show or name the attested devices that serve a portal",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if none && len(args) > 1 {
				return errors.New("name devices, or say --none")
			}
			p, err := a.findPortal(c.Context(), args[0])
			if err == nil && (none || len(args) > 1) {
				p, err = a.client().SetPortalHosts(c.Context(), p.ID, client.Hosts{Devices: args[1:]})
			}
			if err != nil {
				return err
			}
			return a.show(p, func() {
				rows := make([][]string, len(p.Hosts))
				for i, id := range p.Hosts {
					rows[i] = a.hostRow(c.Context(), id)
				}
				a.table([]string{a.say("NAME", "名稱"), a.say("STATE", "狀態"), a.say("STANDING", "目前狀況"), a.say("ID", "代碼")}, rows)
			})
		},
	}
	c.Flags().BoolVar(&none, "none", false, "the portal names no hosts")
	return c
}

// hostRow shows one host; one that cannot be shown is told by its id alone.
func (a *app) hostRow(ctx context.Context, id string) []string {
	d, err := a.client().Device(ctx, "", id)
	if err != nil {
		return []string{"?", "?", "?", id}
	}
	return []string{d.Device.Name, a.deviceStatus(d.Device.Status), a.standing(d.Standing.Standing), id}
}

// findPortal finds a portal by its id or by its origin, which is one portal's
// in all agencies.
func (a *app) findPortal(ctx context.Context, name string) (wire.Portal, error) {
	agencies, err := a.client().Agencies(ctx)
	if err != nil {
		return wire.Portal{}, err
	}
	for _, agency := range agencies {
		portals, err := a.client().Portals(ctx, agency.ID)
		if err != nil {
			return wire.Portal{}, err
		}
		for _, p := range portals {
			if p.ID == name || p.Origin == name {
				return p, nil
			}
		}
	}
	return wire.Portal{}, &failure{exit: exitRefused, why: reason.New(reason.CfgNotFound, "what", name)}
}
