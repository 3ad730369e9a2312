package posture

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// indexLife is how old the index of updates may be: an old one knows of
// nothing new, and says so by an error.
const indexLife = 7 * 24 * time.Hour

// namedUpdates bounds how many packages are named.
const namedUpdates = 8

// osUpdates passes when no installed package has a newer version among the
// system's security updates. It compares the package database with the index
// that the system fetched last, and fetches nothing itself.
func osUpdates(ctx context.Context, m Machine) outcome {
	var pending []string
	var fetched time.Time
	var err error
	switch packagingOf(m.Files) {
	case packagingDebian:
		pending, fetched, err = debianUpdates(ctx, m)
	case packagingRPM:
		pending, fetched, err = rpmUpdates(ctx, m)
	default:
		err = errPackaging
	}
	if err != nil {
		return cannot("%v", err)
	}
	now := m.Clock()
	if age := now.Sub(fetched); age > indexLife {
		return cannot("the index of updates was fetched last on %s", fetched.UTC().Format(time.DateOnly))
	}
	slices.Sort(pending)
	pending = slices.Compact(pending)
	value := map[string]string{"security": strconv.Itoa(len(pending))}
	if _, err := fs.Stat(m.Files, "run/reboot-required"); err == nil {
		value["restart"] = "required"
	}
	if len(pending) == 0 {
		return passes(value)
	}
	named := pending[:min(len(pending), namedUpdates)]
	return fails(value, "%d security updates are waiting: %s", len(pending), strings.Join(named, ", ")+more(len(pending)-len(named)))
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// newest returns the latest time of change of the files that are there.
func newest(files fs.FS, names ...string) time.Time {
	var latest time.Time
	for _, name := range names {
		if info, err := fs.Stat(files, name); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}
