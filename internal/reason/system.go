package reason

import (
	"maps"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// System is a family of operating systems that are repaired in the same way.
type System string

// Systems. The zero value is one that no steps are written for.
const (
	LinuxDebian System = "linux-debian"
	LinuxRHEL   System = "linux-rhel"
	Windows     System = "windows"
	MacOS       System = "macos"
)

// Systems are all of them, in the order in which they are shown.
func Systems() []System { return []System{LinuxDebian, LinuxRHEL, Windows, MacOS} }

// SystemOf tells the family by ID and ID_LIKE of os-release(5), or by "windows"
// and "macos" for those two.
func SystemOf(id, idLike string) System {
	for _, name := range append([]string{id}, strings.Fields(idLike)...) {
		switch name {
		case "debian", "ubuntu":
			return LinuxDebian
		case "rhel", "fedora", "centos":
			return LinuxRHEL
		case "windows":
			return Windows
		case "macos":
			return MacOS
		}
	}
	return ""
}

// systemArg is the argument of a reason that names its system.
const systemArg = "system"

// On returns r as it is told on a system: with the steps for that one.
func On(system System, r wire.Reason) wire.Reason {
	if system == "" {
		return r
	}
	args := maps.Clone(r.Args)
	if args == nil {
		args = map[string]string{}
	}
	args[systemArg] = string(system)
	return wire.Reason{Code: r.Code, Args: args}
}
