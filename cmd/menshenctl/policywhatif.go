package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) policyWhatIf() *cobra.Command {
	var in client.WhatIf
	c := &cobra.Command{
		Use:   "what-if FOLDER|VERSION|baseline",
		Short: "Replay recorded decisions against a draft: who gains, who loses, who must touch the key; changes nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := a.policySet(c.Context(), args[0])
			if err != nil {
				return err
			}
			in.Files = make(map[string]string, len(files))
			for name, text := range files {
				in.Files[name] = string(text)
			}
			report, err := a.client().WhatIf(c.Context(), in, a.whatIfProgress)
			if err != nil {
				return err
			}
			return a.show(report, func() { a.printWhatIf(report) })
		},
	}
	c.Flags().IntVar(&in.Days, "days", 7, "how many days of decisions")
	c.Flags().StringVar(&in.Portal, "portal", "", "of this portal alone, by its id")
	return c
}

func (a *app) whatIfProgress(decisions uint64, at time.Time) {
	_, _ = fmt.Fprintf(a.err, "%d %s\n", decisions, a.moment(at)) // only to pass the time
}

func (a *app) printWhatIf(r wire.PolicyWhatIf) {
	portal := r.Portal
	if portal == "" {
		portal = a.say("all", "全部")
	}
	a.facts(
		a.say("Draft", "草稿"), r.Version,
		a.say("Against", "對照"), r.Against,
		a.say("From", "起"), a.moment(r.Since),
		a.say("To", "迄"), a.moment(r.Until),
		a.say("Portal", "入口"), portal,
		a.say("Decisions replayed", "重演的決策"), strconv.FormatUint(r.Decisions, 10),
		a.say("of them by another version", "其中由其他版本作成"), strconv.FormatUint(r.OtherVersions, 10),
		a.say("People", "人數"), strconv.Itoa(r.People),
	)
	for _, part := range []struct {
		heading string
		effect  wire.PolicyEffect
	}{
		{a.say("✖ lose access", "✖ 失去存取權"), r.Losing},
		{a.say("⚠ must touch the key", "⚠ 須再觸碰金鑰"), r.SteppingUp},
		{a.say("⚠ may only read", "⚠ 僅能讀取"), r.ReadingOnly},
		{a.say("✔ gain access", "✔ 獲得存取權"), r.Gaining},
	} {
		a.printf("\n%s: %d\n", part.heading, part.effect.People)
		for _, one := range part.effect.Examples {
			a.printf("  %s  %s  %s  %s  %s  %s\n", clean(one.Person), clean(one.Portal), clean(string(one.Action)),
				a.policyChange(one.Was, one.Now), clean(strings.Join(one.Reasons, " ")), clean(one.Decision))
		}
		if more := part.effect.People - len(part.effect.Examples); more > 0 {
			a.printf("  %s: %d\n", a.say("more, not listed", "其他未列出"), more)
		}
	}
	a.printf("\n")
	for _, f := range r.Failures {
		text := reason.Of(a.lang(), f.Why)
		a.printf("? %s: %d  %s %s\n", a.say("not judged", "未能評估"), f.Count, f.Why.Code, clean(text.What))
	}
	if r.Truncated.Code != "" {
		text := reason.Of(a.lang(), r.Truncated)
		a.printf("⚠ %s %s\n  → %s\n", r.Truncated.Code, clean(text.What), clean(text.Do))
	}
	a.printf("%s\n", a.say("Nothing is known of people who were not there in these days.", "這段期間沒有存取的人，不在試算之內。"))
}
