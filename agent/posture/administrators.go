package posture

import (
	"slices"
	"strconv"
	"strings"
)

// judgeAdministrators passes when only accounts that the administrator listed
// have administrators' rights.
func judgeAdministrators(names, listed []string) outcome {
	slices.Sort(names)
	value := map[string]string{"count": strconv.Itoa(len(names)), "names": strings.Join(names, " ")}
	extra := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(listed, name) })
	if len(extra) > 0 {
		return fails(value, "not listed: %s", strings.Join(extra, ", "))
	}
	return passes(value)
}
