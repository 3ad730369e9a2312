package main

import (
	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/policy"
)

func (a *app) policyDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Show what B changes against A, policy by policy; each is a FOLDER, a VERSION, active or baseline",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var sides [2]map[string][]byte
			for i, name := range args {
				var err error
				if sides[i], err = a.policySet(c.Context(), name); err != nil {
					return err
				}
			}
			d, err := policy.Diff(sides[0], sides[1])
			if err != nil {
				return &failure{exitRefused, reason.New(reason.CfgPolicy, "detail", err.Error())}
			}
			return a.show(d, func() { a.printPolicyDiff(d) })
		},
	}
}

func (a *app) printPolicyDiff(d policy.Difference) {
	for _, part := range []struct {
		heading, mark string
		sources       []policy.Source
	}{
		{a.say("Added", "新增"), "+", d.Added},
		{a.say("Removed", "移除"), "-", d.Removed},
	} {
		if len(part.sources) > 0 {
			a.printf("%s\n", part.heading)
		}
		for _, s := range part.sources {
			a.printf("%s %s  (%s:%d)\n", part.mark, s.ID, clean(s.File), s.Line)
		}
	}
	if len(d.Changed) > 0 {
		a.printf("%s\n", a.say("Changed", "修改"))
	}
	for _, c := range d.Changed {
		a.printf("~ %s  (%s:%d)\n", c.Now.ID, clean(c.Now.File), c.Now.Line)
		for _, one := range c.Annotations {
			a.printf("    @%s: %s → %s\n", one.Name, a.orNone(one.Was), a.orNone(one.Now))
		}
		for _, line := range c.Lines {
			a.printf("    %s %s\n", line.Mark, clean(line.Text))
		}
	}
	if len(d.Added)+len(d.Removed)+len(d.Changed) == 0 {
		a.printf("%s\n", a.say("no difference", "沒有差異"))
	}
}

func (a *app) orNone(text string) string {
	if text == "" {
		return a.say("(none)", "（無）")
	}
	return clean(text)
}
