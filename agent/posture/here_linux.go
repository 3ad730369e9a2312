package posture

import (
	"os"

	"github.com/menshen-zt/menshen/internal/command"
)

// Here is this machine, without what others must give: the firewall's source,
// the reports of sessions, the settings and the clock.
func Here() Machine {
	return Machine{Files: os.DirFS("/"), Commands: command.System{}}
}
