package main

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/audit"
)

func (a *app) audit() *cobra.Command {
	return noun("audit", "The audit log", &cobra.Command{
		Use:   "verify FOLDER",
		Short: "Check an audit log, or a copy of one, without the PDP",
		Long: `Checks every record of an audit log against the chain and the chain against its
head. It needs no PDP and changes nothing.

Exit codes: 0 intact; 1 broken; 2 the log could not be read, so nothing is known.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			summary, err := audit.Verify(args[0])
			var told interface{ Reason() wire.Reason }
			switch {
			case err == nil:
				return a.show(summary, func() { a.printSummary(summary) })
			case errors.As(err, &told):
				return &failure{exitRefused, told.Reason()}
			default:
				return &failure{exitUnknown, reason.New(reason.CfgAuditUnread, "detail", unreadable(err).Error())}
			}
		},
	})
}

func (a *app) printSummary(s audit.Summary) {
	a.facts(
		a.say("Audit log", "稽核紀錄"), a.say("✔ intact", "✔ 完整"),
		a.say("Records", "紀錄筆數"), strconv.FormatUint(s.Entries, 10),
		a.say("From", "起"), a.moment(s.First),
		a.say("To", "迄"), a.moment(s.Last),
		a.say("Head", "鏈頭"), s.Head,
		a.say("Vouched up to", "已擔保至"), strconv.FormatUint(s.Vouched, 10),
		a.say("Closed in order", "正常關閉"), a.yesNo(s.Clean),
		a.say("Log", "紀錄代碼"), s.Log,
	)
	if s.Torn > 0 {
		a.printf("\n%s %d\n", a.say("Bytes that a crash left of unacknowledged records:", "當機時留下、未經確認的紀錄位元組數："), s.Torn)
	}
}
