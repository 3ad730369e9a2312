package posture

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Folders of modprobe.d(5), the first wins where two have a file of one name.
var modprobeFolders = [...]string{"etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"}

// modprobeBlocks are the modules that modprobe does not load when a device
// asks for them: blacklisted, or installed by a program that does nothing.
func modprobeBlocks(files fs.FS) (map[string]bool, error) {
	chosen := map[string]string{}
	for _, folder := range modprobeFolders {
		entries, err := fs.ReadDir(files, folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if _, known := chosen[e.Name()]; !known && strings.HasSuffix(e.Name(), ".conf") {
				chosen[e.Name()] = path.Join(folder, e.Name())
			}
		}
	}
	blocked := map[string]bool{}
	for _, file := range chosen {
		raw, err := read(files, file, 1<<20)
		if err != nil {
			return nil, err
		}
		blocks(blocked, string(raw))
	}
	return blocked, nil
}

func blocks(blocked map[string]bool, text string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		words := strings.Fields(line)
		switch {
		case len(words) >= 2 && words[0] == "blacklist":
			blocked[moduleName(words[1])] = true
		case len(words) >= 3 && words[0] == "install" && slices.Contains([]string{"false", "true", "nologin"}, path.Base(words[2])):
			blocked[moduleName(words[1])] = true
		}
	}
}

// moduleName writes a module's name as the kernel does.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }
