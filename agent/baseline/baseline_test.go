package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/internal/yamlfile"
)

func sizeOf(t *testing.T, v any) int {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return len(raw)
}

const (
	ownBaseline = "baselines:\n  - id: AGENCY-01\n    version: \"1\"\n    numbers: own\n    title: {zh: 本機關, en: Ours}\n    applies_to: [{id: debian, version: \"12\"}]\n"
	ownRule     = "rules:\n  - in: {AGENCY-01: \"0001\"}\n    title: {zh: 規則, en: A rule}\n    remedy: {zh: 修, en: Repair it}\n    sysctl: {keys: [kernel.sysrq]}\n    expect: {one_of: [\"0\"]}\n"
)

// folders writes rule files and returns where they lie.
func folders(t *testing.T, shipped, local map[string]string) Folders {
	t.Helper()
	f := Folders{Shipped: filepath.Join(t.TempDir(), "shipped"), Local: filepath.Join(t.TempDir(), "local"), Owner: os.Getuid()}
	for folder, files := range map[string]map[string]string{f.Shipped: shipped, f.Local: local} {
		if files == nil {
			continue
		}
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

func TestLocalFilesAdd(t *testing.T) {
	alone, err := Load(folders(t, map[string]string{"a.yaml": ownBaseline + ownRule}, nil))
	if err != nil {
		t.Fatal(err)
	}
	second := strings.Replace(ownRule, "0001", "0002", 1)
	other := strings.ReplaceAll(ownBaseline+ownRule, "AGENCY-01", "AGENCY-02")
	more, err := Load(folders(t, map[string]string{"a.yaml": ownBaseline + ownRule}, map[string]string{"b.yaml": second, "c.yaml": other, "README": "no rules"}))
	if err != nil {
		t.Fatal(err)
	}
	list := more.List()
	if len(list) != 2 || list[0].ID != "AGENCY-01" || list[0].Rules != 2 || list[1].ID != "AGENCY-02" || list[1].Rules != 1 {
		t.Errorf("%+v", list)
	}
	if string(list[0].RuleSet) == string(alone.List()[0].RuleSet) {
		t.Error("a rule was added, and the rule set's digest stayed")
	}
	renamed, err := Load(folders(t, map[string]string{"z.yaml": ownBaseline + ownRule}, map[string]string{"c.yaml": other}))
	if err != nil || string(renamed.List()[0].RuleSet) != string(alone.List()[0].RuleSet) {
		t.Errorf("a baseline that nothing was added to has another digest: %v", err)
	}
}

// TestNothingIsReplaced: a local file with an id that is taken is refused, and
// the message names both files.
func TestNothingIsReplaced(t *testing.T) {
	for name, local := range map[string]string{
		"a rule":     ownRule,
		"a baseline": ownBaseline,
	} {
		_, err := Load(folders(t, map[string]string{"shipped.yaml": ownBaseline + ownRule}, map[string]string{"local.yaml": local}))
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "local.yaml") || !strings.Contains(err.Error(), "shipped.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhoMayWriteTheRules presents one exposed place at a time.
func TestWhoMayWriteTheRules(t *testing.T) {
	whole := map[string]string{"a.yaml": ownBaseline + ownRule}
	for name, spoil := range map[string]func(f *Folders){
		"folder open to a group": func(f *Folders) { must(t, os.Chmod(f.Shipped, 0o775)) },
		"folder open to all":     func(f *Folders) { must(t, os.Chmod(f.Shipped, 0o757)) },
		"file open to all":       func(f *Folders) { must(t, os.Chmod(filepath.Join(f.Shipped, "a.yaml"), 0o646)) },
		"another owner":          func(f *Folders) { f.Owner++ },
		"local file open":        func(f *Folders) { must(t, os.Chmod(filepath.Join(f.Local, "b.yaml"), 0o666)) },
		"a folder like a file":   func(f *Folders) { must(t, os.Mkdir(filepath.Join(f.Shipped, "c.yaml"), 0o755)) },
		"a link": func(f *Folders) {
			must(t, os.Rename(filepath.Join(f.Shipped, "a.yaml"), filepath.Join(f.Shipped, "a")))
			must(t, os.Symlink("a", filepath.Join(f.Shipped, "a.yaml")))
		},
	} {
		f := folders(t, whole, map[string]string{"b.yaml": strings.Replace(ownRule, "0001", "0002", 1)})
		if _, err := Load(f); err != nil {
			t.Fatal(err)
		}
		spoil(&f)
		if _, err := Load(f); !errors.Is(err, ErrExposed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAWrongRuleFile: each fault alone is refused, with the file and the line.
func TestAWrongRuleFile(t *testing.T) {
	good := ownBaseline + ownRule
	for name, c := range map[string]struct {
		old, better, line string
	}{
		"unknown key":          {"    remedy:", "    remdy:", "10"},
		"no check":             {"    sysctl: {keys: [kernel.sysrq]}\n", "", "8"},
		"two checks":           {"    expect:", "    module: {name: udf}\n    expect:", "8"},
		"unknown check key":    {"{keys: [kernel.sysrq]}", "{key: kernel.sysrq}", "11"},
		"a path for a setting": {"kernel.sysrq", "../../etc/passwd", "11"},
		"no expectation":       {"    expect: {one_of: [\"0\"]}\n", "", ""},
		"empty expectation":    {"{one_of: [\"0\"]}", "{}", "12"},
		"two expectations":     {"{one_of: [\"0\"]}", "{one_of: [\"0\"], set: true}", "12"},
		"no English":           {"{zh: 規則, en: A rule}", "{zh: 規則}", "9"},
		"no Chinese":           {"{zh: 修, en: Repair it}", "{en: Repair it}", "10"},
		"odd number":           {"\"0001\"", "\"1\"", "8"},
		"no baseline":          {"{AGENCY-01: \"0001\"}", "{}", "8"},
		"odd baseline":         {"id: AGENCY-01", "id: agency", "2"},
		"no version":           {"    version: \"1\"\n    numbers", "    numbers", "2"},
		"no numbers":           {"numbers: own", "numbers: guessed", "4"},
		"for no system":        {"[{id: debian, version: \"12\"}]", "[]", "6"},
		"an empty condition":   {"    sysctl:", "    when: {}\n    sysctl:", "11"},
	} {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%s: nothing to replace", name)
		}
		_, err := Load(folders(t, map[string]string{"a.yaml": strings.Replace(good, c.old, c.better, 1)}, nil))
		var where *yamlfile.Error
		if !errors.Is(err, ErrRules) || !errors.As(err, &where) || !strings.Contains(err.Error(), "a.yaml") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.line != "" && !strings.Contains(err.Error(), "["+c.line+":") && !strings.Contains(err.Error(), "line "+c.line+":") {
			t.Errorf("%s: line %s is not named: %v", name, c.line, err)
		}
	}
	if _, err := Load(folders(t, map[string]string{"a.yaml": ownRule}, nil)); !errors.Is(err, ErrRules) || !strings.Contains(err.Error(), "AGENCY-01") {
		t.Errorf("a rule of a baseline that is not there: %v", err)
	}
	if _, err := Load(Folders{Shipped: filepath.Join(t.TempDir(), "none"), Owner: os.Getuid()}); !errors.Is(err, ErrRules) {
		t.Errorf("no shipped rules: %v", err)
	}
}

func TestWhichBaselineApplies(t *testing.T) {
	set, err := Load(folders(t, map[string]string{"a.yaml": ownBaseline + ownRule}, nil))
	must(t, err)
	for release, want := range map[string]int{
		"ID=debian\nVERSION_ID=\"12\"\n":   1,
		"ID=debian\nVERSION_ID=\"12.1\"\n": 1,
		"ID=debian\nVERSION_ID=\"123\"\n":  0,
		"ID=ubuntu\nVERSION_ID=\"12\"\n":   0,
	} {
		reports, err := set.Measure(t.Context(), Machine{Files: fstest.MapFS{"etc/os-release": {Data: []byte(release)}}})
		if err != nil || len(reports) != want {
			t.Errorf("%q: %d reports, %v", release, len(reports), err)
		}
	}
	for _, release := range []string{"", "ID=debian\n", "VERSION_ID=12\n"} {
		if _, err := set.Measure(t.Context(), Machine{Files: fstest.MapFS{"etc/os-release": {Data: []byte(release)}}}); err == nil {
			t.Errorf("%q names a system", release)
		}
	}
}

func TestExpectations(t *testing.T) {
	one, four := 1, 4
	for name, c := range map[string]struct {
		expect Expect
		yes    []string
		no     []string
	}{
		"one of":   {Expect{OneOf: []string{"yes", "INFO"}}, []string{"yes", "info", " YES "}, []string{"", "no", "yes no"}},
		"a range":  {Expect{AtLeast: &one, AtMost: &four}, []string{"1", "4"}, []string{"0", "5", "", "x", "1.5", "0x1"}},
		"at least": {Expect{AtLeast: &four}, []string{"4", "99999999"}, []string{"3", "-4", "99999999999999999999"}},
		"at most":  {Expect{AtMost: &one}, []string{"1", "-7"}, []string{"2", ""}},
		"covers":   {Expect{Covers: "027"}, []string{"027", "077", "0027"}, []string{"022", "0", "", "x", "028"}},
		"set":      {Expect{Set: true}, []string{"x"}, []string{"", "  "}},
		"nothing":  {Expect{}, nil, []string{"", "x", "0"}},
	} {
		for _, text := range c.yes {
			if !c.expect.accepts(value{text: text}) {
				t.Errorf("%s: %q is refused", name, text)
			}
		}
		for _, text := range c.no {
			if c.expect.accepts(value{text: text}) {
				t.Errorf("%s: %q is accepted", name, text)
			}
		}
		if c.expect.accepts(value{text: "yes", missing: true}) {
			t.Errorf("%s: what is not set is accepted", name)
		}
	}
	if o := (&Expect{Set: true}).judge(); o.state != wire.ClaimError {
		t.Errorf("nothing was read: %s", o.state)
	}
}

// FuzzRuleFile: no document makes the loader panic, and what it accepts can be
// measured on any machine.
func FuzzRuleFile(f *testing.F) {
	f.Add(ownBaseline + ownRule)
	f.Add(ownBaseline + strings.Replace(ownRule, "sysctl: {keys: [kernel.sysrq]}", "file: {paths: [/etc/*], mode: \"0640\"}", 1))
	f.Add("rules:\n  - in: {A: 1}\n    boot_password: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		var d document
		if yamlfile.Decode("a.yaml", []byte(text), &d) != nil {
			return
		}
		m := Machine{Files: fstest.MapFS{}}.look(t.Context())
		for i := range d.Rules {
			if o := d.Rules[i].measure(m); !o.state.Valid() {
				t.Fatalf("%q", o.state)
			}
		}
	})
}

// TestReportsThatAreTooLarge: what is left out is said nowhere, but each rule's
// state is sent as long as it fits.
func TestReportsThatAreTooLarge(t *testing.T) {
	report := func(id string, rules int) Report {
		r := Report{BaselineReport: wire.BaselineReport{Baseline: id, Version: "1"}}
		for i := range rules {
			state := wire.ClaimPass
			if i%10 == 0 {
				state = wire.ClaimFail
			}
			r.Results = append(r.Results, wire.RuleResult{Rule: fmt.Sprintf("%s-%04d", id, i), State: state, Seen: strings.Repeat("x", wire.MaxSeen)})
		}
		return r
	}
	for name, c := range map[string]struct {
		rules        int
		passes, fail bool
		sent         int
	}{
		"fits":             {150, true, true, 1},
		"passes shortened": {400, false, true, 1},
		"all shortened":    {1000, false, false, 1},
		"nothing is sent":  {1300, false, false, 0},
	} {
		reports := []Report{report("AGENCY-01", c.rules)}
		got := Wire(reports)
		if len(got) != c.sent || sizeOf(t, got) > maxWire {
			t.Errorf("%s: %d reports of %d bytes", name, len(got), sizeOf(t, got))
			continue
		}
		if c.sent == 0 {
			continue
		}
		if seen := got[0].Results; len(seen) != c.rules || (seen[1].Seen != "") != c.passes || (seen[0].Seen != "") != c.fail {
			t.Errorf("%s: %d rules, %+v", name, len(seen), seen[:2])
		}
		if reports[0].Results[1].Seen == "" {
			t.Errorf("%s: the report itself was changed", name)
		}
	}
}

// TestTheDocumentsExample: the rule file in docs/operations.md is loaded.
func TestTheDocumentsExample(t *testing.T) {
	raw, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(raw), "\n## Configuration baselines (GCB)\n")
	_, rest, _ = strings.Cut(rest, "\n```yaml\n")
	example, _, found := strings.Cut(rest, "\n```\n")
	if !found {
		t.Fatal("there is no example")
	}
	set, err := Load(folders(t, map[string]string{"a.yaml": example + "\n"}, nil))
	must(t, err)
	if list := set.List(); len(list) != 1 || list[0].Rules != 2 {
		t.Errorf("%+v", list)
	}
}
