package posture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// adminGroups give administrators' rights on the systems that are known here.
var adminGroups = [...]string{"sudo", "wheel", "admin"}

// administrators passes when only accounts that the administrator listed have
// administrators' rights: membership of a group of administrators, also as the
// primary group, or user number 0 besides root. Rights that sudoers(5) gives
// to a single account are readable by root alone and are not seen.
func administrators(ctx context.Context, m Machine) outcome {
	members, err := administratorsOf(ctx, m)
	if err != nil {
		return cannot("%v", err)
	}
	return judgeAdministrators(slices.Collect(maps.Keys(members)), m.Settings.Administrators)
}

func administratorsOf(ctx context.Context, m Machine) (map[string]bool, error) {
	groups, err := records(m, "etc/group", 4)
	if err != nil {
		return nil, err
	}
	if others, err := otherSources(m); err != nil {
		return nil, err
	} else if others {
		more, err := askedGroups(ctx, m)
		if err != nil {
			return nil, err
		}
		groups = append(groups, more...)
	}
	members, numbers := map[string]bool{}, map[string]bool{}
	for _, g := range groups {
		if !slices.Contains(adminGroups[:], g[0]) {
			continue
		}
		numbers[g[2]] = true
		for name := range strings.SplitSeq(g[3], ",") {
			if name = strings.TrimSpace(name); name != "" {
				members[name] = true
			}
		}
	}
	accounts, err := records(m, "etc/passwd", 7)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		if (a[2] == "0" && a[0] != "root") || numbers[a[3]] {
			members[a[0]] = true
		}
	}
	return members, nil
}

// records reads a file of passwd(5)'s form; an odd line is an error, because it
// could hide an account.
func records(m Machine, name string, fields int) ([][]string, error) {
	raw, err := read(m.Files, name, 4<<20)
	if err != nil {
		return nil, err
	}
	return parseRecords(name, string(raw), fields)
}

func parseRecords(name, text string, fields int) ([][]string, error) {
	var all [][]string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' || line[0] == '+' || line[0] == '-' {
			continue
		}
		record := strings.Split(line, ":")
		if len(record) != fields {
			return nil, fmt.Errorf("%s has an odd line with %d fields", name, len(record))
		}
		all = append(all, record)
	}
	return all, nil
}

// otherSources reports whether groups come from elsewhere than the files, such
// as a directory service (nsswitch.conf(5)).
func otherSources(m Machine) (bool, error) {
	raw, err := read(m.Files, "etc/nsswitch.conf", 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // then the C library reads the files
	}
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(raw)) {
		line, _, _ = strings.Cut(line, "#")
		database, sources, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(database) != "group" {
			continue
		}
		for _, source := range strings.Fields(sources) {
			if !strings.HasPrefix(source, "[") && !slices.Contains([]string{"files", "compat", "systemd", "altfiles"}, source) {
				return true, nil
			}
		}
	}
	return false, nil
}

// askedGroups has the name service look the groups up. Exit code 2 says that
// one of them is not there (getent(1)).
func askedGroups(ctx context.Context, m Machine) ([][]string, error) {
	if m.Commands == nil {
		return nil, errNoCommands
	}
	out, exit, err := m.Commands.Run(ctx, "/usr/bin/getent", append([]string{"group"}, adminGroups[:]...)...)
	if err != nil {
		return nil, fmt.Errorf("asking the name service: %w", err)
	}
	if exit != 0 && exit != 2 {
		return nil, fmt.Errorf("the name service answered with exit code %d", exit)
	}
	return parseRecords("the name service", string(out), 4)
}
