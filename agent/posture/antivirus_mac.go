//go:build !windows

package posture

import (
	"context"
	"io/fs"
	"strings"
)

// xprotect is macOS's own scanner; its signatures come as a bundle.
const xprotect = "Library/Apple/System/Library/CoreServices/XProtect.bundle/Contents/Resources/XProtect.yara"

// antivirusMac judges the configured program, or else macOS's own XProtect, by
// the age of its signatures. XProtect runs in the kernel's own path whenever it
// is there; another program must have a process.
func antivirusMac(ctx context.Context, m Machine) outcome {
	a := m.Settings.Antivirus
	signatures := a.Signatures
	if signatures == "" {
		signatures = xprotect
	}
	if a.Process != "" {
		_, code, err := m.Commands.Run(ctx, "/usr/bin/pgrep", "-x", a.Process)
		switch {
		case err != nil || code > 1:
			return cannot("whether %s runs is not known", a.Process)
		case code == 1:
			return fails(map[string]string{"program": a.Process}, "%s does not run", a.Process)
		}
	}
	info, err := fs.Stat(m.Files, strings.TrimPrefix(signatures, "/"))
	if err != nil {
		return cannot("the signatures cannot be seen: %v", err)
	}
	return judgeSignatures(info.ModTime(), m.Clock(), a.maxAge())
}
