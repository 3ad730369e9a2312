//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// errMissing is told where a program said less than it should.
var errMissing = errors.New("what was asked for is not there")

func digest(path string) (string, error) {
	raw, err := os.ReadFile(path) // #nosec G304 -- a binary that the demo built
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

func copyFile(from, to string, uid int) error {
	raw, err := os.ReadFile(from) // #nosec G304 -- the demo's own folder
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(to, raw, 0o600), os.Chown(to, uid, uid))
}

// osRelease returns this machine's own release as the PDP's configuration
// writes it: the demo's laptop is this machine.
func osRelease() (string, error) {
	raw, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	values := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"`)
	}
	if values["ID"] == "" || values["VERSION_ID"] == "" {
		return "", fmt.Errorf("/etc/os-release names no release")
	}
	return values["ID"] + " " + values["VERSION_ID"], nil
}
