//go:build linux

package host

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Errors about a plugin's program.
var (
	ErrChecksum = errors.New("plugin: the program's SHA-256 is not the configured one")
	ErrWritable = errors.New("plugin: the program or its folder can be changed by others")
)

const maxProgramBytes = 256 << 20

// openProgram opens a plugin's program, checks who could change it, and its
// digest. The caller executes the descriptor, not the path, so nothing can be
// exchanged between check and use.
func openProgram(path, wantSHA256 string, owners []int) (*os.File, error) {
	if err := checkFolders(path, owners); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0) // #nosec G304 -- the operator names the program
	if err != nil {
		return nil, err
	}
	if err := checkProgram(file, wantSHA256, owners); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	return file, nil
}

func checkFolders(path string, owners []int) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if err := checkOwner(info, owners, dir == filepath.Dir(path)); err != nil {
			return fmt.Errorf("%w: %s", err, dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

// RootsAlone refuses a file that others than root could have written: what a
// Launcher reads its registration from.
func RootsAlone(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := checkFolders(path, []int{0}); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if err := checkOwner(info, []int{0}, true); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s", ErrWritable, path)
	}
	return nil
}

func checkProgram(file *os.File, wantSHA256 string, owners []int) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxProgramBytes {
		return errors.New("plugin: not a regular file of a sensible size")
	}
	if err := checkOwner(info, owners, true); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(file, maxProgramBytes)); err != nil {
		return err
	}
	want, err := hex.DecodeString(wantSHA256)
	if is := h.Sum(nil); err != nil || subtle.ConstantTimeCompare(is, want) != 1 {
		return fmt.Errorf("%w but %x", ErrChecksum, is)
	}
	return nil
}

// checkOwner refuses what others than the owners could change. A sticky folder
// above the plugins' own (/tmp) is good enough: what is in it stays its owner's.
func checkOwner(info fs.FileInfo, owners []int, strict bool) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&fs.ModeSymlink != 0 {
		return ErrWritable
	}
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0 && !strict
	if !slices.Contains(owners, int(stat.Uid)) || (info.Mode().Perm()&0o022 != 0 && !sticky) {
		return ErrWritable
	}
	return nil
}
