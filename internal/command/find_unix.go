//go:build unix

package command

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// directories are where a system's own programs lie.
var directories = [...]string{"/usr/bin", "/usr/sbin", "/bin", "/sbin"}

func find(program string) (string, error) {
	if filepath.IsAbs(program) {
		return program, nil
	}
	if !strings.Contains(program, "/") {
		for _, dir := range directories {
			if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("command: %s: %w", program, exec.ErrNotFound)
}

// environment is that of a system's service without a locale.
func environment() []string {
	return []string{"LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER="}
}
