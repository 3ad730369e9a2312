package posture

import (
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/packageversion"
)

// Bounds of what is read of dnf's cache.
const (
	dnfCache     = "var/cache/dnf"
	maxAdvisory  = 512 << 20 // unpacked
	rpmQuery     = "%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
	advisoryPath = "-updateinfo.xml"
)

var errNoAdvisories = errors.New("dnf's cache has no advisories: was dnf makecache run as root?")

// evr is the epoch, version and release of a package.
type evr struct{ epoch, version, release string }

func (e evr) compare(o evr) int { return packageversion.RPM(e.String(), o.String()) }

func (e evr) String() string { return e.epoch + ":" + e.version + "-" + e.release }

// rpmUpdates compares rpm's database with the security advisories that dnf
// fetched last.
func rpmUpdates(ctx context.Context, m Machine) ([]string, time.Time, error) {
	installed, err := rpmInstalled(ctx, m)
	if err != nil {
		return nil, time.Time{}, err
	}
	streams, err := enabledStreams(m.Files)
	if err != nil {
		return nil, time.Time{}, err
	}
	files, err := advisories(m.Files)
	if err != nil {
		return nil, time.Time{}, err
	}
	var pending []string
	for _, file := range files {
		err := readAdvisories(m.Files, file, streams, func(p advisoryPackage) {
			if have, ok := installed[p.Name+"."+p.Arch]; ok && p.evr().compare(have) > 0 {
				pending = append(pending, p.Name)
			}
		})
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	return pending, newest(m.Files, append(files, dnfCache+"/last_makecache", dnfCache)...), nil
}

// rpmInstalled maps name.architecture to the newest version that is installed;
// of kernels several are.
func rpmInstalled(ctx context.Context, m Machine) (map[string]evr, error) {
	if m.Commands == nil {
		return nil, errNoCommands
	}
	out, exit, err := m.Commands.Run(ctx, "/usr/bin/rpm", "-qa", "--qf", rpmQuery)
	if err != nil {
		return nil, fmt.Errorf("asking rpm: %w", err)
	}
	installed := map[string]evr{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 5 {
			return nil, fmt.Errorf("rpm answered an odd line of %d fields", len(f))
		}
		key, one := f[0]+"."+f[4], evr{f[1], f[2], f[3]}
		if have, ok := installed[key]; !ok || one.compare(have) > 0 {
			installed[key] = one
		}
	}
	if exit != 0 || len(installed) == 0 {
		return nil, fmt.Errorf("rpm named %d packages, with exit code %d", len(installed), exit)
	}
	return installed, nil
}

// advisories lists the repositories' files of advisories in dnf's cache.
func advisories(files fs.FS) ([]string, error) {
	found, err := fs.Glob(files, dnfCache+"/*/repodata/*"+advisoryPath+"*")
	if err != nil || len(found) == 0 {
		return nil, errors.Join(errNoAdvisories, err)
	}
	return found, nil
}

// advisoryPackage is a package that an advisory brings.
type advisoryPackage struct {
	Name    string `xml:"name,attr"`
	Epoch   string `xml:"epoch,attr"`
	Version string `xml:"version,attr"`
	Release string `xml:"release,attr"`
	Arch    string `xml:"arch,attr"`
}

func (p advisoryPackage) evr() evr { return evr{p.Epoch, p.Version, p.Release} }

// advisory is one update of a file of advisories (updateinfo).
type advisory struct {
	Type        string `xml:"type,attr"`
	Collections []struct {
		Module *struct {
			Name   string `xml:"name,attr"`
			Stream string `xml:"stream,attr"`
		} `xml:"module"`
		Packages []advisoryPackage `xml:"package"`
	} `xml:"pkglist>collection"`
}

// readAdvisories hands on each package of a security advisory. Those of a
// module's stream that is not enabled concern nobody here.
func readAdvisories(files fs.FS, name string, streams map[string]string, each func(advisoryPackage)) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var unpacked io.Reader = f
	switch {
	case strings.HasSuffix(name, ".xml"):
	case strings.HasSuffix(name, ".xml.gz"):
		if unpacked, err = gzip.NewReader(f); err != nil {
			return err
		}
	default:
		return errors.New("its compression is not read here")
	}
	decoder := xml.NewDecoder(io.LimitReader(unpacked, maxAdvisory))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "update" {
			continue
		}
		var a advisory
		if err := decoder.DecodeElement(&a, &start); err != nil {
			return err
		}
		if a.Type != "security" {
			continue
		}
		for _, c := range a.Collections {
			if c.Module != nil && streams[c.Module.Name] != c.Module.Stream {
				continue
			}
			for _, p := range c.Packages {
				each(p)
			}
		}
	}
}

// enabledStreams maps modules to their enabled stream (dnf's modularity).
func enabledStreams(files fs.FS) (map[string]string, error) {
	streams := map[string]string{}
	names, err := fs.Glob(files, "etc/dnf/modules.d/*.module")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		raw, err := read(files, name, 64<<10)
		if err != nil {
			return nil, err
		}
		module := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".module")
		stream, enabled := "", false
		for key, value := range iniValues(string(raw), module) {
			switch key {
			case "stream":
				stream = value
			case "state":
				enabled = value == "enabled"
			}
		}
		if enabled {
			streams[module] = stream
		}
	}
	return streams, nil
}
