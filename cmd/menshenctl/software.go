package main

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) software() *cobra.Command {
	return noun("software", "Software on devices, its vulnerabilities, and the export for VANS", a.softwareShow(), a.softwareExport())
}

func (a *app) softwareShow() *cobra.Command {
	var agency string
	var all bool
	c := &cobra.Command{
		Use:   "show DEVICE",
		Short: "Show a device's known exploited vulnerabilities, and its software with --all",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.client().Software(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(s, func() { a.printSoftware(s, all) })
		},
	}
	a.agencyFlag(c, &agency, false)
	c.Flags().BoolVar(&all, "all", false, "list the software too")
	return c
}

func (a *app) printSoftware(s client.Software, all bool) {
	feed := a.say("none is configured", "未設定")
	if v := s.Vulnerabilities; v != nil {
		feed = v.FeedAsOf.UTC().Format(time.DateOnly)
		if !v.Covered {
			feed += a.say(", does not cover this system", "，未涵蓋此作業系統")
		}
	}
	a.facts(
		a.say("Device", "裝置"), s.Device,
		a.say("System", "作業系統"), s.Inventory.System+" "+s.Inventory.Release,
		a.say("Listed", "清單時間"), a.moment(s.At),
		a.say("Programs", "軟體數"), strconv.Itoa(len(s.Inventory.Software)),
		a.say("Feed of vulnerabilities", "漏洞資料"), feed,
	)
	if s.Vulnerabilities != nil {
		a.printVulnerabilities(*s.Vulnerabilities)
	}
	if !all {
		return
	}
	rows := make([][]string, len(s.Inventory.Software))
	for i, p := range s.Inventory.Software {
		rows[i] = []string{p.Name, p.Version, string(p.Source), p.Vendor}
	}
	a.printf("\n")
	a.table([]string{a.say("NAME", "名稱"), a.say("VERSION", "版本"), a.say("SOURCE", "來源"), a.say("VENDOR", "廠商")}, rows)
}

func (a *app) printVulnerabilities(v wire.Vulnerabilities) {
	a.facts(
		a.say("Known vulnerabilities", "已知漏洞"), strconv.Itoa(v.Known),
		a.say("Critical (CVSS 9 and more)", "重大（CVSS 9 以上）"), strconv.Itoa(v.Critical),
		a.say("Known to be exploited", "已遭利用"), strconv.Itoa(v.ExploitedCount),
	)
	if len(v.Exploited) == 0 {
		return
	}
	rows := make([][]string, len(v.Exploited))
	for i, one := range v.Exploited {
		fixed := one.Fixed
		if fixed == "" {
			fixed = a.say("none yet", "尚無")
		}
		rows[i] = []string{one.CVE, one.Software, one.Version, fixed, fmt.Sprintf("%.1f", one.CVSS), fmt.Sprintf("%.3f", one.EPSS), one.ExploitedSince.Format(time.DateOnly)}
	}
	a.printf("\n")
	a.table([]string{
		"CVE", a.say("SOFTWARE", "軟體"), a.say("VERSION", "版本"), a.say("FIXED IN", "修正版本"), "CVSS", "EPSS", a.say("EXPLOITED SINCE", "遭利用起始日"),
	}, rows)
}

func (a *app) softwareExport() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "export",
		Short: "Print an agency's software by CPE 2.3 as CSV, or as JSON with --json",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().ExportSoftware(c.Context(), agency)
			if err != nil {
				return err
			}
			var failed error
			if err := a.show(all, func() { failed = a.writeAssets(all) }); err != nil {
				return err
			}
			return failed
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

// writeAssets writes the columns that an inventory for VANS needs. A program
// whose names are guessed is told, so that a person looks before it is sent.
func (a *app) writeAssets(all client.SoftwareExport) error {
	w := csv.NewWriter(a.out)
	rows := [][]string{{"asset_name", "asset_vendor", "asset_version", "cpe23", "quantity", "name_guessed"}}
	for _, one := range all.Assets {
		rows = append(rows, []string{cell(one.Product), cell(one.Vendor), cell(one.Version), one.CPE, strconv.Itoa(one.Devices), strconv.FormatBool(one.Guessed)})
	}
	return w.WriteAll(rows)
}

// cell keeps a spreadsheet from taking a program's name for a formula.
func cell(text string) string {
	text = clean(text)
	if text != "" && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@') {
		return "'" + text
	}
	return text
}
