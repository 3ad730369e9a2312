package inventory

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// rpmFormat asks for fixed fields with a separator that no name contains; the
// query format is rpm's own interface and does not follow the locale (rpm(8)).
const rpmFormat = `%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{VENDOR}\t%{SOURCERPM}\n`

// rpmNone is how rpm prints a tag that a package does not have.
const rpmNone = "(none)"

var rpm = source{
	name: "rpm",
	stamp: func(_ context.Context, m Machine) string {
		return statStamp(m.Files,
			"usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
			"var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite-wal", "var/lib/rpm/Packages")
	},
	read: readRPM,
}

func readRPM(ctx context.Context, m Machine) ([]wire.Software, error) {
	raw, err := m.Run(ctx, "rpm", "-qa", "--qf", rpmFormat)
	if err != nil {
		return nil, fmt.Errorf("inventory: asking rpm: %w", err)
	}
	var all []wire.Software
	for line := range strings.Lines(string(bytes.TrimSuffix(raw, []byte("\n")))) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 || fields[0] == "" {
			return nil, fmt.Errorf("%w: rpm says %.60q", ErrMalformed, line)
		}
		if fields[0] == "gpg-pubkey" {
			continue // a key in rpm's database, not a program
		}
		all = append(all, wire.Software{
			Source: wire.SoftwareRPM, Name: fields[0], Version: strings.TrimPrefix(fields[1], "0:"),
			Arch: known(fields[2]), Vendor: known(fields[3]), Origin: sourceName(known(fields[4]), fields[0]),
		})
	}
	return all, nil
}

func known(tag string) string {
	if tag == rpmNone {
		return ""
	}
	return tag
}

// sourceName is the name in name-version-release.src.rpm, where it is not the
// package's own.
func sourceName(file, own string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(file, ".rpm"), ".src")
	for range 2 {
		i := strings.LastIndexByte(name, '-')
		if i < 0 {
			return ""
		}
		name = name[:i]
	}
	if name == own {
		return ""
	}
	return name
}
