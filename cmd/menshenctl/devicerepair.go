package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// repairLook is how often a repair is looked at.
const repairLook = 250 * time.Millisecond

func (a *app) deviceRepair() *cobra.Command {
	var agency string
	var noWait bool
	claims := make([]string, 0, len(wire.Remedies()))
	for _, c := range wire.Remedies() {
		claims = append(claims, string(c))
	}
	c := &cobra.Command{
		Use:   "repair NAME|ID CLAIM",
		Short: "Have a device's agent repair something, where the device's own administrator allows it",
		Args:  cobra.ExactArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return claims, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			r, err := a.client().RepairDevice(c.Context(), agency, args[0], client.NewRepair{Claim: wire.ClaimID(args[1])})
			if err == nil && !noWait {
				r, err = a.followRepair(c.Context(), agency, args[0], r)
			}
			if err != nil {
				return err
			}
			return a.showRepair(args[0], r)
		},
	}
	a.agencyFlag(c, &agency, false)
	c.Flags().BoolVar(&noWait, "no-wait", false, "ask, and do not wait for the end")
	return c
}

// followRepair tells each stage once until the repair ends. Whoever stops
// waiting does not stop the repair.
func (a *app) followRepair(ctx context.Context, agency, name string, r wire.Repair) (wire.Repair, error) {
	look := time.NewTicker(repairLook)
	defer look.Stop()
	var shown wire.RepairStage
	for r.Stage != wire.RepairEnded {
		if r.Stage != shown && !a.json {
			a.printf("%s\n", a.repairStage(r.Stage))
		}
		shown = r.Stage
		select {
		case <-ctx.Done():
			return r, nil // shown as far as it has come
		case <-look.C:
		}
		next, err := a.client().Repair(ctx, agency, name, r.ID)
		if err != nil && ctx.Err() == nil {
			return r, err
		}
		if err == nil {
			r = next
		}
	}
	return r, nil
}

func (a *app) repairStage(s wire.RepairStage) string {
	switch s {
	case wire.RepairSent:
		return a.say("1/3 Waiting for the device's agent …", "1/3 等待裝置的代理程式…")
	case wire.RepairTaken:
		return a.say("2/3 The agent repairs …", "2/3 代理程式修復中…")
	case wire.RepairMeasuring:
		return a.say("3/3 Repaired; the device measures again …", "3/3 已修復；裝置重新量測中…")
	default:
		return ""
	}
}

// showRepair tells how it ended, and ends the program by that.
func (a *app) showRepair(name string, r wire.Repair) error {
	err := a.show(r, func() {
		switch {
		case r.Stage != wire.RepairEnded:
			a.printf("%s\n", a.say("The device is asked; what comes of it is in the audit log.", "已要求裝置修復；結果將記錄於稽核日誌。"))
		case r.Done && r.Measured:
			a.printf("✔ %s: %s %s – %s\n", name, a.say("repaired", "已修復"), r.Claim, a.claimState(r.State))
		case r.Done:
			a.printf("✔ %s: %s %s – %s\n", name, a.say("repaired", "已修復"), r.Claim, a.say("not measured since; see menshenctl device show", "尚未重新量測；請見 menshenctl device show"))
		}
	})
	if err == nil && r.Reason != nil {
		why := *r.Reason
		why.Args = make(map[string]string, len(r.Reason.Args))
		for n, value := range r.Reason.Args {
			why.Args[n] = clean(value)
		}
		err = &failure{exit: exitRefused, why: why}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
