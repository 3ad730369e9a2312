package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) session() *cobra.Command {
	return noun("session", "Portal sessions", a.sessionList(), a.sessionRevoke())
}

func (a *app) sessionList() *cobra.Command {
	var agency, person string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the sessions that stand",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			id := ""
			if person != "" {
				p, err := a.client().Person(c.Context(), agency, person)
				if err != nil {
					return err
				}
				id = p.Person.ID
			}
			all, err := a.client().Sessions(c.Context(), id)
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, s := range all {
					rows[i] = []string{s.ID, s.Person, s.Portal, s.Device, a.moment(s.SignIn), a.moment(s.LastSeen)}
				}
				a.table([]string{
					a.say("SESSION", "工作階段"), a.say("PERSON", "人員"), a.say("PORTAL", "入口"), a.say("DEVICE", "裝置"),
					a.say("SIGNED IN", "登入時間"), a.say("LAST SEEN", "最近使用"),
				}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, false)
	c.Flags().StringVar(&person, "person", "", "only this person's, by account or id")
	return c
}

func (a *app) sessionRevoke() *cobra.Command {
	var agency, person string
	c := &cobra.Command{
		Use:   "revoke [SESSION-ID]",
		Short: "End one session, or all of a person's",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 1) == (person != "") {
				return errors.New("either a session id or --person is needed")
			}
			var out client.Revoked
			var err error
			if person != "" {
				out, err = a.client().RevokePerson(c.Context(), agency, person)
			} else {
				out, err = a.client().RevokeSession(c.Context(), args[0])
			}
			if err != nil {
				return err
			}
			return a.show(out, func() { a.printf("%s %d\n", a.say("Sessions ended:", "已結束的工作階段："), out.Sessions) })
		},
	}
	a.agencyFlag(c, &agency, false)
	c.Flags().StringVar(&person, "person", "", "all of this person's, by account or id")
	return c
}
