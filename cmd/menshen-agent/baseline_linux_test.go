package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
)

// baselineFor is a baseline for the system that the test runs on, with one rule.
func baselineFor(t *testing.T, want string, key string) string {
	t.Helper()
	raw, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		name, is, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(is, `"`)
	}
	return "baselines:\n  - id: TEST-01\n    version: \"1\"\n    numbers: quoted\n    title: {zh: 測試, en: Test}\n    applies_to: [{id: " + values["ID"] + ", version: \"" + values["VERSION_ID"] + "\"}]\n" +
		"rules:\n  - in: {TEST-01: \"0001\"}\n    title: {zh: 核心, en: The kernel}\n    remedy: {zh: 換核心, en: Take another kernel}\n" +
		"    sysctl: {keys: [" + key + "]}\n    expect: {one_of: [" + want + "]}\n"
}

// TestBaselineCommand measures this very machine: a kernel says what it is.
func TestBaselineCommand(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("rule files belong to root")
	}
	dir := t.TempDir()
	rules, config := filepath.Join(dir, "rules"), filepath.Join(dir, "agent.yaml")
	if err := os.Mkdir(rules, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(config, "helper: "+dir+"/none.sock\nbaselines: {rules: "+rules+", local: "+dir+"/local}\n")
	run := func(args ...string) (int, string, string) {
		var out, complaints bytes.Buffer
		code := execute(t.Context(), append([]string{"--config", config}, args...), strings.NewReader(""), &out, &complaints)
		return code, out.String(), complaints.String()
	}
	file := filepath.Join(rules, "a.yaml")
	for name, c := range map[string]struct {
		rules      string
		code       int
		words      []string
		complaints string
	}{
		"passes":         {baselineFor(t, "Linux", "kernel.ostype"), 0, []string{"✔ pass (1)", "TEST-01-0001 The kernel", "public notes"}, ""},
		"fails":          {baselineFor(t, "Hurd", "kernel.ostype"), 1, []string{"✖ fail (1)", "expected: Hurd", "seen: kernel.ostype = Linux", "→ Take another kernel"}, ""},
		"does not apply": {baselineFor(t, "0", "kernel.no_such_setting"), 0, []string{"– not applicable (1)", "no kernel.no_such_setting"}, ""},
		"for no system":  {strings.Replace(baselineFor(t, "0", "kernel.ostype"), "applies_to: [{id: ", "applies_to: [{id: other-", 1), 1, nil, reason.BaselineNoneApplies},
		"a wrong file":   {baselineFor(t, "0", "kernel.ostype") + "more: 1\n", 78, nil, reason.BaselineRules},
		"an open file":   {baselineFor(t, "0", "kernel.ostype"), 1, nil, reason.BaselineExposed},
	} {
		write(file, c.rules)
		if name == "an open file" {
			if err := os.Chmod(file, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		code, out, complaints := run("baseline", "--lang", "en")
		if code != c.code || !strings.Contains(complaints, c.complaints) {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, complaints)
		}
		for _, words := range c.words {
			if !strings.Contains(out, words) {
				t.Errorf("%s: %q is not in\n%s", name, words, out)
			}
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(file, baselineFor(t, "Hurd", "kernel.ostype"))
	if _, out, _ := run("baseline", "--lang", "zh-TW"); !strings.Contains(out, "✖ 未符合 (1)") || !strings.Contains(out, "換核心") || !strings.Contains(out, "引自公開筆記") {
		t.Errorf("in Chinese:\n%s", out)
	}
	_, out, _ := run("baseline", "--json")
	var reports []reportJSON
	if err := json.Unmarshal([]byte(out), &reports); err != nil || len(reports) != 1 || reports[0].Results[0].State != wire.ClaimFail || reports[0].Rules["TEST-01-0001"].Remedy.ZH != "換核心" {
		t.Errorf("%v: %s", err, out)
	}
	if code, out, _ := run("baseline", "list", "--setting"); code != 0 || !strings.Contains(out, "rules: 1\n") || !strings.Contains(out, "id: TEST-01") {
		t.Errorf("%d %s", code, out)
	}
}
