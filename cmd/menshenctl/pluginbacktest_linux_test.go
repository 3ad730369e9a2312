package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/pdp/trust/backtest"
	"github.com/menshen-zt/menshen/pdp/trust/backtest/generator"
	"github.com/menshen-zt/menshen/pdp/trust/fusion"
)

// pluginFolder builds the shipped plugins of those names.
func pluginFolder(t testing.TB, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range names {
		build := exec.Command("go", "build", "-o", filepath.Join(folder, name), "github.com/menshen-zt/menshen/plugins/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return folder
}

// backtested runs the command and returns its exit code and both streams.
func backtested(t *testing.T, args ...string) (code int, out, complaint string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = execute(t.Context(), append([]string{"plugin", "backtest"}, args...), func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestBacktestOfTheGenerator(t *testing.T) {
	plugins, folder := pluginFolder(t, "networknovelty", "unusualhours", "requestrate"), t.TempDir()
	candidate, picture := filepath.Join(folder, "weights.yaml"), filepath.Join(folder, "report.svg")
	args := []string{"--generate", "--people", "300", "--sign-ins", "7500", "--plugins", plugins, "--json", "--fit", candidate, "--svg", picture}
	code, first, said := backtested(t, args...)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, said)
	}
	if !strings.Contains(said, "replayed 100 %") {
		t.Errorf("progress: %q", said)
	}
	if _, second, _ := backtested(t, args...); first != second {
		t.Error("the same backtest gave another report")
	}
	var report backtest.Report
	if err := json.Unmarshal([]byte(first), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Plugins) != 3 || report.HeldOut == nil || len(report.HeldOut.Kinds) != 4 {
		t.Fatalf("%+v", report)
	}
	if naive, last := report.HeldOut.Kinds[0].Area, report.HeldOut.Kinds[3].Area; naive < 0.9 || last >= naive {
		t.Errorf("areas: naive %v, very targeted %v", naive, last)
	}
	for _, p := range report.Plugins {
		if p.Missing > 0 || p.Answered == 0 {
			t.Errorf("%+v", p)
		}
	}
	text, err := os.ReadFile(candidate)
	if err != nil {
		t.Fatal(err)
	}
	weights, err := fusion.ParseWeights(candidate, text)
	if err != nil {
		t.Fatal(err)
	}
	if got := (fusing{weights}).Shipped(); got.Clusters["network"] != report.Fitted.Clusters["network"] || got.Calibration["unusualhours"] != report.Fitted.Calibration["unusualhours"] {
		t.Errorf("the file says %+v, the report %+v", got, report.Fitted)
	}
	if drawn, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(drawn, []byte("<svg ")) {
		t.Errorf("%.40s %v", drawn, err)
	}
	code, again, said := backtested(t, "--generate", "--people", "300", "--sign-ins", "7500", "--plugins", plugins, "--weights", candidate, "--lang", "zh-TW")
	if code != exitDone || !strings.Contains(again, "現行權重") {
		t.Errorf("exit %d: %s%s", code, again, said)
	}
}

func TestBacktestOfRecordedObservations(t *testing.T) {
	world, err := generator.New(generator.Config{People: 60, SignIns: 1500, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range world.Events() {
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "observations.jsonl")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, said := backtested(t, "--observations", file, "--plugins", pluginFolder(t, "networknovelty"))
	if code != exitDone || !strings.Contains(out, "very-targeted") {
		t.Errorf("exit %d: %s%s", code, out, said)
	}
}

const rbaSample = `Login Timestamp,User ID,Round-Trip Time [ms],IP Address,Country,Region,City,ASN,User Agent String,Browser Name and Version,OS Name and Version,Device Type,Login Successful,Is Attack IP,Is Account Takeover
2020-02-03 12:43:31,42,54,192.0.2.9,NO,Oslo,Oslo,29695,Agent,Chrome 1,Windows 10,desktop,True,False,False
2020-02-04 12:43:31,42,54,192.0.2.9,NO,Oslo,Oslo,29695,Agent,Chrome 1,Windows 10,desktop,True,False,False
2020-02-05 12:43:31,42,54,192.0.2.9,NO,Oslo,Oslo,29695,Agent,Chrome 1,Windows 10,desktop,True,False,False
2020-02-05 13:43:31,42,54,198.51.100.9,RO,-,-,9050,Agent,Chrome 1,Windows 10,desktop,True,True,True
2020-02-06 12:43:31,42,54,192.0.2.9,NO,Oslo,Oslo,29695,Agent,Chrome 1,Windows 10,desktop,True,False,False
`

func TestBacktestOfTheRBADataSet(t *testing.T) {
	plugins, folder := pluginFolder(t, "networknovelty"), t.TempDir()
	file := filepath.Join(folder, "rba.csv")
	if err := os.WriteFile(file, []byte(rbaSample), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, said := backtested(t, "--rba", file, "--plugins", plugins)
	if code != exitDone || !strings.Contains(out, "takeover") {
		t.Errorf("exit %d: %s%s", code, out, said)
	}
	code, _, said = backtested(t, "--rba", file, "--plugins", plugins, "--fit", filepath.Join(folder, "w.yaml"))
	if code != exitRefused || !strings.Contains(said, reason.BacktestNoFit) {
		t.Errorf("weights from no attack: exit %d: %s", code, said)
	}
}

func TestBacktestRefuses(t *testing.T) {
	folder, plugins := t.TempDir(), pluginFolder(t, "networknovelty")
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	small := []string{"--generate", "--people", "40", "--sign-ins", "400", "--plugins", plugins}
	with := func(more ...string) []string { return append(append([]string(nil), small...), more...) }
	attacked := `{"kind":"sign-in","person":"a","device":"","at":"2026-03-02T01:00:00Z","ip":"","zone_minutes":0,"label":"naive"}` + "\n"
	write("liar/liar", "#!/bin/sh\necho hello\n", 0o700)
	write("empty/README", "no program\n", 0o600)
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing to replay":       {nil, exitUsage, reason.CfgUsage},
		"two things to replay":    {with("--rba", "x"), exitUsage, reason.CfgUsage},
		"no such file":            {[]string{"--observations", filepath.Join(folder, "none"), "--plugins", plugins}, exitRefused, reason.BacktestRead},
		"not observations":        {[]string{"--observations", write("bad", "{\n", 0o600), "--plugins", plugins}, exitRefused, reason.BacktestRead},
		"another table":           {[]string{"--rba", write("other.csv", "a,b\n1,2\n", 0o600), "--plugins", plugins}, exitRefused, reason.BacktestRead},
		"no observation":          {[]string{"--observations", write("none.jsonl", "\n", 0o600), "--plugins", plugins}, exitRefused, reason.BacktestEmpty},
		"only attacks":            {[]string{"--observations", write("attacks.jsonl", attacked, 0o600), "--plugins", plugins}, exitRefused, reason.BacktestEmpty},
		"too few people":          {[]string{"--generate", "--people", "3", "--plugins", plugins}, exitRefused, reason.BacktestNumbers},
		"weights that are none":   {with("--weights", write("w.yaml", "version: \"1\"\n", 0o600)), exitRefused, reason.BacktestWeights},
		"no such weights":         {with("--weights", filepath.Join(folder, "no.yaml")), exitRefused, reason.BacktestWeights},
		"settings that are none":  {with("--settings", write("s.json", "[]", 0o600)), exitRefused, reason.BacktestSettings},
		"a setting without sense": {with("--settings", write("t.json", `{"networknovelty":{"data_base":1}}`, 0o600)), exitRefused, reason.BacktestPlugin},
		"not a plugin":            {with("--plugins", filepath.Join(folder, "liar")), exitRefused, reason.BacktestPlugin},
		"no folder":               {with("--plugins", filepath.Join(folder, "nowhere")), exitRefused, reason.BacktestPlugin},
		"no plugin in it":         {with("--plugins", filepath.Join(folder, "empty")), exitRefused, reason.BacktestNoPlugin},
		"none of that name":       {with("--only", "devicepair"), exitRefused, reason.BacktestNoPlugin},
		"no place for a picture":  {with("--svg", filepath.Join(folder, "nowhere", "x.svg")), exitRefused, reason.BacktestWrite},
		"no place for weights":    {with("--fit", filepath.Join(folder, "nowhere", "x.yaml")), exitRefused, reason.BacktestWrite},
	} {
		code, _, said := backtested(t, tt.args...)
		if code != tt.code || !strings.Contains(said, tt.want) {
			t.Errorf("%s: exit %d, want %d %s: %s", name, code, tt.code, tt.want, said)
		}
	}
}

// BenchmarkBacktestReplay is how fast the past goes through one real plugin
// process: each verdict is a message there and one back, pipelined.
func BenchmarkBacktestReplay(b *testing.B) {
	plugins := pluginFolder(b, "networknovelty")
	world, err := generator.New(generator.Config{People: 200, SignIns: 7000, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	verdicts := 0
	for b.Loop() {
		running, end, err := (&backtesting{plugins: plugins}).start(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		one := 0
		_, err = backtest.Replay(b.Context(), world.Events(), running, func(_, all int) { one = all })
		end()
		if err != nil {
			b.Fatal(err)
		}
		verdicts += one
	}
	b.ReportMetric(float64(verdicts)/b.Elapsed().Seconds(), "verdicts/s")
}
