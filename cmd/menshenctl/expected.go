package main

import (
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// maxListFile is what the PDP takes of a list.
const maxListFile = 4 << 20

func (a *app) expected() *cobra.Command {
	return noun("expected", "Devices that are expected to enrol, by their TPMs' endorsement keys",
		a.expectedImport(), a.expectedList(), a.expectedShow(), a.expectedRemove())
}

// readCSV reads a list; "-" is standard input.
func readCSV(c *cobra.Command, name string) (string, error) {
	from := c.InOrStdin()
	if name != "-" {
		file, err := os.Open(name) // #nosec G304 -- the person names the file
		if err != nil {
			return "", unreadable(err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxListFile+1))
	if err != nil {
		return "", unreadable(err)
	}
	if len(raw) > maxListFile {
		return "", fmt.Errorf("%s is larger than %d bytes", name, maxListFile)
	}
	return string(raw), nil
}

func (a *app) expectedImport() *cobra.Command {
	var agency, name string
	c := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Take a list of expected devices, whole or not at all",
		Long: "Take a list of expected devices, whole or not at all; - reads standard input.\n\n" +
			"The first line names the columns: ek_sha256 and device_name, and where wanted agency, owner\n" +
			"(an account) and group. ek_sha256 is SHA-256 over the endorsement key's SubjectPublicKeyInfo,\n" +
			"as `menshen-agent ek` shows it. A listed device enrols once without a code, and needs no approval.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := readCSV(c, args[0])
			if err != nil {
				return err
			}
			if name == "" {
				name = strings.TrimSuffix(filepath.Base(args[0]), ".csv")
			}
			out, err := a.client().ImportExpected(c.Context(), agency, client.NewExpected{Name: name, CSV: text})
			if err != nil {
				return err
			}
			return a.show(out, func() {
				a.facts(
					a.say("List", "清單"), out.List.Name,
					a.say("Devices", "裝置數"), strconv.Itoa(out.List.Devices),
					a.say("Approved now", "已核准等候中的裝置"), strconv.Itoa(out.Approved),
					a.say("ID", "代碼"), out.List.ID,
				)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	c.Flags().StringVar(&name, "name", "", "what the list is called; by default the file's name")
	return c
}

func (a *app) expectedList() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "list",
		Short: "Show an agency's lists, and how many of their devices have enrolled",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lists, err := a.client().ExpectedLists(c.Context(), agency)
			if err != nil {
				return err
			}
			return a.show(lists, func() {
				rows := make([][]string, len(lists))
				for i, l := range lists {
					rows[i] = []string{l.Name, strconv.Itoa(l.Devices), strconv.Itoa(l.Arrived), l.ImportedBy, a.moment(l.ImportedAt), l.ID}
				}
				a.table([]string{
					a.say("NAME", "名稱"), a.say("DEVICES", "裝置數"), a.say("ENROLLED", "已註冊"), a.say("BY", "匯入者"),
					a.say("IMPORTED", "匯入時間"), a.say("ID", "代碼"),
				}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) expectedShow() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "show LIST-ID",
		Short: "Show the devices of a list",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := a.client().ExpectedDevices(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, d := range all {
					rows[i] = []string{d.DeviceName, orNone(d.Owner), orNone(d.Group), orNone(d.Device), a.moment(d.ArrivedAt), d.EK}
				}
				a.table([]string{
					a.say("NAME", "名稱"), a.say("GIVEN TO", "使用人"), a.say("GROUP", "群組"), a.say("DEVICE", "裝置"),
					a.say("ENROLLED", "註冊時間"), a.say("ENDORSEMENT KEY", "背書金鑰"),
				}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) expectedRemove() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "remove LIST-ID",
		Short: "Take a list away; devices that enrolled by it stay",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.client().RemoveExpected(c.Context(), agency, args[0]); err != nil {
				return err
			}
			return a.show(struct{}{}, func() { a.printf("%s\n", a.say("Removed.", "已移除。")) })
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) deviceCodes() *cobra.Command {
	var agency, list string
	var life time.Duration
	c := &cobra.Command{
		Use:   "codes",
		Short: "Make a one-time enrolment code for each name of a list, as CSV",
		Long: "Make a one-time enrolment code for each name of a CSV list with the one column device_name,\n" +
			"and print device_name,code,expires as CSV. Every name is checked before the first code is made.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := readCSV(c, list)
			if err != nil {
				return err
			}
			out, err := a.client().IssueCodes(c.Context(), agency, client.NewCodes{CSV: text, LifeSeconds: int64(life / time.Second)})
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			w := csv.NewWriter(a.out)
			rows := [][]string{{"device_name", "code", "expires"}}
			for _, issued := range out.Codes {
				rows = append(rows, []string{issued.DeviceName, issued.Code, out.Expires.Format(time.RFC3339)})
			}
			return w.WriteAll(rows)
		},
	}
	a.agencyFlag(c, &agency, true)
	c.Flags().StringVar(&list, "csv", "", "the list of names; - reads standard input")
	must(c.MarkFlagRequired("csv"))
	c.Flags().DurationVar(&life, "life", 24*time.Hour, "how long the codes work")
	return c
}

// deviceApprove shows which TPM is accepted: who approves has nothing else to
// go by.
func (a *app) deviceApprove() *cobra.Command {
	var agency, ek string
	c := &cobra.Command{
		Use:   "approve NAME|ID",
		Short: "Accept a pending device, after comparing its TPM with the inventory",
		Long: "Accept a pending device. `menshen-agent ek` on the device shows its endorsement key's digest;\n" +
			"with --ek the device is accepted only if it is that one.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			waiting, err := a.client().Device(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			seen := hex.EncodeToString(waiting.Device.EKDigest)
			if ek != "" && !strings.EqualFold(ek, seen) {
				return &failure{exitRefused, reason.New(reason.CfgOtherEK, "device", waiting.Device.Name, "ek", seen)}
			}
			var d wire.Device
			// By id: the name may be another device's by now.
			if d, err = a.client().ApproveDevice(c.Context(), "", waiting.Device.ID); err != nil {
				return err
			}
			return a.show(d, func() {
				a.printf("%s: %s\n", d.Name, a.deviceStatus(d.Status))
				a.printf("%s: %s\n", a.say("Endorsement key", "背書金鑰"), hex.EncodeToString(d.EKDigest))
			})
		},
	}
	a.agencyFlag(c, &agency, false)
	c.Flags().StringVar(&ek, "ek", "", "SHA-256 of the endorsement key in hexadecimal, as the inventory says it")
	return c
}
