//go:build !windows

package inventory

import (
	"fmt"
	"io/fs"
)

// statStamp is a stamp made of files' times and sizes; empty if none is there.
func statStamp(files fs.FS, names ...string) string {
	var stamp string
	for _, name := range names {
		if info, err := fs.Stat(files, name); err == nil {
			stamp += fmt.Sprintf("%s:%d:%d,", name, info.ModTime().UnixNano(), info.Size())
		}
	}
	return stamp
}
