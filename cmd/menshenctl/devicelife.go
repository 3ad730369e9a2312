package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin/client"
)

// orNone shows a value that may be empty.
func orNone(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// deviceVerb is a change of one device that the first argument names.
func (a *app) deviceVerb(use, short string, args cobra.PositionalArgs, do func(c *cobra.Command, agency string, args []string) (wire.Device, error)) *cobra.Command {
	var agency string
	c := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := do(c, agency, args)
			if err != nil {
				return err
			}
			return a.show(d, func() {
				a.facts(
					a.say("Name", "名稱"), d.Name,
					a.say("Agency", "機關"), d.Agency,
					a.say("State", "狀態"), a.deviceStatus(d.Status),
					a.say("Reason", "原因"), orNone(d.StatusReason),
					a.say("Given to", "使用人"), orNone(d.Owner),
					a.say("Group", "群組"), orNone(d.Group),
					a.say("ID", "代碼"), d.ID,
				)
			})
		},
	}
	a.agencyFlag(c, &agency, false)
	return c
}

func (a *app) deviceQuarantine() *cobra.Command {
	var why string
	c := a.deviceVerb("quarantine NAME|ID", "Let a device measure on and open nothing", cobra.ExactArgs(1),
		func(c *cobra.Command, agency string, args []string) (wire.Device, error) {
			return a.client().QuarantineDevice(c.Context(), agency, args[0], client.StatusChange{Reason: why})
		})
	c.Flags().StringVar(&why, "reason", "", "why, for administrators")
	must(c.MarkFlagRequired("reason"))
	return c
}

func (a *app) deviceRelease() *cobra.Command {
	var why string
	c := a.deviceVerb("release NAME|ID", "Take a device out of quarantine", cobra.ExactArgs(1),
		func(c *cobra.Command, agency string, args []string) (wire.Device, error) {
			return a.client().ReleaseDevice(c.Context(), agency, args[0], client.StatusChange{Reason: why})
		})
	c.Flags().StringVar(&why, "reason", "", "why, for administrators")
	return c
}

func (a *app) deviceAssign() *cobra.Command {
	var nobody bool
	c := a.deviceVerb("assign NAME|ID [ACCOUNT|PERSON-ID]", "Give a device to one person, or to nobody: then anybody of the agency may use it", cobra.RangeArgs(1, 2),
		func(c *cobra.Command, agency string, args []string) (wire.Device, error) {
			if nobody == (len(args) == 2) {
				return wire.Device{}, errors.New("name the person, or say --nobody")
			}
			var to client.Assign
			if !nobody {
				to.Person = args[1]
			}
			return a.client().AssignDevice(c.Context(), agency, args[0], to)
		})
	c.Flags().BoolVar(&nobody, "nobody", false, "take the device from its owner")
	return c
}

func (a *app) deviceGroup() *cobra.Command {
	return a.deviceVerb("group NAME|ID [GROUP]", "Put a device into a group such as pilot; without one, into none", cobra.RangeArgs(1, 2),
		func(c *cobra.Command, agency string, args []string) (wire.Device, error) {
			var to client.Group
			if len(args) == 2 {
				to.Group = args[1]
			}
			return a.client().GroupDevice(c.Context(), agency, args[0], to)
		})
}

func (a *app) deviceTransfer() *cobra.Command {
	var to client.Transfer
	c := a.deviceVerb("transfer NAME|ID", "Move a device to another agency; it gets a new id and keeps its keys", cobra.ExactArgs(1),
		func(c *cobra.Command, agency string, args []string) (wire.Device, error) {
			return a.client().TransferDevice(c.Context(), agency, args[0], to)
		})
	c.Flags().StringVar(&to.Agency, "to", "", "the agency that it goes to")
	c.Flags().StringVar(&to.Name, "name", "", "its name there; by default the present one")
	c.Flags().StringVar(&to.Reason, "reason", "", "why, for administrators")
	must(c.MarkFlagRequired("to"))
	return c
}
