//go:build linux

package host

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Interpreter runs a plugin that is no native program: a script, or an archive
// such as Python's zip applications, which hold a whole program in one file.
// The archive's checksum is the plugin's; the interpreter has one of its own.
//
// What an interpreter costs: it loads libraries that no checksum covers (name
// their folders as ReadPaths, owned by root), and since the system's loader
// must be executable, the plugin may start what it can read again, in the same
// sandbox. Limits says so.
type Interpreter struct {
	// Path is absolute and no link, such as /usr/bin/python3.11.
	Path string `json:"path"`
	// SHA256 of the interpreter, hexadecimal. It is mandatory.
	SHA256 string `json:"sha256"`
	// Arguments before the program, such as -I.
	Arguments []string `json:"arguments,omitempty"`
}

const maxInterpreterArguments = 16

// check refuses an interpreter whose configuration is wrong.
func (i *Interpreter) check(owners []int) error {
	if i == nil {
		return nil
	}
	if !filepath.IsAbs(i.Path) || filepath.Clean(i.Path) != i.Path {
		return fmt.Errorf("interpreter %q must be absolute and clean", i.Path)
	}
	if len(i.Arguments) > maxInterpreterArguments || slices.ContainsFunc(i.Arguments, func(a string) bool { return len(a) > maxArgument || strings.ContainsRune(a, 0) }) {
		return errors.New("an interpreter has few and short arguments")
	}
	file, err := openProgram(i.Path, i.SHA256, owners)
	if err != nil {
		return fmt.Errorf("interpreter: %w", err)
	}
	return file.Close()
}

// image is what the launcher becomes: a file, its arguments, and what must be
// executable and readable for that.
type image struct {
	file       *os.File
	arguments  []string
	executable []string
}

// imageOf opens and checks what the specification names. With an interpreter,
// that is given the program's very descriptor that was checked.
func imageOf(spec launchSpec) (image, error) {
	program, err := openProgram(spec.Path, spec.SHA256, spec.Owners)
	if err != nil {
		return image{}, err
	}
	if spec.Interpreter == nil {
		return image{file: program, arguments: []string{filepath.Base(spec.Path)}, executable: []string{spec.Path}}, nil
	}
	interpreter, err := openProgram(spec.Interpreter.Path, spec.Interpreter.SHA256, spec.Owners)
	if err != nil {
		return image{}, fmt.Errorf("interpreter: %w", err)
	}
	executable := []string{spec.Interpreter.Path}
	loader, err := loaderOf(interpreter)
	if err != nil {
		return image{}, fmt.Errorf("interpreter: %w", err)
	}
	if loader != "" {
		executable = append(executable, loader)
	}
	if _, err := unix.FcntlInt(program.Fd(), unix.F_SETFD, 0); err != nil { // stays open for the interpreter
		return image{}, err
	}
	arguments := slices.Concat([]string{spec.Interpreter.Path}, spec.Interpreter.Arguments, []string{fmt.Sprintf("/proc/self/fd/%d", program.Fd())})
	return image{file: interpreter, arguments: arguments, executable: executable}, nil
}

// loaderOf is the dynamic loader that an ELF program asks for, if it does.
func loaderOf(program *os.File) (string, error) {
	file, err := elf.NewFile(program)
	if err != nil {
		return "", err
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			raw, err := io.ReadAll(io.LimitReader(p.Open(), unix.PathMax))
			return strings.TrimRight(string(raw), "\x00"), err
		}
	}
	return "", nil
}

// noteInterpreter says what an interpreter leaves open.
func noteInterpreter(spec launchSpec, s *sandbox) {
	if spec.Interpreter == nil {
		return
	}
	s.note(false, "checksum: the libraries that "+spec.Interpreter.Path+" loads are not covered")
	s.note(false, "programs: what it reads it may start again, in the same sandbox")
}
