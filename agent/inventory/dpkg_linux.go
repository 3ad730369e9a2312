package inventory

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Files of dpkg (deb-control(5), dpkg(1)). Images without a shell keep one
// stanza a file in status.d.
const (
	dpkgStatus  = "var/lib/dpkg/status"
	dpkgStatusD = "var/lib/dpkg/status.d"
)

// maxLine bounds one line of dpkg's status.
const maxLine = 1 << 20

var dpkg = source{
	name: "dpkg",
	stamp: func(_ context.Context, m Machine) string {
		return statStamp(m.Files, dpkgStatus, dpkgStatusD)
	},
	read: readDpkg,
}

func readDpkg(_ context.Context, m Machine) ([]wire.Software, error) {
	names, err := fs.Glob(m.Files, dpkgStatusD+"/*")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	names = append(names, dpkgStatus)
	var all []wire.Software
	for _, name := range names {
		if strings.HasSuffix(name, ".md5sums") {
			continue
		}
		some, err := readStatus(m.Files, name, path.Dir(name) == dpkgStatusD)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func readStatus(files fs.FS, name string, always bool) (all []wire.Software, err error) {
	file, err := files.Open(name)
	if err != nil {
		if name == dpkgStatus {
			return nil, nil // status.d alone
		}
		return nil, fmt.Errorf("inventory: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	stanza := map[string]string{}
	finish := func() error {
		defer clear(stanza)
		if len(stanza) == 0 {
			return nil
		}
		if stanza["Package"] == "" {
			return fmt.Errorf("%w: %s has a stanza without a package", ErrMalformed, name)
		}
		if s, installed := packageOf(stanza, always); installed {
			all = append(all, s)
		}
		return nil
	}
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "":
			if err := finish(); err != nil {
				return nil, err
			}
		case line[0] == ' ' || line[0] == '\t': // the field before goes on
		default:
			field, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, fmt.Errorf("%w: %s has the line %.60q", ErrMalformed, name, line)
			}
			stanza[field] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
	}
	return all, finish()
}

// packageOf reads a stanza. A package that is removed but for its configuration
// runs nothing; one that is half configured has its programs on the disk.
func packageOf(stanza map[string]string, always bool) (wire.Software, bool) {
	_, state, _ := strings.Cut(stanza["Status"], " ok ")
	switch state {
	case "not-installed", "config-files":
		return wire.Software{}, false
	case "":
		if !always {
			return wire.Software{}, false
		}
	}
	s := wire.Software{Source: wire.SoftwareDpkg, Name: stanza["Package"], Version: stanza["Version"], Arch: stanza["Architecture"]}
	if origin, _, _ := strings.Cut(stanza["Source"], " "); origin != s.Name {
		s.Origin = origin
	}
	return s, true
}
