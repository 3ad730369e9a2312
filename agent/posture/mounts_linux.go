package posture

import (
	"errors"
	"fmt"
	"strings"
)

// mount is one line of mountinfo (proc_pid_mountinfo(5)), as far as it is used.
type mount struct {
	major, minor  string
	point         string
	fstype        string
	source        string
	superReadOnly bool
}

var errNoRoot = errors.New("no root file system among the mounts")

// dataMounts returns the mount of `/` first, then those that hold people's
// data: everything with a disk of its own under these directories.
func dataMounts(mountinfo string) ([]mount, error) {
	var root *mount
	var rest []mount
	seen := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		m, err := parseMount(line)
		if err != nil {
			return nil, err
		}
		switch {
		case m.point == "/": // the last one covers the others, such as the initramfs
			root = &m
		case holdsData(m) && !seen[m.point+m.major+m.minor]:
			seen[m.point+m.major+m.minor] = true
			rest = append(rest, m)
		}
	}
	if root == nil {
		return nil, errNoRoot
	}
	mounts := []mount{*root}
	for _, m := range rest {
		if m.major != root.major || m.minor != root.minor {
			mounts = append(mounts, m)
		}
	}
	return mounts, nil
}

// holdsData leaves out what has no disk under it (its data is elsewhere or in
// memory) and images that cannot be written.
func holdsData(m mount) bool {
	if (m.major == "0" && m.fstype != "btrfs") || m.fstype == "squashfs" || m.fstype == "iso9660" || m.superReadOnly {
		return false
	}
	for _, dir := range []string{"/home", "/root", "/var", "/srv", "/opt", "/tmp", "/usr"} {
		if m.point == dir || strings.HasPrefix(m.point, dir+"/") {
			return true
		}
	}
	return false
}

func parseMount(line string) (mount, error) {
	front, back, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
	f, b := strings.Fields(front), strings.Fields(back)
	if !ok || len(f) < 6 || len(b) < 2 {
		return mount{}, fmt.Errorf("odd line in mountinfo: %.80q", line)
	}
	major, minor, ok := strings.Cut(f[2], ":")
	if !ok || !digits(major) || !digits(minor) {
		return mount{}, fmt.Errorf("odd device number in mountinfo: %.20q", f[2])
	}
	m := mount{major: major, minor: minor, point: unescape(f[4]), fstype: b[0], source: unescape(b[1])}
	if len(b) > 2 {
		first, _, _ := strings.Cut(b[2], ",")
		m.superReadOnly = first == "ro"
	}
	return m, nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// unescape turns mountinfo's octal escapes back: space, tab, newline, backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
