package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAFullDiskLosesNothing fills a small file system of its own for real.
func TestAFullDiskLosesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("menshen-test", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	f := At(filepath.Join(dir, "state.json"))
	if err := f.Save(sample()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	_ = os.WriteFile(filepath.Join(dir, "ballast"), bytes.Repeat([]byte("x"), 1<<20), 0o600) // until it is full
	if err := f.Writable(); !errors.Is(err, ErrNotWritten) {
		t.Errorf("a full disk is writable: %v", err)
	}
	s := sample()
	s.DeviceName = "LT-9999"
	err = f.Save(s)
	if !errors.Is(err, ErrNotWritten) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("saving on a full disk: %v", err)
	}
	if after, err := os.ReadFile(f.Path()); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the old file changed: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".state.json.*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := f.Load(); err != nil {
		t.Errorf("loading after it: %v", err)
	}
}

// TestRootWritesForTheDirectorysOwner: so that root can enrol for the agent.
func TestRootWritesForTheDirectorysOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving files away needs root")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	f := At(filepath.Join(dir, "state.json"))
	if err := f.Save(sample()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 4711 || owner.Gid != 4711 {
		t.Errorf("owner %d:%d", owner.Uid, owner.Gid)
	}
}
