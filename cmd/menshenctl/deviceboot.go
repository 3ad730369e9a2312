package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
)

func (a *app) deviceBoot() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "boot NAME|ID",
		Short: "Explain a device's last start: what differs from the reference values",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e, err := a.client().Boot(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(e, func() { a.printBoot(e) })
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) printBoot(e wire.BootExplanation) {
	a.facts(
		a.say("Device", "裝置"), e.Device,
		a.say("Seen", "回報時間"), a.moment(e.SeenAt),
		a.say("Secure Boot", "安全開機"), a.secureBoot(e.SecureBoot),
		a.say("Events", "事件數"), strconv.Itoa(e.Events),
		a.say("References", "參考值版本"), e.References,
		a.say("Software that started", "啟動的軟體"), a.tier(e.Executables),
		a.say("Hardware and firmware", "硬體與韌體"), a.tier(e.Hardware),
	)
	for _, f := range e.Findings {
		a.printf("\n")
		a.printFinding(f)
	}
	if len(e.Differences) == 0 {
		return
	}
	a.printf("\n")
	rows := make([][]string, len(e.Differences))
	for i, d := range e.Differences {
		m := d.Measurement
		rows[i] = []string{
			strconv.Itoa(m.PCR), a.measurement(m.Kind), m.Name, a.findingType(d.Type), orDash(d.Expected), orDash(d.Seen), a.seen(d),
		}
	}
	a.table([]string{
		"PCR", a.say("KIND", "種類"), a.say("NAME", "名稱"), a.say("TYPE", "判定"), a.say("EXPECTED", "預期"), a.say("SAW", "實際"),
		a.say("MACHINES, SINCE", "電腦數與最早日期"),
	}, rows)
}

func (a *app) seen(d wire.ExplainedEvent) string {
	if d.Machines == 0 {
		return "–"
	}
	return strconv.Itoa(d.Machines) + ", " + d.First.Format("2006-01-02")
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func (a *app) secureBoot(s wire.SecureBootState) string {
	switch s {
	case wire.SecureBootOn:
		return a.say("on", "開啟")
	case wire.SecureBootOff:
		return a.say("off", "關閉")
	default:
		return a.say("not known", "未知")
	}
}

func (a *app) tier(t wire.Trustworthiness) string {
	words := map[wire.Trustworthiness]string{
		wire.Affirming:       a.say("as approved", "符合"),
		wire.Warning:         a.say("warning", "警告"),
		wire.Contraindicated: a.say("not to be trusted", "不可信任"),
	}[t]
	if words == "" {
		words = a.say("not judged", "未評估")
	}
	return a.tierMark(t) + " " + words
}
