package posture

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/menshen-zt/menshen/internal/command"
)

// Here is this machine, without what others must give: the firewall's source,
// the reports of sessions, the settings and the clock.
func Here() Machine {
	return Machine{
		Files:       os.DirFS("/"),
		Commands:    command.System{},
		KernelClock: kernelClock,
	}
}

// kernelClock asks the kernel whether something disciplines its clock, and
// changes nothing (adjtimex(2), modes 0).
func kernelClock() (bool, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, fmt.Errorf("adjtimex: %w", err)
	}
	const timeError = 5 // TIME_ERROR
	return state != timeError && t.Status&unix.STA_UNSYNC == 0, nil
}
