package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
)

func (a *app) decisionRates() *cobra.Command {
	var agency, by string
	var since time.Duration
	c := &cobra.Command{
		Use:   "rates",
		Short: "How often people are let in, asked again and refused, by agency, group, shift or portal",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rates, err := a.client().Rates(c.Context(), wire.RatesBy(by), agency, time.Now().Add(-since))
			if err != nil {
				return err
			}
			return a.show(rates, func() { a.printRates(rates) })
		},
	}
	f := c.Flags()
	f.StringVar(&by, "by", string(wire.RatesByAgency), "agency, group, shift or portal")
	f.DurationVar(&since, "since", 30*24*time.Hour, "how far back to look")
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) printRates(rates wire.DecisionRates) {
	rows := make([][]string, len(rates.Rows))
	for i, r := range rates.Rows {
		rows[i] = []string{
			clean(r.Name), strconv.Itoa(r.People), strconv.Itoa(r.Decisions), share(r.StepUps, r.Decisions), share(r.Denials, r.Decisions),
			share(r.ByScore, r.Decisions), share(r.PeopleDenied, r.People),
		}
	}
	a.table([]string{
		a.say("NAME", "名稱"), a.say("PEOPLE", "人數"), a.say("DECISIONS", "決定數"), a.say("STEP-UP", "再次觸碰"), a.say("DENIED", "拒絕"),
		a.say("BY SCORE", "因分數"), a.say("PEOPLE DENIED", "曾遭拒者"),
	}, rows)
	if rates.FewPeople > 0 {
		n, least := strconv.Itoa(rates.FewPeople), strconv.Itoa(rates.MinPeople)
		a.printf("%s\n", a.say(n+" rows are not shown: fewer than "+least+" people stand behind each, or behind all of them.", "有 "+n+" 列未顯示：每列不足 "+least+" 人，或合計不足 "+least+" 人。"))
	}
	if !rates.Until.IsZero() {
		a.printf("%s %s\n", a.say("The log is long: it was read so far only, up to", "紀錄過長，僅讀取至"), a.moment(rates.Until))
	}
}

// share is n of all in per cent; of nothing there is no share.
func share(n, all int) string {
	if all == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(all))
}
