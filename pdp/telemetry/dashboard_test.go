package telemetry_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/menshen-zt/menshen/internal/wire"
)

const shipped = "../../installer/operations"

var (
	metricName = regexp.MustCompile(`\b(?:menshen|process|go)_[a-z_]+`)
	selector   = regexp.MustCompile(`\b(menshen_[a-z_]+)\{([^}]*)\}`)
	labelName  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
)

// exposed is every series' name with its labels, once everything has happened.
func exposed(t *testing.T) (names map[string]bool, labels map[string]map[string]bool) {
	t.Helper()
	m := newMetrics(time.Now)
	m.Access(wire.AccessGranted, true, 0)
	m.Decision(new(wire.Decision), 0)
	m.Verdicts([]wire.Verdict{{Plugin: "networknovelty"}}, 0)
	m.Appending()(nil)
	names, labels = map[string]bool{}, map[string]map[string]bool{}
	for line := range strings.Lines(scrape(t, m)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "#" {
			continue
		}
		name, inside, _ := strings.Cut(name+" "+rest, "{")
		name, _, _ = strings.Cut(name, " ")
		names[name] = true
		if labels[name] == nil {
			labels[name] = map[string]bool{"instance": true} // Prometheus' own
		}
		for _, l := range labelName.FindAllStringSubmatch(inside, -1) {
			labels[name][l[1]] = true
		}
	}
	return names, labels
}

// holds reports what a query asks for that the PDP does not tell.
func holds(t *testing.T, query string, names map[string]bool, labels map[string]map[string]bool) {
	t.Helper()
	found := metricName.FindAllString(query, -1)
	if len(found) == 0 {
		t.Errorf("asks for nothing: %s", query)
	}
	for _, name := range found {
		if !names[name] {
			t.Errorf("no metric %s: %s", name, query)
		}
	}
	for _, s := range selector.FindAllStringSubmatch(query, -1) {
		for _, l := range labelName.FindAllStringSubmatch(s[2], -1) {
			if !labels[s[1]][l[1]] {
				t.Errorf("%s has no label %s: %s", s[1], l[1], query)
			}
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(shipped, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestTheDashboardShowsWhatThePDPTells(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read(t, "grafana-dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	names, labels := exposed(t)
	shown := ""
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, q := range p.Targets {
			holds(t, q.Expr, names, labels)
			shown += q.Expr
		}
	}
	for name := range names {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "menshen_") && name != "menshen_build_info" && name != "menshen_policies" && !strings.Contains(shown, base) {
			t.Errorf("%s is on no panel", name)
		}
	}
}

func TestTheAlertsAskForWhatThePDPTells(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Expr        string
				Annotations struct{ Summary, Action string }
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "prometheus-alerts.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	names, labels := exposed(t)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			holds(t, r.Expr, names, labels)
			if r.Alert == "" || r.Annotations.Summary == "" || r.Annotations.Action == "" {
				t.Errorf("%s says too little", r.Alert)
			}
		}
	}
}
