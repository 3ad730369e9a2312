package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// run is one run of the stages.
type run struct {
	dir      string
	out      io.Writer
	fuzzTime time.Duration
	root     bool
	tally    *tally
	seeded   bool // the unit stage ran, so that the fuzz targets are known
}

// stage is one part of a run; when a needed one fails the rest is not tried.
type stage struct {
	name   string
	needed bool
	do     func(*run, context.Context) error
}

var stages = []stage{
	{"build", true, (*run).build},
	{"vet", false, (*run).vet},
	{"unit", false, (*run).unit},
	{"e2e", false, (*run).endToEnd},
	{"fuzz", false, (*run).fuzz},
}

func stageNames() []string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = s.name
	}
	return names
}

// build makes every binary for every system that it ships for.
func (r *run) build(ctx context.Context) error {
	return r.command(ctx, "make", "--no-print-directory", "build", "cross")
}

func (r *run) vet(ctx context.Context) error { return r.command(ctx, "go", "vet", "./...") }

// unit runs all but the end-to-end tests under the race detector.
func (r *run) unit(ctx context.Context) error {
	packages, err := r.packages(ctx, func(pkg string) bool { return !endToEnd(pkg) })
	if err != nil {
		return err
	}
	r.seeded = true
	return r.test(ctx, false, append([]string{"-race", "-timeout=10m"}, packages...))
}

// endToEnd runs the tests that own the whole machine, one package at a time.
func (r *run) endToEnd(ctx context.Context) error {
	packages, err := r.packages(ctx, endToEnd)
	if err != nil || len(packages) == 0 {
		return err
	}
	return r.test(ctx, true, append([]string{"-p=1", "-timeout=15m"}, packages...))
}

// endToEnd reports whether a package holds end-to-end tests: those under test/
// that do not judge the source alone.
func endToEnd(pkg string) bool {
	_, under, in := strings.Cut(pkg+"/", "/test/")
	return in && !strings.HasPrefix(under, "arch/") && !strings.HasPrefix(under, "runner/")
}

// test runs `go test` and counts what it tells. Vetting is a stage of its own.
func (r *run) test(ctx context.Context, tell bool, args []string) error {
	module, err := r.output(ctx, "go", "list", "-m")
	if err != nil {
		return err
	}
	cmd := r.prepare(ctx, "go", append([]string{"test", "-json", "-count=1", "-vet=off"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // the race detector needs it
	stream, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	before := len(r.tally.failed)
	err = newReader(r.out, strings.TrimSpace(module), tell, r.tally.addPackage).read(stream)
	exit := cmd.Wait()
	switch {
	case err != nil:
		return err
	case exit != nil && len(r.tally.failed) == before: // no test says why
		return fmt.Errorf("go test: %w", exit)
	}
	return nil
}

// packages lists the module's packages that keep holds for.
func (r *run) packages(ctx context.Context, keep func(string) bool) ([]string, error) {
	all, err := r.output(ctx, "go", "list", "./...")
	if err != nil {
		return nil, err
	}
	var kept []string
	for pkg := range strings.FieldsSeq(all) {
		if keep(pkg) {
			kept = append(kept, pkg)
		}
	}
	return kept, nil
}

// command runs a command whose words go straight to the reader.
func (r *run) command(ctx context.Context, name string, args ...string) error {
	cmd := r.prepare(ctx, name, args...)
	cmd.Stdout = r.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return nil
}

// output runs a command and returns what it wrote.
func (r *run) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := r.prepare(ctx, name, args...)
	var said, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaint
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("%s %s: %w", name, args[0], err), errors.New(complaint.String()))
	}
	return said.String(), nil
}

// prepare makes a command that lies in a process group of its own, so that an
// interrupt ends all that it started.
func (r *run) prepare(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = r.dir
	if abs, err := filepath.Abs(r.dir); err == nil {
		cmd.Dir = abs
	}
	cmd.Stderr = r.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
