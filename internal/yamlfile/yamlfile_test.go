package yamlfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

type web struct {
	Origin string   `yaml:"origin"`
	Ports  []int    `yaml:"ports"`
	Wait   Duration `yaml:"wait"`
}

type config struct {
	Name string         `yaml:"name"`
	Web  web            `yaml:"web"`
	Map  map[string]int `yaml:"map"`
}

// Check implements Checker.
func (c *config) Check() []Fault {
	var faults []Fault
	if c.Name == "bad" {
		faults = append(faults, Fault{"$.name", "is bad"})
	}
	if c.Web.Origin == "http" {
		faults = append(faults, Fault{"$.web.origin", "must be https"})
	}
	for i, port := range c.Web.Ports {
		if port == 0 {
			faults = append(faults, Fault{"$.web.ports[" + string(rune('0'+i)) + "]", "is no port"})
		}
	}
	if c.Name == "needs origin" && c.Web.Origin == "" {
		faults = append(faults, Fault{"$.web.origin", "is missing"})
	}
	return faults
}

func load(t testing.TB, doc string, v any) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "menshen.yaml")
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Load(path, v)
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.File != path || !strings.Contains(err.Error(), path)) {
		t.Errorf("the error does not name the file: %v", err)
	}
	return err
}

func TestLoad(t *testing.T) {
	var c config
	err := load(t, "name: 門神 # a comment\nweb:\n  origin: https://pdp\n  ports: [1, 2]\n  wait: 1m30s\nmap: {a: 1}\n", &c)
	want := config{Name: "門神", Web: web{"https://pdp", []int{1, 2}, Duration{90 * time.Second}}, Map: map[string]int{"a": 1}}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestAnEmptyFileLeavesTheDefaults(t *testing.T) {
	for _, doc := range []string{"", "\n", "# only a comment\n", "---\n", "web:\n", "web: {}\n", "web:\n  ports: [1]\n", "name:\n"} {
		c := config{Name: "default", Web: web{Origin: "https://default"}}
		if err := load(t, doc, &c); err != nil || c.Name != "default" || c.Web.Origin != "https://default" {
			t.Errorf("%q: %+v, %v", doc, c, err)
		}
	}
}

// TestWhatIsWrongIsRefusedWithItsLine puts each fault on a line that the error
// must name.
func TestWhatIsWrongIsRefusedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct {
		doc  string
		line string
	}{
		"unknown key":         {"name: a\nlabel: b\n", "2"},
		"unknown key below":   {"name: a\nweb:\n  orign: x\n", "3"},
		"other case":          {"Name: a\n", "1"},
		"doubled key":         {"name: a\nname: b\n", "2"},
		"doubled key below":   {"web:\n  origin: a\n  origin: b\n", "3"},
		"doubled key in map":  {"map:\n  a: 1\n  a: 2\n", "3"},
		"wrong type":          {"name: a\nweb:\n  ports: [1, x]\n", "3"},
		"mapping for text":    {"web:\n  origin: {a: b}\n", "2"},
		"not a duration":      {"name: a\nweb:\n  wait: soon\n", "3"},
		"duration, no unit":   {"name: a\nweb:\n  wait: 30\n", "3"},
		"broken indentation":  {"web:\n  origin: a\n ports: [1]\n", "3"},
		"tab":                 {"web:\n\torigin: a\n", "2"},
		"open quote":          {"name: \"a\nweb:\n", ""},
		"second document":     {"name: a\n---\nname: b\n", ""},
		"a list":              {"- a\n", ""},
		"text":                {"hello\n", ""},
		"checked":             {"web:\n  origin: http\n", "2"},
		"checked in a list":   {"web:\n  ports:\n    - 1\n    - 0\n", "4"},
		"missing below a key": {"name: needs origin\nweb:\n  ports: [1]\n", "[23]"},
	} {
		t.Run(name, func(t *testing.T) {
			err := load(t, c.doc, &config{})
			if err == nil {
				t.Fatal("accepted")
			}
			if c.line == "" {
				return
			}
			if !regexp.MustCompile(`\[` + c.line + `:\d+\]|line ` + c.line + `:`).MatchString(err.Error()) {
				t.Errorf("line %s is not named: %v", c.line, err)
			}
		})
	}
}

func TestEveryFaultIsTold(t *testing.T) {
	err := load(t, "name: bad\nweb:\n  origin: http\n", &config{})
	if err == nil || !strings.Contains(err.Error(), "line 1: name: is bad") || !strings.Contains(err.Error(), "line 3") && !strings.Contains(err.Error(), "web.origin: must be https") {
		t.Fatal(err)
	}
}

func TestAFaultWithoutAnyLine(t *testing.T) {
	err := load(t, "name: needs origin\n", &config{})
	if err == nil || !strings.Contains(err.Error(), "web.origin: is missing") {
		t.Fatal(err)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if err := Load(missing, &config{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := Load(t.TempDir(), &config{}); err == nil {
		t.Error("a folder was read")
	}
}

func TestTheSizeIsBounded(t *testing.T) {
	fits := "name: a\n" + strings.Repeat("#", MaxBytes-len("name: a\n"))
	if err := load(t, fits, &config{}); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	if err := load(t, fits+"#", &config{}); err == nil {
		t.Error("beyond the bound")
	}
}

// TestAnchorsDoNotExplode reads a document that would unfold to a billion words.
func TestAnchorsDoNotExplode(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("name: a\nweb: &a0 {origin: x}\n")
	for i := 1; i < 30; i++ {
		doc.WriteString("x" + string(rune('a'+i%26)) + ": &a" + string(rune('0'+i%10)) + " [*a0, *a0]\n")
	}
	began := time.Now()
	if err := load(t, doc.String(), &config{}); err == nil {
		t.Error("unknown keys were accepted")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// FuzzDecode reads arbitrary documents: no panic, every error names the file,
// and what is accepted is accepted again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "name: a\n", "web:\n  origin: https://pdp\n  ports: [1, 2]\n  wait: 1m\n", "name: a\nname: b\n",
		"a: &x [*x]\n", "web: {origin: http, ports: [0]}\n", "--- \n...\n---\n", "name: !!binary aGk=\n", "? name\n: a\n", "map: {<<: {a: 1}}\n",
		"web:\n  origin: a\n  ports: !0000\n0000000000", // the library panics on this one
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var c, again config
		err := Decode("menshen.yaml", raw, &c)
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || e.File != "menshen.yaml" {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := Decode("menshen.yaml", raw, &again); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%q: %+v, then %+v, %v", raw, c, again, err)
		}
	})
}
