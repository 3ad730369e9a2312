package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) exception() *cobra.Command {
	return noun("exception", "What an agency permits to fail, for a time", a.exceptionAdd(), a.exceptionList(), a.exceptionRemove())
}

func (a *app) exceptionAdd() *cobra.Command {
	var agency string
	var e client.NewException
	c := &cobra.Command{
		Use:   "add",
		Short: "Permit one claim, or one rule of a baseline, to fail; you are its approver",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			made, err := a.client().AddException(c.Context(), agency, e)
			if err != nil {
				return err
			}
			return a.show(made, func() {
				a.printf("%s %s %s\n", made.ID, a.say("permits this until", "有效至"), a.moment(made.Until))
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	f := c.Flags()
	f.StringVar(&e.Device, "device", "", "the one device it is for, by name; all of the agency's if not given")
	f.StringVar((*string)(&e.Claim), "claim", "", "the claim, such as firewall")
	f.StringVar(&e.Baseline, "baseline", "", "the baseline, such as TWGCB-01-014")
	f.StringVar(&e.Rule, "rule", "", "the rule, such as TWGCB-01-014-0002")
	f.BoolVar(&e.Unmeasured, "unmeasured", false, "permit also that it cannot be measured")
	f.StringVar(&e.Reason, "reason", "", "why it is permitted, and what protects instead")
	f.IntVar(&e.Days, "days", 0, "how many days it lasts, 366 at most")
	return c
}

func (a *app) exceptionList() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "list",
		Short: "List an agency's exceptions by when they end, those that have ended too",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().Exceptions(c.Context(), agency)
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, e := range all {
					device := e.Device
					if device == "" {
						device = a.say("all", "全部")
					}
					rows[i] = []string{exceptionSubject(e), device, a.moment(e.Until), e.Approver, clean(e.Reason), e.ID}
				}
				a.table([]string{
					a.say("FOR", "對象"), a.say("DEVICE", "裝置"), a.say("UNTIL", "有效至"), a.say("APPROVER", "核准者"),
					a.say("REASON", "理由"), a.say("ID", "代碼"),
				}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func exceptionSubject(e wire.Exception) string {
	if e.Claim != "" {
		return string(e.Claim)
	}
	return e.Rule
}

func (a *app) exceptionRemove() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "remove ID",
		Short: "End an exception now; the agency's devices are judged anew at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			gone, err := a.client().RemoveException(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(gone, func() { a.printf("%s: %s\n", exceptionSubject(gone), a.say("must pass again", "須再次符合")) })
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) deviceBaseline() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "baseline NAME|ID",
		Short: "Show a device's last report on its configuration baselines: what fails, and what is excepted",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := a.client().Baselines(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(b, func() { a.printBaselines(b) })
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) printBaselines(b client.BaselineReports) {
	excepted := map[string]bool{}
	for _, e := range b.Exceptions {
		excepted[e.Rule] = true
	}
	for _, r := range b.Reports {
		counts := map[wire.ClaimState]int{}
		var rows [][]string
		for _, result := range r.Results {
			state := result.State
			if state == wire.ClaimFail && excepted[result.Rule] {
				state = wire.ClaimException
			}
			counts[state]++
			if state != wire.ClaimPass && state != wire.ClaimNotApplicable {
				rows = append(rows, []string{clean(result.Rule), a.claimState(state), clean(result.Seen)})
			}
		}
		a.facts(
			a.say("Device", "裝置"), b.Device,
			a.say("Baseline", "基準"), clean(r.Baseline)+" "+clean(r.Version),
			a.say("Rules' SHA-256", "規則的 SHA-256"), fmt.Sprintf("%x", r.RuleSet),
			a.say("Measured", "量測時間"), a.moment(b.At),
			a.claimState(wire.ClaimPass), fmt.Sprint(counts[wire.ClaimPass]),
			a.claimState(wire.ClaimNotApplicable), fmt.Sprint(counts[wire.ClaimNotApplicable]),
		)
		a.printf("\n")
		a.table([]string{a.say("RULE", "規則"), a.say("RESULT", "結果"), a.say("SEEN", "實際")}, rows)
	}
}
