package baseline

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

// FileCheck looks at files and folders: whose they are and who may use them.
type FileCheck struct {
	// Paths are absolute; * stands for any name within one folder.
	Paths []string `yaml:"paths"`
	// Owner is "root" or a user's number; Groups are names of /etc/group.
	Owner  string   `yaml:"owner"`
	Groups []string `yaml:"groups"`
	// Mode is the most that is permitted, in octal: "0640".
	Mode string `yaml:"mode"`
	// Missing is what a path that does not exist means: not-applicable (the
	// default), pass or fail. With pass alone the file must not exist.
	Missing wire.ClaimState `yaml:"missing"`
}

func (c *FileCheck) wrong(path string) []yamlfile.Fault {
	faults := needs(path, "paths", c.Paths...)
	for _, p := range c.Paths {
		if !strings.HasPrefix(p, "/") {
			faults = append(faults, yamlfile.Fault{Path: path + ".paths", Problem: p + " is not absolute"})
		}
	}
	switch c.Missing {
	case "", wire.ClaimPass, wire.ClaimFail, wire.ClaimNotApplicable:
	default:
		faults = append(faults, yamlfile.Fault{Path: path + ".missing", Problem: "must be pass, fail or not-applicable"})
	}
	if _, err := strconv.ParseUint(c.Mode, 8, 12); c.Mode != "" && err != nil {
		faults = append(faults, yamlfile.Fault{Path: path + ".mode", Problem: "must be octal, such as \"0640\""})
	}
	if _, ok := ownerNumber(c.Owner); c.Owner != "" && !ok {
		faults = append(faults, yamlfile.Fault{Path: path + ".owner", Problem: "must be root or a number"})
	}
	if c.mustBeAbsent() && c.Missing != wire.ClaimPass {
		faults = append(faults, yamlfile.Fault{Path: path, Problem: "owner, groups, mode or missing: pass is needed"})
	}
	return faults
}

func (*FileCheck) compares() bool { return false }

// mustBeAbsent: nothing is asked of the file but that it is not there.
func (c *FileCheck) mustBeAbsent() bool { return c.Owner == "" && len(c.Groups) == 0 && c.Mode == "" }

func ownerNumber(owner string) (int, bool) {
	if owner == "root" {
		return 0, true
	}
	n, err := strconv.Atoi(owner)
	return n, err == nil && n >= 0
}

func (c *FileCheck) measure(m *measurement, _ *Expect) outcome {
	paths, err := c.expand(m)
	if err != nil {
		return cannot("%v", err)
	}
	o := outcome{state: wire.ClaimNotApplicable}
	var seen []string
	for _, p := range paths {
		one := c.one(m, p)
		if one.state == wire.ClaimError {
			return one
		}
		seen = append(seen, one.seen)
		switch {
		case one.state == wire.ClaimFail:
			o.state = wire.ClaimFail
		case one.state == wire.ClaimPass && o.state == wire.ClaimNotApplicable:
			o.state = wire.ClaimPass
		}
	}
	o.seen = strings.Join(seen, ", ")
	return o
}

// expand replaces patterns by the names that are there, and keeps a pattern
// that has none: it is then a path that does not exist.
func (c *FileCheck) expand(m *measurement) ([]string, error) {
	var all []string
	for _, p := range c.Paths {
		if !strings.Contains(p, "*") {
			all = append(all, p)
			continue
		}
		matches, err := fs.Glob(m.machine.Files, inRoot(p))
		if err != nil {
			return nil, err
		}
		if len(matches) > maxDropIns {
			return nil, fmt.Errorf("%s: more than %d files", p, maxDropIns)
		}
		if len(matches) == 0 {
			all = append(all, p)
		}
		for _, name := range matches {
			all = append(all, "/"+name)
		}
	}
	return all, nil
}

func (c *FileCheck) one(m *measurement, p string) outcome {
	info, err := m.stat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.Missing != "":
		return outcome{c.Missing, p + " does not exist"}
	case errors.Is(err, fs.ErrNotExist):
		return notApplicable("%s does not exist", p)
	case err != nil:
		return cannot("%v", err)
	case c.mustBeAbsent():
		return outcome{wire.ClaimFail, p + " exists"}
	}
	uid, gid, ok := ownersOf(info)
	if !ok {
		return cannot("%s: this system has no owners by number", p)
	}
	mode := modeBits(info.Mode())
	good := true
	if c.Mode != "" {
		most, err := strconv.ParseUint(c.Mode, 8, 12)
		good = err == nil && uint64(mode)&^most == 0
	}
	if want, named := ownerNumber(c.Owner); named && uid != want {
		good = false
	}
	group, err := m.groupName(gid)
	if err != nil {
		return cannot("%v", err)
	}
	if len(c.Groups) > 0 && !slices.Contains(c.Groups, group) {
		good = false
	}
	return passIf(good, "%s %04o %d:%s", p, mode, uid, group)
}

// modeBits are the permission bits as chmod(1) writes them.
func modeBits(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

// groupName looks a number up in /etc/group: a package's group has no fixed one.
func (m *measurement) groupName(gid int) (string, error) {
	if gid == 0 {
		return "root", nil
	}
	groups, err := m.groups()
	if err != nil {
		return "", err
	}
	for _, g := range groups {
		if g.id == gid {
			return g.name, nil
		}
	}
	return strconv.Itoa(gid), nil
}
