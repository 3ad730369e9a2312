package baseline

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

const shippedFolder = "../../installer/linux/baselines"

// recorded is one machine as far as one rule looks at it, and what the rule
// must say.
type recorded struct {
	Rule  string          `yaml:"rule"`
	State wire.ClaimState `yaml:"state"`
	Files map[string]struct {
		Text   string `yaml:"text"`
		Mode   string `yaml:"mode"`
		UID    uint32 `yaml:"uid"`
		GID    uint32 `yaml:"gid"`
		Folder bool   `yaml:"folder"`
	} `yaml:"files"`
	// Outputs are what programs print; one that is not here fails.
	Outputs map[string]string `yaml:"outputs"`
	// Root is what the helper answers; without it there is no helper.
	Root *struct {
		SSHD          []string `yaml:"sshd"`
		SSHDAbsent    bool     `yaml:"sshd_absent"`
		SSHDProblem   string   `yaml:"sshd_problem"`
		SudoDefaults  []string `yaml:"sudo_defaults"`
		Profiles      []string `yaml:"profiles"`
		BootPassword  []string `yaml:"boot_password"`
		BootAbsent    bool     `yaml:"boot_absent"`
		EmptyPassword []string `yaml:"empty_passwords"`
		Homes         []string `yaml:"homes"`
	} `yaml:"root"`
}

func (r *recorded) machine(t *testing.T) Machine {
	t.Helper()
	files := fstest.MapFS{}
	for name, f := range r.Files {
		mode := fs.FileMode(0o644)
		if f.Mode != "" {
			bits, err := strconv.ParseUint(f.Mode, 8, 12)
			if err != nil {
				t.Fatal(err)
			}
			mode = fs.FileMode(bits)
		}
		if f.Folder {
			mode |= fs.ModeDir | 0o111
		}
		files[inRoot(name)] = &fstest.MapFile{Data: []byte(f.Text), Mode: mode, Sys: &syscall.Stat_t{Uid: f.UID, Gid: f.GID}}
	}
	m := Machine{Files: files, Runner: printed(r.Outputs)}
	if r.Root != nil {
		m.Root = answered{wire.RootFacts{
			SSHD:           wire.RootFact{Lines: r.Root.SSHD, Absent: r.Root.SSHDAbsent, Problem: r.Root.SSHDProblem},
			SudoDefaults:   wire.RootFact{Lines: r.Root.SudoDefaults},
			Profiles:       wire.RootFact{Lines: r.Root.Profiles},
			BootPassword:   wire.RootFact{Lines: r.Root.BootPassword, Absent: r.Root.BootAbsent},
			EmptyPasswords: wire.RootFact{Lines: r.Root.EmptyPassword},
			Homes:          wire.RootFact{Lines: r.Root.Homes},
		}}
	}
	return m
}

type printed map[string]string

func (p printed) Output(_ context.Context, program string, _ ...string) ([]byte, error) {
	out, ok := p[program]
	if !ok {
		return nil, errors.New("not found")
	}
	return []byte(out), nil
}

type answered struct{ facts wire.RootFacts }

func (a answered) RootFacts(context.Context) (wire.RootFacts, error) { return a.facts, nil }

func shipped(t *testing.T) *Set {
	t.Helper()
	set, err := Load(Folders{Shipped: shippedFolder, Owner: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func cases(t *testing.T) []recorded {
	t.Helper()
	names, err := filepath.Glob("testdata/cases/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var all []recorded
	for _, name := range names {
		var file struct {
			Cases []recorded `yaml:"cases"`
		}
		if err := yamlfile.Load(name, &file); err != nil {
			t.Fatal(err)
		}
		all = append(all, file.Cases...)
	}
	return all
}

// rule finds a rule by one of its ids.
func (s *Set) rule(id string) *Rule {
	for _, b := range s.baselines {
		for _, r := range b.rules {
			if r.id == id {
				return r.Rule
			}
		}
	}
	return nil
}

// TestEveryRuleOnRecordedMachines holds each shipped rule to machines that it
// must tell apart.
func TestEveryRuleOnRecordedMachines(t *testing.T) {
	set := shipped(t)
	for _, c := range cases(t) {
		r := set.rule(c.Rule)
		if r == nil {
			t.Errorf("there is no rule %s", c.Rule)
			continue
		}
		if got := r.measure(c.machine(t).look(t.Context())); got.state != c.State {
			t.Errorf("%s (%s): %s, want %s: %s", c.Rule, r.Title.EN, got.state, c.State, got.seen)
		} else if got.seen == "" && c.State != wire.ClaimManual {
			t.Errorf("%s: %s, and nothing is said of what was seen", c.Rule, got.state)
		}
	}
}

// TestEveryRuleHasBothCases: a rule without a machine that passes and one that
// fails could say anything.
func TestEveryRuleHasBothCases(t *testing.T) {
	set := shipped(t)
	states := map[*Rule]map[wire.ClaimState]bool{}
	for _, c := range cases(t) {
		r := set.rule(c.Rule)
		if states[r] == nil {
			states[r] = map[wire.ClaimState]bool{}
		}
		states[r][c.State] = true
	}
	measured := map[*Rule]bool{}
	for _, b := range set.baselines {
		for _, r := range b.rules {
			want := []wire.ClaimState{wire.ClaimPass, wire.ClaimFail}
			if r.Manual != nil {
				want = []wire.ClaimState{wire.ClaimManual}
			} else {
				measured[r.Rule] = true
			}
			for _, state := range want {
				if !states[r.Rule][state] {
					t.Errorf("%s has no case that is %s", r.id, state)
				}
			}
		}
	}
	if len(measured) < 60 {
		t.Errorf("%d rules measure something, and at least 60 must", len(measured))
	}
}

// TestNoRuleIsMeasuredByNothing: on a machine of which nothing can be read,
// every rule that measures is an error.
func TestNoRuleIsMeasuredByNothing(t *testing.T) {
	set := shipped(t)
	m := Machine{Files: denied{}, Runner: printed{}}.look(t.Context())
	for _, b := range set.baselines {
		for _, r := range b.rules {
			got := r.measure(m)
			want := wire.ClaimError
			if r.Manual != nil {
				want = wire.ClaimManual
			}
			if got.state != want {
				t.Errorf("%s (%s): %s: %s", r.id, r.Title.EN, got.state, got.seen)
			}
		}
	}
}

// denied is a file system where nothing may be read.
type denied struct{}

func (denied) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

// TestTheReportFitsTheClaims: the largest baseline, with everything that it can
// see, takes a part of what a claims document may hold.
func TestTheReportFitsTheClaims(t *testing.T) {
	set := shipped(t)
	for _, b := range set.baselines {
		system := b.AppliesTo[0]
		r := recorded{}
		m := r.machine(t)
		m.Files.(fstest.MapFS)["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=" + system.ID + "\nVERSION_ID=\"" + system.Version + ".1\"\n")}
		reports, err := set.Measure(t.Context(), m)
		if err != nil || len(reports) != 1 || reports[0].Baseline != b.ID || len(reports[0].Results) != len(b.rules) || len(reports[0].Rules) != len(b.rules) {
			t.Fatalf("%s: %v, %d reports", b.ID, err, len(reports))
		}
		for i := range reports[0].Results {
			reports[0].Results[i].Seen = short(strings.Repeat("界", wire.MaxSeen))
		}
		if size := sizeOf(t, Wire(reports)); size > wire.MaxClaimsBytes*3/4 {
			t.Errorf("%s: %d bytes of JSON for %d rules", b.ID, size, len(b.rules))
		} else {
			t.Logf("%s: %d rules, at most %d bytes", b.ID, len(b.rules), size)
		}
	}
}
