package main

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) decision() *cobra.Command {
	return noun("decision", "Decisions in the audit log", &cobra.Command{
		Use:   "show DECISION-ID",
		Short: "Show why a decision was taken, by the id on the person's page",
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
	})
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
