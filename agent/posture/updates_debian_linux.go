package posture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/packageversion"
)

const (
	aptListsFolder = "var/lib/apt/lists"
	dpkgStatus     = "var/lib/dpkg/status"
	// maxStanzaLine bounds one line of a package index.
	maxStanzaLine = 1 << 20
)

var errNoSecurityIndex = errors.New("apt has no index of security updates: is their source configured, and was apt update run?")

// debianUpdates compares dpkg's database with apt's indexes of security suites
// and returns the packages that wait, and when the indexes were fetched last.
func debianUpdates(ctx context.Context, m Machine) ([]string, time.Time, error) {
	installed, err := dpkgInstalled(m.Files)
	if err != nil {
		return nil, time.Time{}, err
	}
	entries, err := fs.ReadDir(m.Files, aptListsFolder)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("apt's indexes: %w", err)
	}
	var pending []string
	found := false
	for _, e := range entries {
		if !securityIndex(e.Name()) {
			continue
		}
		found = true
		index, err := openIndex(ctx, m, aptListsFolder+"/"+e.Name())
		if err != nil {
			return nil, time.Time{}, err
		}
		err = stanzas(index, func(s stanza) {
			for _, architecture := range [...]string{s.architecture, "all"} {
				if version, ok := installed[s.name+":"+architecture]; ok && newer(s.version, version) {
					pending = append(pending, s.name)
				}
			}
		})
		if err = errors.Join(err, index.Close()); err != nil {
			return nil, time.Time{}, fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	if !found {
		return nil, time.Time{}, errNoSecurityIndex
	}
	// apt writes into these whenever it fetches, also where nothing is new.
	return pending, newest(m.Files, aptListsFolder, aptListsFolder+"/partial", "var/lib/apt/periodic/update-success-stamp"), nil
}

// securityIndex tells a package index of a security suite by its name, which
// apt makes of the address: …_dists_bookworm-security_main_binary-amd64_Packages.
func securityIndex(name string) bool {
	_, suite, ok := strings.Cut(name, "_dists_")
	return ok && strings.Contains(suite, "-security_") && strings.Contains(suite, "_Packages")
}

// openIndex opens an index. apt's own program decompresses what apt compressed.
func openIndex(ctx context.Context, m Machine, name string) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(name, "_Packages"):
		return m.Files.Open(name)
	case strings.HasSuffix(name, "_Packages.gz"):
		f, err := m.Files.Open(name)
		if err != nil {
			return nil, err
		}
		unpacked, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return joined{unpacked, f}, nil
	case m.Commands == nil:
		return nil, errNoCommands
	}
	out, exit, err := m.Commands.Run(ctx, "/usr/lib/apt/apt-helper", "cat-file", "/"+name)
	if err != nil {
		return nil, err
	}
	if exit != 0 {
		return nil, fmt.Errorf("apt-helper ended with exit code %d", exit)
	}
	return io.NopCloser(bytes.NewReader(out)), nil
}

// joined closes a file under the reader that unpacks it.
type joined struct {
	io.Reader
	io.Closer
}

// stanza is a package of a Packages index or of dpkg's database.
type stanza struct{ name, architecture, version, status string }

// stanzas reads deb822(5) stanzas and hands each on that names a package.
func stanzas(r io.Reader, each func(stanza)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxStanzaLine)
	var s stanza
	end := func() {
		if s.name != "" && s.version != "" {
			each(s)
		}
		s = stanza{}
	}
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			end()
			continue
		}
		for _, field := range [...]struct {
			name string
			to   *string
		}{{"Package: ", &s.name}, {"Architecture: ", &s.architecture}, {"Version: ", &s.version}, {"Status: ", &s.status}} {
			if value, ok := bytes.CutPrefix(line, []byte(field.name)); ok {
				*field.to = string(bytes.TrimSpace(value))
			}
		}
	}
	end()
	return lines.Err()
}

// dpkgInstalled maps name:architecture to the version that is installed.
func dpkgInstalled(files fs.FS) (map[string]string, error) {
	f, err := files.Open(dpkgStatus)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	installed := map[string]string{}
	err = stanzas(f, func(s stanza) {
		if words := strings.Fields(s.status); len(words) == 3 && words[2] == "installed" {
			installed[s.name+":"+s.architecture] = s.version
		}
	})
	if err == nil && len(installed) == 0 {
		err = errors.New("no package is installed")
	}
	if err != nil {
		return nil, fmt.Errorf("dpkg's database: %w", err)
	}
	return installed, nil
}

// newer reports whether a comes after b. A version that cannot be read counts
// as newer: an update that is asked for in vain is better than one missed.
func newer(a, b string) bool {
	c, err := packageversion.Debian(a, b)
	return err != nil || c > 0
}
