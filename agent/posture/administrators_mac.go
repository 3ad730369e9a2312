//go:build !windows

package posture

import (
	"context"
	"slices"
	"strings"
)

// administratorsMac reads the members of the group admin (dscl(1)). The account
// root is one of them on every Mac, and has no password unless somebody set it.
func administratorsMac(ctx context.Context, m Machine) outcome {
	answer, err := says(ctx, m, "/usr/bin/dscl", ".", "-read", "/Groups/admin", "GroupMembership")
	if err != nil {
		return cannot("the group admin cannot be read: %v", err)
	}
	list, ok := strings.CutPrefix(answer, "GroupMembership:")
	if !ok {
		return cannot("the answer about the group admin is not understood")
	}
	names := slices.DeleteFunc(strings.Fields(list), func(name string) bool { return name == "root" })
	return judgeAdministrators(names, m.Settings.Administrators)
}
