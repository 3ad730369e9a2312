//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/firmware"
	"github.com/menshen-zt/menshen/test/lab"
)

// Users of the programs; none of them exists on the host.
const pdpUID, agentUID = 64041, 64042

// patience is how long a stage waits for what should come by itself.
const patience = 30 * time.Second

// stage is the real PDP as a process, and the laptops that come to it.
type stage struct {
	t           *testing.T
	dir         string
	os          string // this machine's release, which is every laptop's
	agents      string
	fingerprint string // of the PDP's CA
	ca          *swtpm.CA
	pdp         *lab.Process
}

func newStage(t *testing.T) *stage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the programs' users need root")
	}
	dir, err := os.MkdirTemp("", "menshen-stage")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &stage{t: t, dir: dir, os: osRelease(t)}
	s.must(os.Chmod(dir, 0o755))
	s.folder("pdp", pdpUID, 0o755)
	s.folder("endorsement-cas", 0, 0o755)
	s.folder("rules", 0, 0o755)
	s.write("rules/test.yaml", s.rules())
	s.write("feed.json", s.feed("dpkg"))
	s.ca, err = swtpm.NewCA(s.path("ca"))
	s.must(err)
	return s
}

// open makes the PDP and starts it. It believes the maker of the TPMs, so there
// must be one.
func (s *stage) open() {
	s.t.Helper()
	for _, file := range []string{s.ca.Root(), s.ca.Issuer()} {
		pem, err := os.ReadFile(file)
		s.must(err)
		s.write("endorsement-cas/"+filepath.Base(file), string(pem))
	}
	s.configure()
	out, err := lab.Run(s.as(pdpUID, "menshen-pdp", "--config", s.path("pdp.yaml"), "init",
		"--agency", agency, "--agency-zh", "數位發展部", "--agency-en", "Digital Affairs", "--account", "admin", "--name", "Admin"))
	s.must(err)
	_, after, found := strings.Cut(out, "agents-ca-sha256")
	if !found {
		s.t.Fatalf("init tells no fingerprint: %s", out)
	}
	s.fingerprint = strings.Fields(after)[0]
	s.startPDP()
}

const agency = "moda"

// rules are a baseline for this machine: a kernel says what it is, and no
// Linux is a Hurd.
func (s *stage) rules() string {
	id, version, _ := strings.Cut(s.os, " ")
	return fmt.Sprintf(`baselines:
  - id: TEST-01
    version: "1"
    numbers: quoted
    title: {zh: 測試, en: Test}
    applies_to: [{id: %s, version: "%s"}]
rules:
  - in: {TEST-01: "0001"}
    title: {zh: 核心, en: The kernel}
    remedy: {zh: 換核心, en: Take another kernel}
    sysctl: {keys: [kernel.ostype]}
    expect: {one_of: [Linux]}
  - in: {TEST-01: "0002"}
    title: {zh: 另一個核心, en: The other kernel}
    remedy: {zh: 換核心, en: Take the other kernel}
    sysctl: {keys: [kernel.ostype]}
    expect: {one_of: [Hurd]}
`, id, version)
}

// feed knows one vulnerability, exploited for months, of a package.
func (s *stage) feed(name string) string {
	raw, err := json.Marshal(map[string]any{
		"version": 1, "as_of": time.Now().UTC(),
		"vulnerabilities": []any{map[string]any{
			"cve": "CVE-2020-0001", "cvss": 9.8, "epss": 0.9, "kev": time.Now().AddDate(0, -3, 0).Format(time.DateOnly),
			"affected": []any{map[string]any{"source": "dpkg", "system": s.os, "package": name}},
		}},
	})
	s.must(err)
	return string(raw)
}

// configure writes the PDP's configuration, with what an agent of this machine
// prints for its baselines.
func (s *stage) configure() {
	pki, err := lab.NewWebPKI(s.path("pdp"))
	s.must(err)
	cert, key, err := pki.Issue("pdp.test")
	s.must(err)
	s.must(errors.Join(os.Chown(cert, pdpUID, pdpUID), os.Chown(key, pdpUID, pdpUID)))
	s.write("list.yaml", "baselines: {rules: "+s.path("rules")+", local: "+s.path("none")+"}\n")
	baselines, err := lab.Run(s.as(agentUID, "menshen-agent", "--config", s.path("list.yaml"), "baseline", "list", "--setting"))
	s.must(err)
	s.agents = freeAddress(s.t)
	s.write("pdp.yaml", fmt.Sprintf(`data: %[1]s/pdp/data
web: {listen: "%[2]s", origin: https://pdp.test, certificate: %[3]s, key: %[4]s}
agents: {listen: "%[5]s", names: [127.0.0.1]}
proxies: {listen: "%[6]s", names: [127.0.0.1]}
admin: {socket: %[1]s/pdp/admin.sock}
inventory: {feed: %[1]s/feed.json}
attestation:
  interval: 1s
  endorsement_cas: %[1]s/endorsement-cas
  supported_os: ["%[7]s"]
  required_claims: [os-release, gcb, known-exploited]
  %[8]s`, s.dir, freeAddress(s.t), cert, key, s.agents, freeAddress(s.t), s.os, strings.ReplaceAll(baselines, "\n", "\n  ")))
}

func (s *stage) startPDP() {
	s.t.Helper()
	var err error
	s.pdp, err = lab.Start(s.dir, "pdp", s.as(pdpUID, "menshen-pdp", "--config", s.path("pdp.yaml"), "run"))
	s.must(err)
	s.t.Cleanup(s.pdp.Kill)
	s.must(s.pdp.Until(s.t.Context(), patience, func() error {
		_, err := lab.Run(s.ctl("status"))
		return err
	}))
}

func (s *stage) restartPDP() {
	s.t.Helper()
	s.must(s.pdp.Stop())
	s.startPDP()
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) folder(name string, uid int, mode os.FileMode) {
	s.t.Helper()
	s.must(os.Mkdir(s.path(name), mode))
	s.must(errors.Join(os.Chmod(s.path(name), mode), os.Chown(s.path(name), uid, uid)))
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(s.path(name), []byte(text), 0o644))
}

// as is a program of ours, run by a user.
func (s *stage) as(uid uint32, program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(bin, program), args...)
	c.Dir, c.Env = "/", []string{"LANG=en_US.UTF-8", "PATH=" + os.Getenv("PATH")}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}, Pdeathsig: syscall.SIGKILL}
	return c
}

func (s *stage) ctl(args ...string) *exec.Cmd {
	return s.as(0, "menshenctl", append([]string{"--socket", s.path("pdp/admin.sock"), "--lang", "en"}, args...)...)
}

// admin is a command of an administrator's in the agency that must work.
func (s *stage) admin(args ...string) string {
	s.t.Helper()
	out, err := lab.Run(s.ctl(append(args, "--agency", agency)...))
	s.must(err)
	return out
}

// code is a new enrolment code for a device.
func (s *stage) code(args ...string) string {
	s.t.Helper()
	var issued struct {
		Code string `json:"code"`
	}
	s.must(json.Unmarshal([]byte(s.admin(append([]string{"device", "code", "--json"}, args...)...)), &issued))
	return issued.Code
}

// seen is a device as the PDP knows it.
type seen struct {
	Device   wire.Device         `json:"device"`
	Standing wire.DeviceStanding `json:"standing"`
}

func (d seen) claim(id wire.ClaimID) wire.ClaimState {
	for _, c := range d.Standing.Result.Claims {
		if c.ID == id {
			return c.State
		}
	}
	return ""
}

func (d seen) has(code string) bool {
	for _, f := range d.Standing.Result.Findings {
		if f.Reason.Code == code {
			return true
		}
	}
	return false
}

func (s *stage) device(name string) (d seen) {
	s.t.Helper()
	s.must(json.Unmarshal([]byte(s.admin("device", "show", name, "--json")), &d))
	return d
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// osRelease is this machine's own release as the PDP's configuration writes it.
func osRelease(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"`)
	}
	return values["ID"] + " " + values["VERSION_ID"]
}

// laptop is a machine with a TPM of its own, a helper and an agent.
type laptop struct {
	*stage
	name          string
	chip          *swtpm.TPM
	helper, agent *lab.Process
}

// laptop makes a machine that has not booted yet.
func (s *stage) laptop(name string) *laptop {
	s.t.Helper()
	l := &laptop{stage: s, name: name}
	s.folder(name, 0, 0o755)
	s.folder(name+"/tpm", 0, 0o711)
	s.folder(name+"/state", agentUID, 0o700)
	s.folder(name+"/run", agentUID, 0o755)
	s.must(s.ca.Manufacture(s.t.Context(), l.file("tpm")))
	s.must(os.Chmod(l.file("tpm"), 0o711))
	var err error
	l.chip, err = swtpm.Start(s.t.Context(), l.file("tpm"))
	s.must(err)
	s.t.Cleanup(func() { _ = l.chip.Stop() })
	_, port, err := net.SplitHostPort(freeAddress(s.t))
	s.must(err)
	s.write(name+"/agent.yaml", fmt.Sprintf(`tpm: %[1]s
state: %[2]s/state/state.json
helper: %[2]s/helper/helper.sock
control: %[2]s/run/agent.sock
event_log: %[2]s/eventlog
ima_list: %[2]s/ima
baselines: {rules: %[3]s, local: %[2]s/none}
port: %[4]s
seat: none
log: {level: debug}
`, l.chip.Device(), l.file(""), s.path("rules"), port))
	return l
}

func (l *laptop) file(name string) string { return l.path(filepath.Join(l.name, name)) }

// powerOn boots a machine on the laptop's TPM, and its Linux measures programs.
func (l *laptop) powerOn(m firmware.Machine, programs ...firmware.File) {
	l.t.Helper()
	_, err := firmware.PowerOn(l.t.Context(), l.chip, m, l.file("eventlog"))
	l.must(err)
	l.must(firmware.At(l.chip, func(t transport.TPM) error {
		list, err := firmware.IMA(t, programs...)
		return errors.Join(err, os.WriteFile(l.file("ima"), list, 0o644))
	}))
	l.must(os.Chown(l.chip.Socket(), agentUID, agentUID))
}

func (l *laptop) command(uid uint32, args ...string) *exec.Cmd {
	return l.as(uid, "menshen-agent", append([]string{"--config", l.file("agent.yaml"), "--lang", "en"}, args...)...)
}

func (l *laptop) enrol(args ...string) {
	l.t.Helper()
	_, err := lab.Run(l.command(agentUID, append([]string{"enrol", "--pdp", l.agents}, args...)...))
	l.must(err)
}

// start starts helper and agent; the helper has a packet filter of its own.
func (l *laptop) start() {
	l.t.Helper()
	if l.helper == nil {
		c := l.command(0, "helper")
		c.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
		helper, err := lab.Start(l.file(""), "helper", c)
		l.must(err)
		l.helper = helper
		l.t.Cleanup(helper.Kill)
		l.must(helper.Until(l.t.Context(), patience, func() error { _, err := os.Stat(l.file("helper/helper.sock")); return err }))
	}
	agent, err := lab.Start(l.file(""), "agent", l.command(agentUID, "run"))
	l.must(err)
	l.agent = agent
	l.t.Cleanup(agent.Kill)
}

func (l *laptop) stop() {
	l.t.Helper()
	if err := l.agent.Stop(); err != nil {
		l.t.Fatalf("the agent ended with %v: %s", err, l.agent.Tail())
	}
}

// until waits for what the PDP must come to think of the laptop.
func (l *laptop) until(what string, is func(seen) bool) {
	l.t.Helper()
	l.must(l.agent.Until(l.t.Context(), patience, func() error {
		d := l.device(l.name)
		if is(d) {
			return nil
		}
		return fmt.Errorf("not %s: %+v", what, d.Standing)
	}))
}

// says waits until a command of the agent's ends so and says so.
func (l *laptop) says(code int, words string, args ...string) {
	l.t.Helper()
	l.must(l.agent.Until(l.t.Context(), patience, func() error {
		c := l.command(agentUID, args...)
		out, err := c.CombinedOutput()
		if c.ProcessState == nil {
			return err
		}
		if got := c.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), words) {
			return fmt.Errorf("%v: exit code %d, want %d and %q in: %s", args, got, code, words, out)
		}
		return nil
	}))
}
