package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/agent"
)

// sessionCommand is the agent's part in a person's desktop session.
func sessionCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "session",
		Short: "Tell the agent whether this desktop locks its screen, until the session ends",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.config()
			if err != nil {
				return err
			}
			stayLean()
			agent.RunSession(cmd.Context(), c, logger(c))
			return nil
		},
	}
}

// inDesktop reports whether this command runs in a desktop session.
func inDesktop() bool { return os.Getenv("XDG_CURRENT_DESKTOP") != "" }
