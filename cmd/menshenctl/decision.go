package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) decision() *cobra.Command {
	return noun("decision", "Decisions in the audit log", a.decisionList(), a.decisionShow(), a.decisionWhy(), a.decisionReplay(), a.decisionRates())
}

func (a *app) decisionShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show DECISION-ID",
		Short: "Show a decision's records as they stand in the log, by the id on the person's page",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			records, err := a.client().Decision(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(records, func() {
				for _, r := range records {
					a.printRecord(r)
				}
			})
		},
	}
}

func (a *app) printRecord(r client.Record) {
	a.facts(
		a.say("Record", "紀錄序號"), strconv.FormatUint(r.Sequence, 10),
		a.say("Kind", "類別"), string(r.Kind),
		a.say("At", "時間"), a.moment(r.At),
		a.say("Agency", "機關"), r.Agency,
		a.say("Person", "人員"), r.Subject,
		a.say("Device", "裝置"), r.Device,
		a.say("Portal", "入口"), r.Portal,
		a.say("Session", "工作階段"), r.Session,
	)
	var readable bytes.Buffer
	if json.Indent(&readable, r.Detail, "", "  ") == nil {
		a.printf("%s\n", readable.String())
	}
	a.printf("\n")
}

func (a *app) decisionList() *cobra.Command {
	var q client.DecisionQuery
	var since time.Duration
	c := &cobra.Command{
		Use:   "list",
		Short: "Search the recorded decisions, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if strings.HasPrefix(q.Portal, "https://") {
				p, err := a.findPortal(c.Context(), q.Portal)
				if err != nil {
					return err
				}
				q.Portal = p.ID
			}
			q.Since = time.Now().Add(-since)
			found, err := a.client().Decisions(c.Context(), q)
			if err != nil {
				return err
			}
			return a.show(found, func() { a.printDecisions(found) })
		},
	}
	f := c.Flags()
	f.StringVar(&q.Person, "person", "", "a person's id, or account in --agency")
	f.StringVar(&q.Device, "device", "", "a device's id, or name in --agency")
	f.StringVar(&q.Portal, "portal", "", "a portal's id or origin")
	f.StringVar(&q.Effect, "effect", "", "allow, step-up or deny")
	f.DurationVar(&since, "since", 24*time.Hour, "how far back to look")
	f.IntVar(&q.Limit, "limit", 50, "how many to show at most, up to 1000")
	a.agencyFlag(c, &q.Agency, false)
	return c
}

func (a *app) printDecisions(found client.Decisions) {
	rows := make([][]string, len(found.Decisions))
	for i, d := range found.Decisions {
		rows[i] = []string{a.moment(d.At), a.effect(d.Effect), string(d.Action), d.Person, d.Portal, strings.Join(d.Reasons, ","), d.ID}
	}
	a.table([]string{a.say("AT", "時間"), a.say("EFFECT", "結果"), a.say("ACTION", "動作"), a.say("PERSON", "人員"), a.say("PORTAL", "入口"),
		a.say("REASONS", "原因"), a.say("ID", "代碼")}, rows)
	if found.More {
		a.printf("%s\n", a.say("There are earlier ones: ask for less time, or for more with --limit.", "尚有更早的決定：請縮短時間範圍，或以 --limit 增加筆數。"))
	}
	if !found.Until.IsZero() {
		a.printf("%s %s\n", a.say("The log is long: it was read so far only, up to", "紀錄過長，僅讀取至"), a.moment(found.Until))
	}
}

// effect tells an outcome by icon and word.
func (a *app) effect(e wire.Effect) string {
	switch e {
	case wire.Allow:
		return a.say("✔ allowed", "✔ 准許")
	case wire.StepUp:
		return a.say("⚠ sign in again", "⚠ 須再次登入")
	default:
		return a.say("✖ denied", "✖ 拒絕")
	}
}
