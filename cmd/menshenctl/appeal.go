package main

import (
	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) appeal() *cobra.Command {
	return noun("appeal", "What people say against decisions about them", a.appealList(), a.appealShow(), a.appealAnswer())
}

func (a *app) appealList() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the objections to decisions of an agency's portals, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().Appeals(c.Context(), agency)
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, one := range all {
					rows[i] = []string{a.moment(one.At), a.appealKind(one.Kind), a.appealOutcome(one.Outcome), one.Person, one.Decision, one.ID}
				}
				a.table([]string{
					a.say("AT", "時間"), a.say("SAYS", "主張"), a.say("OUTCOME", "結果"), a.say("PERSON", "人員"), a.say("DECISION", "決定"), a.say("ID", "代碼"),
				}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) appealShow() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "show APPEAL-ID",
		Short: "Show an objection with the recorded decision, explained",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			one, err := a.client().Appeal(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(one, func() {
				a.printAppeal(one.Appeal)
				a.printf("\n")
				a.printWhy(one.Why)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) printAppeal(one wire.Appeal) {
	a.facts(
		a.say("Objection", "異議"), one.ID,
		a.say("At", "時間"), a.moment(one.At),
		a.say("Says", "主張"), a.appealKind(one.Kind),
		a.say("In words", "說明"), clean(one.Text),
		a.say("Outcome", "結果"), a.appealOutcome(one.Outcome),
		a.say("Answer", "答覆"), clean(one.Answer),
		a.say("Answered by", "答覆者"), one.By,
	)
}

func (a *app) appealAnswer() *cobra.Command {
	var agency string
	var in client.AppealAnswer
	var uphold, dismiss bool
	c := &cobra.Command{
		Use:   "answer APPEAL-ID --uphold|--dismiss --text WORDS",
		Short: "Answer an objection; the person reads the words on their own page, and you are named",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case uphold == dismiss:
				return &failure{exitUsage, reason.New(reason.AppealOutcomeUnknown)}
			case uphold:
				in.Outcome = wire.AppealUpheld
			default:
				in.Outcome = wire.AppealDismissed
			}
			one, err := a.client().AnswerAppeal(c.Context(), agency, args[0], in)
			if err != nil {
				return err
			}
			return a.show(one, func() { a.printAppeal(one) })
		},
	}
	a.agencyFlag(c, &agency, true)
	f := c.Flags()
	f.BoolVar(&uphold, "uphold", false, "the person is right")
	f.BoolVar(&dismiss, "dismiss", false, "the decision stands")
	f.StringVar(&in.Answer, "text", "", "what you found, in plain words, 10 to 1,000 letters")
	return c
}

func (a *app) appealKind(k wire.AppealKind) string {
	if k == wire.AppealNotMe {
		return a.say("it was not me", "不是本人")
	}
	return a.say("the decision was wrong", "決定有誤")
}

func (a *app) appealOutcome(o wire.AppealOutcome) string {
	switch o {
	case wire.AppealUpheld:
		return a.say("upheld", "成立")
	case wire.AppealDismissed:
		return a.say("dismissed", "不成立")
	default:
		return a.say("open", "待答覆")
	}
}
