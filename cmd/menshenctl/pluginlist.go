package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) pluginList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the inference plugins: how they run, what they keep, what their sandbox does and does not",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().Plugins(c.Context())
			if err != nil {
				return err
			}
			return a.show(all, func() { a.printPlugins(all) })
		},
	}
}

func (a *app) printPlugins(all []client.Plugin) {
	rows := make([][]string, len(all))
	for i, p := range all {
		counts := a.say("counts", "計分")
		if p.Shadow {
			counts = a.say("shadow", "影子")
		}
		rows[i] = []string{
			p.Name, string(p.Cluster), p.Version, strconv.Itoa(p.Contract), a.pluginState(p), a.moment(p.Since), strconv.Itoa(p.Falls), counts,
			strconv.FormatUint(p.Asked, 10), took(p.MedianMicros), took(p.P99Micros),
		}
	}
	a.table([]string{
		a.say("NAME", "名稱"), a.say("CLUSTER", "群組"), a.say("VERSION", "版本"), a.say("CONTRACT", "介面版本"), a.say("STATE", "狀態"), a.say("SINCE", "起始時間"),
		a.say("FALLS", "中斷次數"), a.say("SCORE", "分數"), a.say("ASKED", "詢問次數"), "P50", "P99",
	}, rows)
	for _, p := range all {
		a.printf("\n%s\n", p.Name)
		a.facts(
			a.say("Down because", "中斷原因"), orDash(p.Why),
			a.say("Sees", "取得的資料"), orDash(strings.Join(p.Features, ", ")),
			a.say("Keeps of a person", "保存的個人資料"), orDash(strings.Join(p.Keeps, "; ")),
			a.say("For at most", "保存期限"), a.retention(p.RetentionSeconds),
			a.say("Enforced", "已落實的限制"), orDash(strings.Join(p.Enforced, "; ")),
			a.say("Not enforced", "未落實的限制"), orDash(strings.Join(p.NotEnforced, "; ")),
			"SHA-256", p.SHA256,
		)
	}
}

func (a *app) pluginState(p client.Plugin) string {
	if p.Up {
		return a.say("up", "執行中")
	}
	return a.say("down", "中斷")
}

func (a *app) retention(seconds int64) string {
	if seconds == 0 {
		return "-"
	}
	if days := seconds / int64(24*time.Hour/time.Second); days > 0 {
		return fmt.Sprintf(a.say("%d days", "%d 日"), days)
	}
	return (time.Duration(seconds) * time.Second).String()
}

func took(micros int64) string {
	if micros == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f ms", float64(micros)/1000)
}

func (a *app) pluginReload() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Exchange programs, settings and limits for those that the PDP's configuration names now, without a verdict missed",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().ReloadPlugins(c.Context())
			if err != nil {
				return err
			}
			if err := a.show(all, func() { a.printChanges(all) }); err != nil {
				return err
			}
			var stay []string
			for _, one := range all {
				if one.Problem != "" {
					stay = append(stay, one.Plugin)
				}
			}
			if len(stay) > 0 {
				return &failure{exitRefused, reason.New(reason.CfgPluginStays, "plugins", strings.Join(stay, ", "))}
			}
			return nil
		},
	}
}

func (a *app) printChanges(all []client.PluginChange) {
	rows := make([][]string, len(all))
	for i, one := range all {
		what := a.say("exchanged", "已更換")
		if one.Problem != "" {
			what = a.say("as before: ", "維持原狀：") + one.Problem
		}
		rows[i] = []string{one.Plugin, what, one.SHA256}
	}
	a.table([]string{a.say("NAME", "名稱"), a.say("NOW", "結果"), "SHA-256"}, rows)
}
