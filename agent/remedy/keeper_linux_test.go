package remedy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// said are exit codes and words of programs, and which were run.
type said struct {
	words map[string]string
	ran   []string
}

func (s *said) Run(_ context.Context, program string, args ...string) ([]byte, int, error) {
	line := strings.Join(append([]string{program}, args...), " ")
	s.ran = append(s.ran, strings.Join(args, " "))
	out, ok := s.words[line]
	if !ok && strings.Contains(line, "show") {
		return nil, 0, errors.New("no such program")
	}
	if out == "exit 1" {
		return nil, 1, nil
	}
	return []byte(out), 0, nil
}

// machine is a folder with what the remedies touch.
func machine(t *testing.T) Config {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{aptFolder, "usr/bin", "state"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, aptUpgrader), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return Config{
		Socket: filepath.Join(root, "run", "remedy.sock"), AgentUID: 64041, Allowed: Names(), Folder: filepath.Join(root, "state"), Root: root,
		Commands: &said{}, Clock: func() time.Time { return time.Unix(1_800_000_000, 0) }, Logger: slog.New(slog.DiscardHandler),
	}
}

func (k *keeper) state(t *testing.T, name Name) State {
	t.Helper()
	all, err := k.list()
	if err != nil {
		t.Fatal(err)
	}
	return all[slices.IndexFunc(all, func(s State) bool { return s.Name == name })]
}

func logged(t *testing.T, c Config) []entry {
	t.Helper()
	f, err := os.Open(filepath.Join(c.Folder, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var all []entry
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestApplyAndUndoAutomaticUpdates(t *testing.T) {
	c := machine(t)
	k := newKeeper(c)
	file := filepath.Join(c.Root, aptFolder, aptFile)
	for name, was := range map[string]string{"no file": "", "a file of that name": "APT::Periodic::Enable \"0\";\n"} {
		_ = os.Remove(file)
		if was != "" {
			if err := os.WriteFile(file, []byte(was), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second apply must not take the first's file for what was there
			if err := k.apply(t.Context(), AutoUpdates, 7); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != aptText {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if s := k.state(t, AutoUpdates); !s.Applied || !s.Recorded || !s.Allowed || s.At.IsZero() {
			t.Errorf("%s: %+v", name, s)
		}
		if err := k.undo(t.Context(), AutoUpdates, 7); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err = os.ReadFile(file)
		if was == "" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file stays: %q", name, got)
		}
		if info, _ := os.Stat(file); was != "" && (string(got) != was || info.Mode().Perm() != 0o600) {
			t.Errorf("%s: %q, %v", name, got, info.Mode())
		}
		if s := k.state(t, AutoUpdates); s.Recorded || s.Applied {
			t.Errorf("%s: %+v", name, s)
		}
		if err := k.undo(t.Context(), AutoUpdates, 7); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: undone twice: %v", name, err)
		}
	}
	all := logged(t, c)
	if len(all) != 8 || all[0] != (entry{At: c.Clock().UTC(), Do: DoApply, Remedy: AutoUpdates, UID: 7}) || all[3].Problem != ProblemNothing {
		t.Errorf("%+v", all)
	}
}

// TestWhatCannotBeDoneChangesNothing: no record is left that undo would take
// for one.
func TestWhatCannotBeDoneChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		remedy Name
		spoil  func(*Config)
		want   error
	}{
		"not allowed":     {AutoUpdates, func(c *Config) { c.Allowed = []Name{Firewall} }, ErrNotAllowed},
		"nothing allowed": {AutoUpdates, func(c *Config) { c.Allowed = nil }, ErrNotAllowed},
		"no such remedy":  {"reboot", func(c *Config) { c.Allowed = append(c.Allowed, "reboot") }, ErrNotAllowed},
		"no upgrader":     {AutoUpdates, func(c *Config) { _ = os.Remove(filepath.Join(c.Root, aptUpgrader)) }, errNoUpgrader},
		"a link in its place": {AutoUpdates, func(c *Config) {
			_ = os.Symlink("/etc/passwd", filepath.Join(c.Root, aptFolder, aptFile))
		}, nil},
		"a large file in its place": {AutoUpdates, func(c *Config) {
			_ = os.WriteFile(filepath.Join(c.Root, aptFolder, aptFile), make([]byte, maxDropIn+1), 0o600)
		}, nil},
		"no timesyncd": {TimeSync, func(c *Config) {
			c.Commands = &said{words: map[string]string{timesyncQuestion: "LoadState=not-found\n"}}
		}, errNoTimesyncd},
		"no systemd":    {TimeSync, func(*Config) {}, nil},
		"no log folder": {AutoUpdates, func(c *Config) { _ = os.RemoveAll(c.Folder) }, nil},
	} {
		config := machine(t)
		c.spoil(&config)
		k := newKeeper(config)
		err := k.apply(t.Context(), c.remedy, 0)
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(k.records.path(c.remedy)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a record is left: %v", name, err)
		}
		if got, err := os.ReadFile(filepath.Join(config.Root, aptFolder, aptFile)); err == nil && string(got) == aptText {
			t.Errorf("%s: it was applied", name)
		}
	}
}

const timesyncQuestion = systemctl + " show --property=LoadState,ActiveState,UnitFileState -- " + timesyncd

func TestTimeSyncIsRestoredAsItWas(t *testing.T) {
	for state, undone := range map[string][]string{
		"UnitFileState=disabled\nActiveState=inactive": {"disable --quiet " + timesyncd, "stop --quiet " + timesyncd},
		"UnitFileState=enabled\nActiveState=inactive":  {"enable --quiet " + timesyncd, "stop --quiet " + timesyncd},
		"UnitFileState=disabled\nActiveState=active":   {"disable --quiet " + timesyncd, "start --quiet " + timesyncd},
		"UnitFileState=enabled\nActiveState=active":    {"enable --quiet " + timesyncd, "start --quiet " + timesyncd},
	} {
		c := machine(t)
		programs := &said{words: map[string]string{timesyncQuestion: "LoadState=loaded\n" + state + "\n"}}
		c.Commands = programs
		k := newKeeper(c)
		if err := k.apply(t.Context(), TimeSync, 0); err != nil {
			t.Fatal(err)
		}
		if got := programs.ran[1:]; !slices.Equal(got, []string{"enable --now --quiet " + timesyncd}) {
			t.Errorf("%q", got)
		}
		if err := k.undo(t.Context(), TimeSync, 0); err != nil {
			t.Fatal(err)
		}
		if got := programs.ran[2:]; !slices.Equal(got, undone) {
			t.Errorf("%s: %q", state, got)
		}
	}
}

// TestARecordThatCannotBeReadIsNotTakenForNone: what was there before is not
// overwritten by what a remedy itself made.
func TestARecordThatCannotBeReadIsNotTakenForNone(t *testing.T) {
	for name, text := range map[string]string{
		"cut short":       `{"v":1,`,
		"another remedy":  `{"v":1,"remedy":"firewall","at":"2026-11-22T00:00:00Z","before":{},"applied":true}`,
		"another version": `{"v":2,"remedy":"automatic-updates","at":"2026-11-22T00:00:00Z","before":{},"applied":true}`,
		"too large":       strings.Repeat(" ", maxRecord+1),
	} {
		c := machine(t)
		k := newKeeper(c)
		if err := os.WriteFile(k.records.path(AutoUpdates), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for do, err := range map[string]error{"apply": k.apply(t.Context(), AutoUpdates, 0), "undo": k.undo(t.Context(), AutoUpdates, 0)} {
			if !errors.Is(err, errRecord) {
				t.Errorf("%s, %s: %v", name, do, err)
			}
		}
		if _, err := os.Stat(filepath.Join(c.Root, aptFolder, aptFile)); err == nil {
			t.Errorf("%s: it was applied", name)
		}
	}
}

// hold is an action that stops between its record and its end.
type hold struct {
	action
	reached func()
}

func (h hold) apply(ctx context.Context) error {
	h.reached()
	<-ctx.Done()
	return ctx.Err()
}

const crashFolder = "MENSHEN_REMEDY_CRASH"

// TestMain is also the process that is killed.
func TestMain(m *testing.M) {
	root := os.Getenv(crashFolder)
	if root == "" {
		os.Exit(m.Run())
	}
	k := newKeeper(Config{
		Allowed: Names(), Folder: filepath.Join(root, "state"), Root: root, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	k.actions[AutoUpdates] = hold{k.actions[AutoUpdates], func() { _, _ = os.Stdout.WriteString("recorded\n") }}
	_ = k.apply(context.Background(), AutoUpdates, 0)
	os.Exit(1) // not reached: it is killed
}

// TestAKillBetweenRecordAndApplyCanBeUndone, whatever the remedy had done by
// then: nothing, half, or all of it.
func TestAKillBetweenRecordAndApplyCanBeUndone(t *testing.T) {
	const was = "// the agency's own\n"
	for name, partly := range map[string]string{"nothing done": was, "all done": aptText, "half": aptText[:40]} {
		c := machine(t)
		file := filepath.Join(c.Root, aptFolder, aptFile)
		if err := os.WriteFile(file, []byte(was), 0o640); err != nil { // #nosec G306 -- a mode that must come back
			t.Fatal(err)
		}
		victim := exec.Command(os.Args[0])
		victim.Env = append(os.Environ(), crashFolder+"="+c.Root)
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "recorded\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait()
		if err := os.WriteFile(file, []byte(partly), 0o600); err != nil {
			t.Fatal(err)
		}
		k := newKeeper(c)
		k.again(t.Context())
		if s := k.state(t, AutoUpdates); !s.Recorded || s.Applied {
			t.Errorf("%s: %+v", name, s)
		}
		if got, _ := os.ReadFile(file); string(got) != partly {
			t.Errorf("%s: what was interrupted went on by itself: %q", name, got)
		}
		if err := k.undo(t.Context(), AutoUpdates, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := os.ReadFile(file)
		info, _ := os.Stat(file)
		if err != nil || string(got) != was || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %q %v, %v", name, got, info.Mode(), err)
		}
	}
}

// TestAfterARestartWhatWasAppliedHoldsAgain, unless it is allowed no more.
func TestAfterARestartWhatWasAppliedHoldsAgain(t *testing.T) {
	c := machine(t)
	if err := newKeeper(c).apply(t.Context(), AutoUpdates, 0); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.Root, aptFolder, aptFile)
	for _, allowed := range []bool{false, true} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		next := c
		if !allowed {
			next.Allowed = nil
		}
		newKeeper(next).again(t.Context())
		if _, err := os.Stat(file); (err == nil) != allowed {
			t.Errorf("allowed %v: %v", allowed, err)
		}
	}
}

func TestTheLogIsBounded(t *testing.T) {
	c := machine(t)
	k := newKeeper(c)
	path := filepath.Join(c.Folder, "log.jsonl")
	if err := os.WriteFile(path, make([]byte, maxLog+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.undo(t.Context(), "a\nb", 0); !errors.Is(err, ErrNothing) {
		t.Error(err)
	}
	if all := logged(t, c); len(all) != 1 || all[0].Remedy != "unknown" {
		t.Errorf("%+v", all)
	}
	if info, err := os.Stat(path + ".1"); err != nil || info.Size() != maxLog+1 {
		t.Errorf("the older log: %v", err)
	}
}
