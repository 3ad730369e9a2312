package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/menshen-zt/menshen/internal/wire"
)

// rootReader reads what configuration baselines ask and root alone may read.
type rootReader struct {
	files fs.FS
	// sshd prints sshd's effective configuration: `sshd -T`.
	sshd func(ctx context.Context) ([]byte, error)
}

// facts answers the one question. Each part fails for itself.
func (r rootReader) facts(ctx context.Context) wire.RootFacts {
	return wire.RootFacts{
		SSHD:           r.one(func() ([]string, error) { return r.sshdSettings(ctx) }),
		SudoDefaults:   r.one(r.sudoDefaults),
		EmptyPasswords: r.one(r.emptyPasswords),
		Profiles:       r.one(r.profiles),
		BootPassword:   r.one(r.bootPassword),
		Homes:          r.one(r.homes),
	}
}

// errAbsent says that what was asked for is not installed.
var errAbsent = errors.New("not installed")

func (rootReader) one(ask func() ([]string, error)) wire.RootFact {
	lines, err := ask()
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	switch {
	case errors.Is(err, errAbsent):
		return wire.RootFact{Absent: true}
	case err != nil:
		return wire.RootFact{Problem: err.Error()}
	case len(lines) > wire.MaxRootFactLines || size > wire.MaxRootFactBytes:
		return wire.RootFact{Problem: "there is more of it than expected"}
	}
	return wire.RootFact{Lines: lines}
}

const sshdProgram = "/usr/sbin/sshd"

func (r rootReader) sshdSettings(ctx context.Context) ([]string, error) {
	if _, err := fs.Stat(r.files, sshdProgram[1:]); errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
	}
	out, err := r.sshd(ctx)
	if err != nil {
		return nil, err
	}
	return textLines(string(out)), nil
}

// runSSHD runs the fixed command. Its output has no language.
func runSSHD(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime/2)
	defer cancel()
	var said, complaint bytes.Buffer
	c := exec.CommandContext(ctx, sshdProgram, "-T")
	c.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin"}
	c.Stdout, c.Stderr = &said, &complaint
	if err := c.Run(); err != nil {
		first, _, _ := strings.Cut(complaint.String(), "\n")
		return nil, fmt.Errorf("sshd -T: %w: %.200s", err, first)
	}
	return said.Bytes(), nil
}

func (r rootReader) read(name string) (string, error) {
	f, err := r.files.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, 4<<20+1))
	if err == nil && len(raw) > 4<<20 {
		err = fmt.Errorf("%s is larger than expected", name)
	}
	return string(raw), err
}

// textLines returns the lines that are not empty.
func textLines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
}

func (r rootReader) emptyPasswords() ([]string, error) {
	text, err := r.read("etc/shadow")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, line := range textLines(text) {
		if f := strings.Split(line, ":"); len(f) > 1 && f[1] == "" {
			found = append(found, f[0])
		}
	}
	return found, nil
}

func (r rootReader) profiles() ([]string, error) {
	text, err := r.read("sys/kernel/security/apparmor/profiles")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
	}
	return textLines(text), err
}

// Bounds of sudoers' includes: sudo follows 128 (sudoers(5)).
const (
	maxSudoers = 128
	maxDepth   = 8
)

func (r rootReader) sudoDefaults() ([]string, error) {
	var found []string
	read := 0
	err := r.sudoers("etc/sudoers", 0, &read, &found)
	if errors.Is(err, fs.ErrNotExist) && read == 0 {
		return nil, errAbsent
	}
	return found, err
}

// sudoers collects the Defaults of one file and of what it includes, in order.
func (r rootReader) sudoers(name string, depth int, read *int, found *[]string) error {
	if depth > maxDepth || *read >= maxSudoers {
		return errors.New("sudoers includes more than is followed")
	}
	text, err := r.read(name)
	if err != nil {
		return err
	}
	*read++
	for _, line := range textLines(strings.ReplaceAll(text, "\\\n", "")) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "Defaults"); ok {
			rest, _, _ = strings.Cut(strings.ReplaceAll(rest, "\t", " "), " #")
			*found = append(*found, strings.TrimRight(rest, " "))
			continue
		}
		f := strings.Fields(line)
		if len(f) != 2 || (f[0][0] != '@' && f[0][0] != '#') {
			continue
		}
		target := path.Join(path.Dir("/"+name), f[1])[1:]
		if path.IsAbs(f[1]) {
			target = path.Clean(f[1])[1:]
		}
		switch f[0][1:] {
		case "include":
			err = r.sudoers(target, depth+1, read, found)
		case "includedir":
			err = r.sudoersFolder(target, depth+1, read, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sudoersFolder leaves out what sudo leaves out: names with a dot or a tilde at
// the end.
func (r rootReader) sudoersFolder(name string, depth int, read *int, found *[]string) error {
	entries, err := fs.ReadDir(r.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || strings.Contains(e.Name(), ".") || strings.HasSuffix(e.Name(), "~") {
			continue
		}
		if err := r.sudoers(path.Join(name, e.Name()), depth, read, found); err != nil {
			return err
		}
	}
	return nil
}

// bootPassword reads GRUB's configuration. RHEL's sets a password only where
// user.cfg has one.
func (r rootReader) bootPassword() ([]string, error) {
	text, folder := "", ""
	for _, at := range []string{"boot/grub", "boot/grub2"} {
		found, err := r.read(at + "/grub.cfg")
		if err == nil {
			text, folder = found, at
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if folder == "" {
		return nil, errAbsent
	}
	user, err := r.read(folder + "/user.cfg")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []string
	add := func(what string) {
		if !slices.Contains(found, what) {
			found = append(found, what)
		}
	}
	for _, line := range textLines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "set superusers=") {
			add("superusers")
		}
		if strings.HasPrefix(line, "password_pbkdf2 ") && (!strings.Contains(line, "${GRUB2_PASSWORD}") || strings.Contains(user, "GRUB2_PASSWORD=grub.pbkdf2")) {
			add("password")
		}
	}
	return found, nil
}

// Numbers of people's accounts (login.defs(5), the usual bounds).
const (
	firstPerson = 1000
	nobody      = 65534
)

// homes stats the home directories of those who can log in.
func (r rootReader) homes() ([]string, error) {
	text, err := r.read("etc/passwd")
	if err != nil {
		return nil, err
	}
	var found []string
	people := 0
	for _, line := range textLines(text) {
		f := strings.Split(line, ":")
		if len(f) != 7 || !path.IsAbs(f[5]) || strings.HasSuffix(f[6], "/nologin") || strings.HasSuffix(f[6], "/false") {
			continue
		}
		if uid, err := strconv.Atoi(f[2]); err != nil || uid < firstPerson || uid >= nobody {
			continue
		}
		people++
		info, err := fs.Stat(r.files, strings.TrimPrefix(path.Clean(f[5]), "/"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // made at the first login, or never
		}
		if err != nil {
			return nil, err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil, fmt.Errorf("%s has no owner", f[5])
		}
		found = append(found, fmt.Sprintf("%s %04o %d", f[0], stat.Mode&0o7777, stat.Uid))
	}
	if people > 0 && len(found) == 0 {
		// A sandbox that hides them looks like this, and must not pass.
		return nil, errors.New("no home directory can be seen")
	}
	return found, nil
}
