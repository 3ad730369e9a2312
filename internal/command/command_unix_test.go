//go:build unix

package command

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var system System

func TestRun(t *testing.T) {
	out, code, err := system.Run(t.Context(), "sh", "-c", "echo hello; exit 3")
	if string(out) != "hello\n" || code != 3 || err != nil {
		t.Errorf("%q %d %v", out, code, err)
	}
	if out, err := system.Output(t.Context(), "/bin/sh", "-c", "echo ok"); string(out) != "ok\n" || err != nil {
		t.Errorf("%q %v", out, err)
	}
	if _, err := system.Output(t.Context(), "sh", "-c", "exit 1"); err == nil {
		t.Error("a failure is no error")
	}
}

func TestTheEnvironmentIsItsOwn(t *testing.T) {
	t.Setenv("SECRET", "s")
	t.Setenv("LC_ALL", "zh_TW.UTF-8")
	out, err := system.Output(t.Context(), "env")
	if err != nil || strings.Contains(string(out), "SECRET") || !strings.Contains(string(out), "LC_ALL=C.UTF-8\n") {
		t.Errorf("%s %v", out, err)
	}
}

func TestProgramsAreTheSystemsOwn(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, name := range []string{"menshen-no-such-program", "../bin/sh", "./sh"} {
		if _, _, err := system.Run(t.Context(), name); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := system.Run(t.Context(), "true"); err != nil {
		t.Error(err)
	}
}

func TestBounds(t *testing.T) {
	if _, _, err := system.Run(t.Context(), "sh", "-c", "yes menshen"); !errors.Is(err, ErrTooMuch) {
		t.Errorf("endless output: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := system.Run(ctx, "sh", "-c", "sleep 60 & wait"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("endless time: %v", err)
	}
	if _, _, err := system.Run(t.Context(), "sh", "-c", "kill -9 $$"); err == nil {
		t.Error("a killed program ended well")
	}
}
