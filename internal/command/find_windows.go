package command

import (
	"fmt"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func find(program string) (string, error) {
	if filepath.IsAbs(program) {
		return program, nil
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return "", fmt.Errorf("command: %w", err)
	}
	path, err := exec.LookPath(filepath.Join(system, filepath.Base(program)))
	if err != nil {
		return "", fmt.Errorf("command: %s: %w", program, exec.ErrNotFound)
	}
	return path, nil
}

// environment is what programs of Windows need to start at all.
func environment() []string {
	system, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return nil
	}
	return []string{"SystemRoot=" + system, "PATH=" + filepath.Join(system, "System32")}
}
