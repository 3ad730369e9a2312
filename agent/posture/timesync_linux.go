package posture

import (
	"context"
	"strings"
)

// What systemd-timedated tells of the clock (org.freedesktop.timedate1(5)). Its
// answer is the kernel's own flag, whichever daemon keeps the clock; reading the
// flag by adjtimex(2) would need a hole in the agent's sandbox.
var timedated = [...]string{
	"get-property", "org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1", "NTPSynchronized",
}

// timeSync passes when the kernel counts its clock as kept by a time source.
func timeSync(ctx context.Context, m Machine) outcome {
	if m.Commands == nil {
		return cannot("%v", errNoCommands)
	}
	out, exit, err := m.Commands.Run(ctx, "/usr/bin/busctl", timedated[:]...)
	answer := strings.TrimSpace(string(out))
	switch {
	case err != nil:
		return cannot("asking timedated: %v", err)
	case exit != 0:
		return cannot("timedated does not answer: busctl ended with exit code %d", exit)
	case answer == "b true":
		return passes(nil)
	case answer == "b false":
		return fails(nil, "the kernel's clock follows no time server")
	}
	return cannot("timedated answered %q", answer)
}
