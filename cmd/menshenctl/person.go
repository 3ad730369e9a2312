package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) person() *cobra.Command {
	return noun("person", "People and their registration links",
		a.personCreate(), a.personList(), a.personShow(), a.personState("disable", true), a.personState("enable", false), a.personLink(), a.personErase())
}

func (a *app) personCreate() *cobra.Command {
	var agency string
	var in client.NewPerson
	c := &cobra.Command{
		Use:   "create ACCOUNT",
		Short: "Add a person to an agency",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in.Account = args[0]
			p, err := a.client().CreatePerson(c.Context(), agency, in)
			if err != nil {
				return err
			}
			return a.show(p, func() {
				a.printf("%s %s %s (%s)\n", a.say("Person added:", "已新增人員："), p.Account, p.Name, p.ID)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	c.Flags().StringVar(&in.Name, "name", "", "the person's name")
	c.Flags().StringSliceVar(&in.Groups, "group", nil, "a group the person is in; may be repeated")
	c.Flags().BoolVar(&in.Admin, "admin", false, "an administrator of the agency")
	must(c.MarkFlagRequired("name"))
	return c
}

func (a *app) personList() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "list",
		Short: "List an agency's people",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().People(c.Context(), agency)
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, p := range all {
					rows[i] = []string{p.Account, p.Name, a.personStatus(p), strings.Join(p.Groups, ","), p.ID}
				}
				a.table([]string{a.say("ACCOUNT", "帳號"), a.say("NAME", "姓名"), a.say("STATE", "狀態"), a.say("GROUPS", "群組"), a.say("ID", "代碼")}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) personStatus(p wire.Person) string {
	switch {
	case p.Disabled:
		return a.say("disabled", "已停用")
	case p.Admin:
		return a.say("administrator", "管理者")
	default:
		return a.say("active", "啟用中")
	}
}

func (a *app) personShow() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "show ACCOUNT|ID",
		Short: "Show a person and the keys registered for them",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.client().Person(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(p, func() {
				a.facts(
					a.say("Name", "姓名"), p.Person.Name,
					a.say("Account", "帳號"), p.Person.Account,
					a.say("Agency", "機關"), p.Person.Agency,
					a.say("State", "狀態"), a.personStatus(p.Person),
					a.say("Groups", "群組"), strings.Join(p.Person.Groups, ", "),
					a.say("Added", "新增時間"), a.moment(p.Person.CreatedAt),
					a.say("ID", "代碼"), p.Person.ID,
				)
				a.printf("\n")
				a.keys(p.Keys)
			})
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) personState(verb string, disabled bool) *cobra.Command {
	var agency string
	short := map[bool]string{true: "Disable a person: sessions end, sign-in is refused", false: "Enable a person again"}[disabled]
	c := &cobra.Command{
		Use:   verb + " ACCOUNT|ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.client().SetDisabled(c.Context(), agency, args[0], disabled)
			if err != nil {
				return err
			}
			return a.show(p, func() { a.printf("%s: %s\n", p.Account, a.personStatus(p)) })
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) personLink() *cobra.Command {
	var agency string
	var life time.Duration
	c := &cobra.Command{
		Use:   "link ACCOUNT|ID",
		Short: "Make a one-time link by which the person registers a security key",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := a.client().Link(c.Context(), agency, args[0], client.NewLink{LifeSeconds: int64(life / time.Second)})
			if err != nil {
				return err
			}
			return a.show(l, func() {
				a.printf("%s\n\n", l.URL)
				a.printf("%s %s\n", a.say("Works once, until", "僅能使用一次，有效至"), a.moment(l.Expires))
				a.printf("%s\n", a.say("Give it to this person only, by a way that you trust.", "請以可信任的方式只交給本人。"))
			})
		},
	}
	a.agencyFlag(c, &agency, false)
	c.Flags().DurationVar(&life, "life", 24*time.Hour, "how long the link works")
	return c
}
