package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/menshen-zt/menshen/internal/reason"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/pdp/admin"
	"github.com/menshen-zt/menshen/pdp/admin/client"
	"github.com/menshen-zt/menshen/pdp/appeal"
	"github.com/menshen-zt/menshen/pdp/audit"
	"github.com/menshen-zt/menshen/pdp/directory"
	"github.com/menshen-zt/menshen/pdp/exception"
	"github.com/menshen-zt/menshen/pdp/policyset"
	"github.com/menshen-zt/menshen/pdp/reference"
	"github.com/menshen-zt/menshen/pdp/store"
	"github.com/menshen-zt/menshen/pdp/store/bolt"
)

// others stands for the parts of the PDP that have no place in these tests.
type others struct {
	sick         bool
	withdrawn    string
	repairs      repairs
	applications applicationStore
}

func (o *others) Withdraw(agency string) error { o.withdrawn = agency; return nil }

func (*others) IssueCode(context.Context, string, string, string, time.Duration) (string, error) {
	return "menshen1.code", nil
}

func (*others) IssueReplacement(context.Context, string, string, string, time.Duration) (string, error) {
	return "menshen1.replacement", nil
}

func (*others) IssueCodes(_ context.Context, _, _ string, _ time.Duration, csv []byte) ([]wire.IssuedCode, error) {
	if !strings.HasPrefix(string(csv), "device_name\n") {
		return nil, store.ErrNotFound
	}
	return []wire.IssuedCode{{DeviceName: "LT-7", Code: "menshen1.seven"}, {DeviceName: "LT-8", Code: "menshen1.eight"}}, nil
}

func (*others) ImportExpected(_ context.Context, agency, name, by string, csv []byte) (wire.ExpectedList, int, error) {
	return wire.ExpectedList{ID: listID, Agency: agency, Name: name, ImportedBy: by, Devices: strings.Count(string(csv), "\n") - 1}, 1, nil
}

const listID = "exp-00000000000000000000000004"

func (*others) ExpectedLists(_ context.Context, agency string) ([]wire.ExpectedList, error) {
	return []wire.ExpectedList{{ID: listID, Agency: agency, Name: "delivery", Devices: 40, Arrived: 17}}, nil
}

func (*others) ExpectedDevices(_ context.Context, _, list string) ([]wire.ExpectedDevice, error) {
	return []wire.ExpectedDevice{{EK: "abcd", DeviceName: "LT-9", Group: "pilot", Device: "dev-9"}}, nil
}

func (*others) RemoveExpected(_ context.Context, _, list string) error {
	if list != listID {
		return store.ErrNotFound
	}
	return nil
}

func (*others) NewLink(context.Context, string, time.Duration) (string, error) {
	return "https://pdp.example/register#secret", nil
}

func (*others) Standing(id string) wire.DeviceStanding {
	return wire.DeviceStanding{DeviceID: id, Standing: wire.StandingFresh, Result: wire.AttestationResult{
		Claims:   []wire.Claim{{ID: wire.ClaimFirewall, State: wire.ClaimFail, Source: "nftables"}},
		Findings: []wire.Finding{{Type: wire.FindingFailing, Reason: reason.New(reason.DeviceRetired)}},
	}}
}

const sessionID = "ses-00000000000000000000000004"

func (*others) Sessions(string) []client.Session {
	return []client.Session{{ID: sessionID, Person: "per-1", Portal: "por-1", Device: "dev-1"}}
}

func (*others) Revoke(context.Context, string) error { return nil }

func (*others) RevokePerson(context.Context, string) (int, error) { return 3, nil }

func (*others) Decision(_ context.Context, id string) ([]client.Record, error) {
	return []client.Record{client.RecordOf(7, wire.AuditRecord{Kind: wire.AuditDecision, Decision: id, Detail: []byte(`{"effect":"deny"}`)})}, nil
}

func (*others) Policy(context.Context) (client.Policy, error) {
	return client.Policy{Version: "v1", Files: map[string]string{"a.cedar": "permit(principal,action,resource);\n"}}, nil
}

func (*others) CheckPolicy(_ context.Context, files map[string]string) client.PolicyChecked {
	if strings.Contains(files["a.cedar"], "permit") {
		return client.PolicyChecked{Version: "v2"}
	}
	return client.PolicyChecked{Problem: "a.cedar:1: unexpected"}
}

func (o *others) status(context.Context) client.Status {
	s := client.Status{
		Version: "9.9", Healthy: !o.sick, Devices: map[wire.Standing]int{wire.StandingFresh: 2},
		Counters: map[string]uint64{"strangers": 4},
	}
	if o.sick {
		s.Problems = []wire.Reason{reason.New(reason.AuditClosed)}
	}
	return s
}

func (*others) Software(context.Context, wire.Device) (client.Software, error) {
	return client.Software{
		Inventory: wire.Inventory{System: "debian", Release: "12", Software: []wire.Software{{Source: wire.SoftwareDpkg, Name: "openssl", Version: "3.0.15-1"}}},
		Vulnerabilities: &wire.Vulnerabilities{
			FeedAsOf: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Covered: true, Known: 4, Critical: 2, ExploitedCount: 1,
			Exploited: []wire.Vulnerability{{CVE: "CVE-2026-0001", Software: "openssl", Version: "3.0.15-1", CVSS: 9.8, EPSS: 0.9}},
		},
	}, nil
}

func (*others) Export(_ context.Context, agency string, _ func(string) bool) (client.SoftwareExport, error) {
	return client.SoftwareExport{Agency: agency, Devices: 2, Assets: []client.Asset{
		{Vendor: "openssl", Product: "openssl", Version: "3.0.15", CPE: "cpe:2.3:a:openssl:openssl:3.0.15:*:*:*:*:*:*:*", Devices: 2},
		{Vendor: "=cmd", Product: "calc\x1b", Version: "1", CPE: "cpe:2.3:a:\\=cmd:calc:1:*:*:*:*:*:*:*", Guessed: true, Devices: 1},
	}}, nil
}

func (*others) Append(context.Context, wire.AuditRecord) (uint64, error) { return 1, nil }

// mover is the directory's transfer as the PDP wires it.
type mover struct{ dir *directory.Directory }

func (m mover) TransferDevice(ctx context.Context, id string, to client.Transfer) (wire.Device, error) {
	return m.dir.TransferDevice(ctx, directory.Transfer{ID: id, Agency: to.Agency, Name: to.Name, Why: to.Reason})
}

// console is a terminal on the PDP's machine.
type console struct {
	t         *testing.T
	socket    string
	others    *others
	signals   signals
	lang      string
	typed     string // what the person types
	keeper    *reference.Keeper
	sets      *policyset.Keeper
	dir       *directory.Directory
	appeals   *appeal.Keeper
	inference *inference
}

func newConsole(t *testing.T) *console {
	t.Helper()
	dir := t.TempDir()
	s, err := bolt.Open(filepath.Join(dir, "store"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c := &console{t: t, socket: filepath.Join(dir, "admin.sock"), others: &others{}, lang: "en"}
	d := directory.New(s, time.Now, rand.Reader)
	c.keeper = newKeeper(t, s, d)
	exceptions, err := exception.New(t.Context(), exception.Config{Store: s, Clock: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c.sets, c.appeals, c.inference = newPolicySets(t, s), newAppeals(t, s), newInference(t, s)
	a, err := admin.New(admin.Config{
		Directory: d, Transfers: mover{d}, Codes: c.others, Expected: c.others, Links: c.others, Standings: c.others, Repairs: &c.others.repairs, Sessions: c.others,
		Decisions: c.others, Policies: c.others, PolicySets: c.sets, References: c.keeper, Exceptions: exceptions, Appeals: c.appeals, Plugins: pluginHost{}, Trust: c.inference, SigningKeys: c.others, Baselines: c.others, Inventories: c.others, Receivers: &c.signals, Sources: &c.signals, Applications: &c.others.applications, Status: c.others.status, Recorder: c.others, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := admin.Listen(c.socket, false)
	if err != nil {
		t.Fatal(err)
	}
	server := a.Server()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	c.dir = d
	c.fill(d)
	return c
}

// fill adds what only enrolment makes.
func (c *console) fill(d *directory.Directory) {
	c.t.Helper()
	if _, err := d.CreateAgency(c.t.Context(), wire.Agency{ID: "nstc", NameZH: "國科會", NameEN: "Science Council"}); err != nil {
		c.t.Fatal(err)
	}
	dev := wire.Device{
		ID: "dev-00000000000000000000000004", Agency: "nstc", Name: "LT-1", Status: wire.DevicePending, Provenance: wire.ProvenanceTPMUnendorsed,
		EKDigest: bytes.Repeat([]byte{0xab}, 32), AK: []byte{1}, SigningKey: []byte{1}, TLSSPKI: make([]byte, 32),
	}
	if err := d.AddDevice(c.t.Context(), dev, "", nil, []store.Op{}); err != nil {
		c.t.Fatal(err)
	}
}

// run runs one command line and returns what it printed.
func (c *console) run(wantExit int, args ...string) (out, complaint string) {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	env := func(name string) string { return map[string]string{"LANG": c.lang}[name] }
	exit := execute(c.t.Context(), append([]string{"--socket", c.socket}, args...), env, strings.NewReader(c.typed), &stdout, &stderr)
	if exit != wantExit {
		c.t.Errorf("%v: exit %d, want %d\n%s%s", args, exit, wantExit, stdout.String(), stderr.String())
	}
	if (wantExit == 0) != (stderr.Len() == 0) {
		c.t.Errorf("%v: exit %d and stderr %q", args, exit, stderr.String())
	}
	return stdout.String(), stderr.String()
}

func holds(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestADay(t *testing.T) {
	c := newConsole(t)
	out, _ := c.run(0, "agency", "create", "moda", "--name-zh", "數位發展部", "--name-en", "Digital Affairs")
	holds(t, out, "moda")
	out, _ = c.run(0, "agency", "list")
	holds(t, out, "moda  數位發展部    Digital Affairs\n", "nstc  國科會        Science Council\n") // columns stand under each other
	out, _ = c.run(0, "person", "create", "wang.xm", "--agency", "moda", "--name", "王小明", "--group", "hr", "--group", "all")
	holds(t, out, "王小明", "per-")
	out, _ = c.run(0, "person", "list", "--agency", "moda")
	holds(t, out, "wang.xm", "王小明", "hr,all", "active")
	out, _ = c.run(0, "person", "disable", "wang.xm", "--agency", "moda")
	holds(t, out, "disabled")
	out, _ = c.run(0, "person", "show", "wang.xm", "--agency", "moda")
	holds(t, out, "disabled", "moda")
	out, _ = c.run(0, "person", "enable", "wang.xm", "--agency", "moda")
	holds(t, out, "active")
	out, _ = c.run(0, "person", "link", "wang.xm", "--agency", "moda")
	holds(t, out, "https://pdp.example/register#secret\n")
	out, _ = c.run(0, "portal", "create", "https://hr.example", "--agency", "moda", "--name-zh", "人事", "--name-en", "HR", "--sensitivity", "normal")
	holds(t, out, "Secret", "not shown again")
	out, _ = c.run(0, "portal", "list", "--agency", "moda")
	holds(t, out, "https://hr.example", "normal")
	out, _ = c.run(0, "device", "code", "LT-9", "--agency", "moda", "--life", "1h")
	holds(t, out, "menshen1.code\n")
	out, _ = c.run(0, "device", "list", "--agency", "nstc")
	holds(t, out, "LT-1", "waits for approval", "TPM without certificate", "fresh")
	out, _ = c.run(0, "device", "show", "LT-1", "--agency", "nstc")
	holds(t, out, strings.Repeat("ab", 32), "✖ fail", reason.DeviceRetired)
	out, _ = c.run(0, "device", "approve", "LT-1", "--agency", "nstc")
	holds(t, out, "active")
	out, _ = c.run(0, "device", "retire", "dev-00000000000000000000000004")
	holds(t, out, "retired")
	out, _ = c.run(0, "session", "list", "--person", "wang.xm", "--agency", "moda")
	holds(t, out, sessionID)
	out, _ = c.run(0, "session", "revoke", sessionID)
	holds(t, out, "1")
	out, _ = c.run(0, "session", "revoke", "--person", "wang.xm", "--agency", "moda")
	holds(t, out, "3")
	out, _ = c.run(0, "decision", "show", "dec-00000000000000000000000004")
	holds(t, out, `"effect": "deny"`, "7")
	out, _ = c.run(0, "policy", "show")
	holds(t, out, "v1", "permit(")
	out, _ = c.run(0, "status")
	holds(t, out, "✔ decides", "fresh: 2", "strangers: 4")
}

func TestReadsPrintJSON(t *testing.T) {
	c := newConsole(t)
	for _, args := range [][]string{
		{"agency", "list"}, {"person", "list", "--agency", "nstc"}, {"portal", "list", "--agency", "nstc"}, {"device", "list", "--agency", "nstc"},
		{"device", "show", "LT-1", "--agency", "nstc"}, {"session", "list"}, {"decision", "show", "dec-00000000000000000000000004"}, {"policy", "show"}, {"status"},
	} {
		out, _ := c.run(0, append(args, "--json")...)
		if !json.Valid([]byte(out)) || strings.HasPrefix(out, "null") {
			t.Errorf("%v: %s", args, out)
		}
	}
}

func TestErrorsSayWhatAndWhatToDo(t *testing.T) {
	c := newConsole(t)
	_, told := c.run(exitRefused, "person", "show", "nobody", "--agency", "nstc")
	holds(t, told, "ZT-CFG-020", "nobody", "→")
	c.lang = "zh_TW.UTF-8"
	_, told = c.run(exitRefused, "person", "show", "nobody", "--agency", "nstc")
	holds(t, told, "查無資料", "→")
	_, told = c.run(exitRefused, "--lang", "en", "agency", "create", "M", "--name-zh", "a", "--name-en", "b")
	holds(t, told, "ZT-CFG-010", "Agency id")
	_, told = c.run(exitUsage, "agency", "list", "more")
	holds(t, told, "ZT-CFG-034")
	for _, args := range [][]string{
		{"nothing"}, {"agency"}, {"agency", "lits"}, {"person", "list"}, {"agency", "list", "--colour"}, {"session", "revoke"},
		{"session", "revoke", "x", "--person", "y"}, {"device", "code", "x", "--agency", "nstc", "--life", "soon"}, {"policy", "validate", t.TempDir()},
	} {
		c.run(exitUsage, args...)
	}
	c.socket = filepath.Join(t.TempDir(), "none.sock")
	c.lang = "C"
	_, told = c.run(exitUnknown, "status")
	holds(t, told, "ZT-CFG-030", "none.sock", "menshen-pdp")
}

func TestASickPDPFailsTheStatus(t *testing.T) {
	c := newConsole(t)
	c.others.sick = true
	out, told := c.run(exitRefused, "status")
	holds(t, out, "✖ denies everything")
	holds(t, told, reason.AuditClosed)
}

func TestPolicyValidate(t *testing.T) {
	c := newConsole(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "a.cedar")
	if err := os.WriteFile(file, []byte("permit(principal,action,resource);"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := c.run(0, "policy", "validate", dir)
	holds(t, out, "v2")
	if err := os.WriteFile(file, []byte("prmit"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, told := c.run(exitRefused, "policy", "validate", dir)
	holds(t, told, reason.CfgPolicy, "a.cedar:1")
}

func TestAuditVerify(t *testing.T) {
	c := newConsole(t)
	dir := filepath.Join(t.TempDir(), "audit")
	log, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := log.Append(t.Context(), wire.AuditRecord{Kind: wire.AuditSystem, At: time.Now(), Agency: "moda"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	c.socket = "/nowhere" // no PDP is needed
	out, _ := c.run(0, "audit", "verify", dir)
	holds(t, out, "✔ intact", "Records")
	out, _ = c.run(0, "audit", "verify", dir, "--json")
	if !json.Valid([]byte(out)) {
		t.Error(out)
	}

	segments, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	tampered := false
	for _, name := range segments {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if changed := bytes.Replace(raw, []byte(`"moda"`), []byte(`"modb"`), 1); !bytes.Equal(raw, changed) {
			tampered = true
			if err := os.WriteFile(name, changed, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !tampered {
		t.Fatal("nothing to tamper with")
	}
	_, told := c.run(exitRefused, "audit", "verify", dir)
	holds(t, told, "→")
	_, told = c.run(exitUnknown, "audit", "verify", filepath.Join(t.TempDir(), "none"))
	holds(t, told, reason.CfgAuditUnread)
}

func TestTablesKeepTerminalsSafe(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out, env: func(string) string { return "" }}
	a.table([]string{"A", "B"}, [][]string{{"x\x1b[2J\u202e", "y\nz"}})
	if strings.ContainsAny(out.String(), "\x1b\u202e") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%q", out.String())
	}
	if cells("王a") != 3 || cells("e\u0301") != 1 {
		t.Error("columns are miscounted")
	}
}

func TestCompletion(t *testing.T) {
	c := newConsole(t)
	var stdout, stderr bytes.Buffer
	execute(t.Context(), []string{cobra.ShellCompRequestCmd, "--socket", c.socket, "person", "list", "--agency", ""}, os.Getenv, strings.NewReader(""), &stdout, &stderr)
	holds(t, stdout.String(), "nstc\tScience Council")
	out, _ := c.run(0, "completion", "bash")
	holds(t, out, "menshenctl")
}

// Every Chinese wording stands beside an English one in the source, so that no
// language is left behind.
func TestEveryWordingHasTwoLanguages(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	han := regexp.MustCompile(`\p{Han}`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(raw), "\n") {
			if han.MatchString(line) && !strings.Contains(line, "a.say(") {
				t.Errorf("%s:%d: %s", file, i+1, strings.TrimSpace(line))
			}
		}
	}
}

func TestEveryCommandSaysWhatItDoes(t *testing.T) {
	a := &app{env: os.Getenv}
	var nouns []string
	for _, noun := range a.command().Commands() {
		nouns = append(nouns, noun.Name())
		for _, verb := range append(noun.Commands(), noun) {
			if verb.Short == "" {
				t.Errorf("%s says nothing", verb.CommandPath())
			}
		}
	}
	want := []string{"agency", "appeal", "application", "audit", "decision", "device", "exception", "expected", "key", "person", "plugin", "policy", "portal", "reference", "session", "signal", "software", "status", "trust"}
	if slices.Sort(nouns); !slices.Equal(nouns, want) {
		t.Errorf("nouns %v", nouns)
	}
}
