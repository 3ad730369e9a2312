package main

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

func (a *app) device() *cobra.Command {
	return noun("device", "Devices and their enrolment codes",
		a.deviceCode(), a.deviceCodes(), a.deviceList(), a.deviceShow(), a.deviceBaseline(), a.deviceBoot(),
		a.deviceApprove(),
		a.deviceChange("retire", "End a device's life for ever", (*client.Client).RetireDevice),
		a.deviceQuarantine(), a.deviceRelease(), a.deviceAssign(), a.deviceGroup(), a.deviceTransfer(), a.deviceRepair())
}

func (a *app) deviceCode() *cobra.Command {
	var agency string
	var life time.Duration
	var replace bool
	c := &cobra.Command{
		Use:   "code DEVICE-NAME",
		Short: "Make a one-time enrolment code for a device of this name",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			code, err := a.client().IssueCode(c.Context(), agency, client.NewCode{DeviceName: args[0], LifeSeconds: int64(life / time.Second), Replace: replace})
			if err != nil {
				return err
			}
			return a.show(code, func() {
				a.printf("%s\n\n", code.Code)
				a.printf("%s %s\n", a.say("Works once, on the first machine that uses it, until", "僅能使用一次，且僅限第一台使用的電腦，有效至"), a.moment(code.Expires))
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	c.Flags().DurationVar(&life, "life", 24*time.Hour, "how long the code works")
	c.Flags().BoolVar(&replace, "replace", false, "the device of this name has a new mainboard: another TPM takes its place, and the old record is retired")
	return c
}

func (a *app) deviceList() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "list",
		Short: "List an agency's devices",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client().Devices(c.Context(), agency)
			if err != nil {
				return err
			}
			return a.show(all, func() {
				rows := make([][]string, len(all))
				for i, d := range all {
					rows[i] = []string{
						d.Device.Name, a.deviceStatus(d.Device.Status), a.provenance(d.Device.Provenance), a.standing(d.Standing.Standing),
						a.moment(d.Standing.Result.IssuedAt), d.Device.ID,
					}
				}
				a.table([]string{
					a.say("NAME", "名稱"), a.say("STATE", "狀態"), a.say("KEYS", "金鑰來源"), a.say("STANDING", "目前狀況"),
					a.say("MEASURED", "量測時間"), a.say("ID", "代碼"),
				}, rows)
			})
		},
	}
	a.agencyFlag(c, &agency, true)
	return c
}

func (a *app) deviceStatus(s wire.DeviceStatus) string {
	switch s {
	case wire.DeviceActive:
		return a.say("active", "使用中")
	case wire.DevicePending:
		return a.say("waits for approval", "待核准")
	case wire.DeviceQuarantined:
		return a.say("in quarantine", "隔離中")
	default:
		return a.say("retired", "已除役")
	}
}

func (a *app) provenance(p wire.Provenance) string {
	switch p {
	case wire.ProvenanceTPM:
		return a.say("TPM", "TPM")
	case wire.ProvenanceTPMUnendorsed:
		return a.say("TPM without certificate", "無憑證的 TPM")
	case wire.ProvenanceSecureEnclave:
		return a.say("Secure Enclave", "Secure Enclave")
	default:
		return a.say("software", "軟體")
	}
}

func (a *app) standing(s wire.Standing) string {
	switch s {
	case wire.StandingFresh:
		return a.say("fresh", "有效")
	case wire.StandingSilent:
		return a.say("silent", "失去聯繫")
	case wire.StandingStale:
		return a.say("stale", "逾期")
	case wire.StandingRefused:
		return a.say("refused", "已拒絕")
	default:
		return a.say("never measured", "尚未量測")
	}
}

func (a *app) deviceShow() *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   "show NAME|ID",
		Short: "Show a device, its last measurement and what was found",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := a.client().Device(c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(d, func() { a.printDevice(d) })
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) printDevice(d client.Device) {
	a.facts(
		a.say("Name", "名稱"), d.Device.Name,
		a.say("Agency", "機關"), d.Device.Agency,
		a.say("State", "狀態"), a.deviceStatus(d.Device.Status),
		a.say("Reason", "原因"), orNone(d.Device.StatusReason),
		a.say("Given to", "使用人"), orNone(d.Device.Owner),
		a.say("Group", "群組"), orNone(d.Device.Group),
		a.say("Keys live in", "金鑰來源"), a.provenance(d.Device.Provenance),
		a.say("Endorsement key", "背書金鑰"), hex.EncodeToString(d.Device.EKDigest),
		a.say("Enrolled", "註冊時間"), a.moment(d.Device.EnrolledAt),
		a.say("Standing", "目前狀況"), a.standing(d.Standing.Standing),
		a.say("Measured", "量測時間"), a.moment(d.Standing.Result.IssuedAt),
		a.say("ID", "代碼"), d.Device.ID,
	)
	if len(d.Standing.Result.Claims) > 0 {
		rows := make([][]string, len(d.Standing.Result.Claims))
		for i, claim := range d.Standing.Result.Claims {
			rows[i] = []string{string(claim.ID), a.claimState(claim.State), claim.Source}
		}
		a.printf("\n")
		a.table([]string{a.say("CHECK", "檢查項目"), a.say("RESULT", "結果"), a.say("SOURCE", "來源")}, rows)
	}
	for _, f := range d.Standing.Result.Findings {
		text := reason.Of(a.lang(), f.Reason)
		mark := "–"
		if f.Fails() {
			mark = "✖"
		}
		a.printf("\n%s %s %s\n  %s\n", mark, f.Reason.Code, clean(text.Title), clean(text.What))
		for i, step := range text.Steps {
			a.printf("    %d. %s\n", i+1, clean(step))
		}
	}
}

func (a *app) claimState(s wire.ClaimState) string {
	switch s {
	case wire.ClaimPass:
		return a.say("✔ pass", "✔ 符合")
	case wire.ClaimFail:
		return a.say("✖ fail", "✖ 未符合")
	case wire.ClaimNotApplicable:
		return a.say("– not applicable", "– 不適用")
	case wire.ClaimManual:
		return a.say("? manual", "? 須人工檢查")
	case wire.ClaimException:
		return a.say("– exception", "– 例外核准")
	default:
		return a.say("? could not be measured", "? 無法量測")
	}
}

func (a *app) deviceChange(verb, short string, do func(*client.Client, context.Context, string, string) (wire.Device, error)) *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use:   verb + " NAME|ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := do(a.client(), c.Context(), agency, args[0])
			if err != nil {
				return err
			}
			return a.show(d, func() { a.printf("%s: %s\n", d.Name, a.deviceStatus(d.Status)) })
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}
