package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// routesFile is a portal's routes as an administrator writes them.
type routesFile struct {
	Routes []wire.Route `yaml:"routes"`
}

// Check implements yamlfile.Checker.
func (f *routesFile) Check() []yamlfile.Fault {
	number, fault := wire.CheckRoutes(f.Routes)
	if number == 0 {
		return nil
	}
	return []yamlfile.Fault{{Path: fmt.Sprintf("$.routes[%d]", number-1), Problem: "the " + fault + " of this route is wrong"}}
}

func (a *app) portalRoutes() *cobra.Command {
	var none bool
	c := &cobra.Command{
		Use:   "routes ORIGIN|ID [FILE]",
		Short: "Show or replace how requests for parts of a portal are graded and classed",
		Long: "Show or replace how requests for parts of a portal are graded and classed.\n\n" +
			"FILE is YAML or JSON: a list under \"routes\", each with a path, and as wanted methods, an action\n" +
			"(read, write or admin) and a class for the access policy. The first that fits counts.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if none && len(args) > 1 {
				return errors.New("name a file, or say --none")
			}
			var file routesFile
			if len(args) > 1 {
				if err := yamlfile.Load(args[1], &file); err != nil {
					return err
				}
				if len(file.Routes) == 0 {
					return errors.New("the file names no routes: say --none to take them away")
				}
			}
			p, err := a.findPortal(c.Context(), args[0])
			if err == nil && (none || len(args) > 1) {
				p, err = a.client().SetPortalRoutes(c.Context(), p.ID, client.Routes{Routes: file.Routes})
			}
			if err != nil {
				return err
			}
			return a.show(p, func() {
				rows := make([][]string, len(p.Routes))
				for i, r := range p.Routes {
					rows[i] = []string{r.Path, orDash(strings.Join(r.Methods, " ")), orDash(string(r.Action)), orDash(r.Class)}
				}
				a.table([]string{a.say("PATH", "路徑"), a.say("METHODS", "方法"), a.say("ACTION", "動作"), a.say("CLASS", "類別")}, rows)
			})
		},
	}
	c.Flags().BoolVar(&none, "none", false, "the portal has no routes")
	return c
}

func (a *app) portalTokens() *cobra.Command {
	var none bool
	var from []string
	c := &cobra.Command{
		Use:   "tokens ORIGIN|ID",
		Short: "Show or replace the networks of a portal's own servers, from which access tokens may be presented",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if none && len(from) > 0 {
				return errors.New("name networks, or say --none")
			}
			p, err := a.findPortal(c.Context(), args[0])
			if err == nil && (none || len(from) > 0) {
				p, err = a.client().SetPortalTokenFrom(c.Context(), p.ID, client.TokenFrom{Networks: from})
			}
			if err != nil {
				return err
			}
			return a.show(p, func() {
				rows := make([][]string, len(p.TokenFrom))
				for i, network := range p.TokenFrom {
					rows[i] = []string{network}
				}
				a.table([]string{a.say("NETWORK", "網路")}, rows)
			})
		},
	}
	c.Flags().StringSliceVar(&from, "from", nil, "a network of the portal's own servers, as CIDR")
	c.Flags().BoolVar(&none, "none", false, "access tokens may be presented from nowhere")
	return c
}
