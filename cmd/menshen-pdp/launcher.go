//go:build linux

package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/pdp"
	"github.com/menshen-zt/menshen/plugins/host"
)

// launcher is the small service with root's rights. The configuration is read
// again for every plugin that is started, and only if it is root's alone.
func launcher(file *string) *cobra.Command {
	var caller string
	c := host.LauncherConfig{Clock: time.Now}
	cmd := &cobra.Command{
		Use:   "launcher",
		Short: "Start plugins for the PDP, each as a user of its own (runs as root)",
		Long: `Starts the inference plugins for a PDP that is not root, each as a user of its
own. Only the PDP's user may ask, and says a name: program, checksum and all
else stand in the configuration file, which only root may be able to write.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c.Logger = slog.New(slog.NewJSONHandler(os.Stderr, nil))
			if c.UID, c.GID, err = callerOf(caller); err != nil {
				return err
			}
			c.Registered = func() ([]host.Config, error) { return registered(*file) }
			if _, err := c.Registered(); err != nil {
				return err
			}
			one, err := host.NewLauncher(c)
			if err != nil {
				return err
			}
			return one.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&caller, "user", "menshen-pdp", "the PDP's user")
	flags.StringVar(&c.Dir, "dir", "/run/menshen-plugins", "folder of the launcher's and the plugins' sockets")
	flags.IntVar(&c.FirstUID, "first-uid", 60600, "first user for plugins that the configuration gives none")
	flags.IntVar(&c.UIDs, "uids", 64, "how many such users there are")
	return cmd
}

func callerOf(name string) (uid, gid int, err error) {
	who, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(who.Uid); err != nil {
		return 0, 0, fmt.Errorf("user %s: %w", name, err)
	}
	if gid, err = strconv.Atoi(who.Gid); err != nil {
		return 0, 0, fmt.Errorf("user %s: %w", name, err)
	}
	return uid, gid, nil
}

func registered(file string) ([]host.Config, error) {
	if err := host.RootsAlone(file); err != nil {
		return nil, err
	}
	config, err := pdp.LoadConfig(file)
	if err != nil {
		return nil, err
	}
	return config.Plugins.Registered()
}
