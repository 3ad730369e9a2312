package helper

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/menshen-zt/menshen/internal/wire"
)

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func folderOf(mode uint32, uid uint32) *fstest.MapFile {
	return &fstest.MapFile{Mode: fs.ModeDir | 0o755, Sys: &syscall.Stat_t{Mode: syscall.S_IFDIR | mode, Uid: uid}}
}

func factsOf(files fstest.MapFS) wire.RootFacts {
	return rootReader{files: files, sshd: func(context.Context) ([]byte, error) {
		return []byte("port 22\npermitrootlogin no\n\n"), nil
	}}.facts(context.Background())
}

// TestRootFacts reads a machine that has everything.
func TestRootFacts(t *testing.T) {
	got := factsOf(fstest.MapFS{
		"usr/sbin/sshd": text("ELF"),
		"etc/sudoers": text("# sudo\nDefaults\tenv_reset, \\\n  timestamp_timeout=5\nDefaults:backup !use_pty # for one\nroot ALL=(ALL:ALL) ALL\n" +
			"alice ALL=(ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n#include sudoers.local\n"),
		"etc/sudoers.d/10-site":     text("Defaults use_pty\n"),
		"etc/sudoers.d/20-site.bak": text("Defaults !use_pty\n"),
		"etc/sudoers.d/30-site~":    text("Defaults !use_pty\n"),
		"etc/sudoers.local":         text("Defaults logfile=\"/var/log/sudo.log\"\n"),
		"etc/shadow":                text("root:$y$secret:1:0:99999:7:::\nguest::1:0:99999:7:::\ndaemon:*:1:0:99999:7:::\n"),
		"etc/passwd": text("root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/sh\n" +
			"svc:x:1002:1002::/home/svc:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/sh\n"),
		"home/alice":                            folderOf(0o2750, 1000),
		"home/svc":                              folderOf(0o777, 1002),
		"sys/kernel/security/apparmor/profiles": text("/usr/sbin/chronyd (enforce)\nfirefox (complain)\n"),
		"boot/grub/grub.cfg":                    text("set superusers=\"root\"\n  password_pbkdf2 root grub.pbkdf2.sha512.10000.AA\n"),
	})
	for name, c := range map[string]struct {
		fact wire.RootFact
		want []string
	}{
		"sshd":     {got.SSHD, []string{"port 22", "permitrootlogin no"}},
		"sudo":     {got.SudoDefaults, []string{" env_reset,   timestamp_timeout=5", ":backup !use_pty", " use_pty", " logfile=\"/var/log/sudo.log\""}},
		"empty":    {got.EmptyPasswords, []string{"guest"}},
		"profiles": {got.Profiles, []string{"/usr/sbin/chronyd (enforce)", "firefox (complain)"}},
		"boot":     {got.BootPassword, []string{"superusers", "password"}},
		"homes":    {got.Homes, []string{"alice 2750 1000"}},
	} {
		if c.fact.Problem != "" || c.fact.Absent || !slices.Equal(c.fact.Lines, c.want) {
			t.Errorf("%s: %+v, want %q", name, c.fact, c.want)
		}
	}
}

// TestRootFactsThatAreNotThere: what is not installed is told from what cannot
// be read.
func TestRootFactsThatAreNotThere(t *testing.T) {
	got := factsOf(fstest.MapFS{"etc/passwd": text("alice:x:1000:1000::/home/alice:/bin/bash\n")})
	for name, fact := range map[string]wire.RootFact{"sshd": got.SSHD, "sudo": got.SudoDefaults, "profiles": got.Profiles, "boot": got.BootPassword} {
		if !fact.Absent || fact.Problem != "" {
			t.Errorf("%s: %+v", name, fact)
		}
	}
	if got.EmptyPasswords.Problem == "" || got.EmptyPasswords.Absent {
		t.Errorf("no shadow: %+v", got.EmptyPasswords)
	}
	if got.Homes.Problem == "" {
		t.Errorf("a sandbox hides the homes: %+v", got.Homes)
	}
	broken := rootReader{files: fstest.MapFS{"usr/sbin/sshd": text("ELF")}, sshd: func(context.Context) ([]byte, error) {
		return nil, errors.New("no host keys")
	}}.facts(context.Background())
	if broken.SSHD.Problem != "no host keys" || broken.SSHD.Absent {
		t.Errorf("sshd fails: %+v", broken.SSHD)
	}
}

// TestAPasswordThatGRUBOnlyMightSet: RHEL's grub.cfg names one in every case.
func TestAPasswordThatGRUBOnlyMightSet(t *testing.T) {
	cfg := "if [ -n \"${GRUB2_PASSWORD}\" ]; then\n  set superusers=\"root\"\n  password_pbkdf2 root ${GRUB2_PASSWORD}\nfi\n"
	for user, want := range map[string]bool{"": false, "GRUB2_PASSWORD=grub.pbkdf2.sha512.10000.AA\n": true} {
		files := fstest.MapFS{"boot/grub2/grub.cfg": text(cfg)}
		if user != "" {
			files["boot/grub2/user.cfg"] = text(user)
		}
		if got := factsOf(files).BootPassword; slices.Contains(got.Lines, "password") != want || got.Problem != "" {
			t.Errorf("user.cfg %q: %+v", user, got)
		}
	}
}

func TestRootFactsAreBounded(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"many lines":  {"sys/kernel/security/apparmor/profiles": text(strings.Repeat("a (enforce)\n", wire.MaxRootFactLines+1))},
		"long lines":  {"sys/kernel/security/apparmor/profiles": text(strings.Repeat("a", wire.MaxRootFactBytes+1))},
		"a huge file": {"sys/kernel/security/apparmor/profiles": text(strings.Repeat("\n", 4<<20+1))},
	} {
		if got := factsOf(files).Profiles; got.Problem == "" || got.Lines != nil {
			t.Errorf("%s: %d lines, %q", name, len(got.Lines), got.Problem)
		}
	}
	round := factsOf(fstest.MapFS{"etc/sudoers": text("@include /etc/sudoers\n")}).SudoDefaults
	if round.Problem == "" || round.Absent {
		t.Errorf("sudoers that include themselves: %+v", round)
	}
}

// TestRootFactsByTheSocket: the agent asks, and no secret comes back.
func TestRootFactsByTheSocket(t *testing.T) {
	h := start(t, &fakeFilter{})
	got, err := NewClient(h.socket).RootFacts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.EmptyPasswords.Problem != "" {
		t.Errorf("root cannot read shadow: %+v", got.EmptyPasswords)
	}
}
