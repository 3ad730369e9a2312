package baseline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/menshen-zt/menshen/internal/wire"
)

// Runner runs one of the few programs that tell effective values, in the C
// locale, and returns its standard output.
type Runner interface {
	Output(ctx context.Context, program string, args ...string) ([]byte, error)
}

// RootSource asks for what root alone may read.
type RootSource interface {
	RootFacts(ctx context.Context) (wire.RootFacts, error)
}

// Machine is everything that checks look at.
type Machine struct {
	// Files is the file system from its root.
	Files  fs.FS
	Runner Runner
	Root   RootSource
}

// outcome is the result of one check.
type outcome struct {
	state wire.ClaimState
	seen  string
}

func cannot(format string, args ...any) outcome {
	return outcome{wire.ClaimError, fmt.Sprintf(format, args...)}
}

func passIf(ok bool, format string, args ...any) outcome {
	o := outcome{wire.ClaimFail, fmt.Sprintf(format, args...)}
	if ok {
		o.state = wire.ClaimPass
	}
	return o
}

func notApplicable(format string, args ...any) outcome {
	return outcome{wire.ClaimNotApplicable, fmt.Sprintf(format, args...)}
}

// measurement is one look at a machine. What several checks need is read once.
type measurement struct {
	ctx      context.Context //nolint:containedctx // it lives as long as one measuring
	machine  Machine
	packages func() (map[string]bool, error)
	mounts   func() (map[string]mountPoint, error)
	root     func() (wire.RootFacts, error)
	modprobe func() (modprobeConfig, error)
	cmdline  func() ([]string, error)
}

func (m Machine) look(ctx context.Context) *measurement {
	n := &measurement{ctx: ctx, machine: m}
	n.packages = sync.OnceValues(n.readPackages)
	n.mounts = sync.OnceValues(n.readMounts)
	n.root = sync.OnceValues(n.askRoot)
	n.modprobe = sync.OnceValues(n.readModprobe)
	n.cmdline = sync.OnceValues(n.readCommandLine)
	return n
}

var errNoRoot = errors.New("needs root, and there is no helper to ask")

func (m *measurement) askRoot() (wire.RootFacts, error) {
	if m.machine.Root == nil {
		return wire.RootFacts{}, errNoRoot
	}
	facts, err := m.machine.Root.RootFacts(m.ctx)
	if err != nil {
		return wire.RootFacts{}, fmt.Errorf("needs root, and the helper does not answer: %w", err)
	}
	return facts, nil
}

// fact returns one of root's facts, or the outcome that stands for it.
func (m *measurement) fact(which func(wire.RootFacts) wire.RootFact, what string) ([]string, *outcome) {
	facts, err := m.root()
	if err != nil {
		o := cannot("%v", err)
		return nil, &o
	}
	fact := which(facts)
	switch {
	case fact.Problem != "":
		o := cannot("%s: %s", what, fact.Problem)
		return nil, &o
	case fact.Absent:
		o := notApplicable("%s is not installed", what)
		return nil, &o
	}
	return fact.Lines, nil
}

// Bounds of what is read.
const (
	maxFile    = 1 << 20
	maxDpkg    = 64 << 20
	maxDropIns = 256
)

var errTooLarge = errors.New("larger than expected")

func (m *measurement) read(name string) (string, error) { return m.readUpTo(name, maxFile) }

func (m *measurement) readUpTo(name string, limit int64) (string, error) {
	f, err := m.machine.Files.Open(inRoot(name))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(raw)) > limit {
		return "", fmt.Errorf("%s: %w", name, errTooLarge)
	}
	return string(raw), nil
}

// readIfThere is read, with an empty text for a file that does not exist.
func (m *measurement) readIfThere(name string) (string, error) {
	text, err := m.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return text, err
}

func (m *measurement) stat(name string) (fs.FileInfo, error) {
	return fs.Stat(m.machine.Files, inRoot(name))
}

// inRoot turns an absolute path into fs.FS's.
func inRoot(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}

// dropIns returns the files of a program's drop-in folders in the order that
// it reads them: by name, a name in an earlier folder hiding the same in a
// later one (systemd.unit(5), modprobe.d(5)).
func (m *measurement) dropIns(suffix string, folders ...string) ([]string, error) {
	found := map[string]string{}
	for _, folder := range folders {
		entries, err := fs.ReadDir(m.machine.Files, inRoot(folder))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(entries) > maxDropIns {
			return nil, fmt.Errorf("%s: more than %d files", folder, maxDropIns)
		}
		for _, e := range entries {
			if _, hidden := found[e.Name()]; !hidden && strings.HasSuffix(e.Name(), suffix) && !e.IsDir() {
				found[e.Name()] = path.Join(folder, e.Name())
			}
		}
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = found[name]
	}
	return names, nil
}

// lines returns the lines of a configuration file without comments and empty
// lines, each trimmed.
func lines(text string) []string {
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' {
			kept = append(kept, line)
		}
	}
	return kept
}
