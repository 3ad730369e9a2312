//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/internal/wire"
	"github.com/menshen-zt/menshen/test/lab"
)

// settle is how long the agent is left alone after it has attested. idleWatched
// is long enough for the floor, which does nothing.
const (
	settle      = 3 * time.Second
	idleWatched = 15 * time.Second
)

// pdpUser is the PDP's, which no account of the machine has.
const pdpUser = 64010

// laptop is an agent with its TPM and its PDP on one machine.
type laptop struct {
	dir     string
	watched time.Duration // how long its use of the processor is measured
	tpm     *swtpm.TPM
	closers []func() error
}

// measure runs in a network of its own and writes both footprints as JSON.
func measure(ctx context.Context, watched time.Duration) (err error) {
	if err := exec.CommandContext(ctx, "ip", "link", "set", "lo", "up").Run(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	dir, err := os.MkdirTemp("", "menshen-bench-")
	if err != nil {
		return err
	}
	l := &laptop{dir: dir, watched: watched, closers: []func() error{func() error { return os.RemoveAll(dir) }}}
	defer func() { err = errors.Join(err, l.close()) }()
	var both struct{ Agent, Floor footprint }
	if both.Floor, err = idleServer(ctx, dir, min(watched, idleWatched)); err != nil {
		return err
	}
	if err := l.furnish(ctx); err != nil {
		return err
	}
	if both.Agent, err = l.runAgent(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(both)
}

// idleServer is the floor: an HTTP server of this program that nobody asks.
func idleServer(ctx context.Context, dir string, watched time.Duration) (f footprint, err error) {
	began := time.Now()
	c, err := startServer(ctx, "serve-floor", dir)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	f.Start = time.Since(began)
	f.RSS, f.Share, err = inspect(c.cmd.Process.Pid, watched)
	return f, err
}

func (l *laptop) close() error {
	var all error
	for i := len(l.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, l.closers[i]())
	}
	return all
}

func (l *laptop) path(name string) string { return filepath.Join(l.dir, name) }

// furnish builds the binaries as they ship, makes a TPM, and starts a PDP that
// trusts its maker.
func (l *laptop) furnish(ctx context.Context) error {
	build := exec.CommandContext(ctx, "make", "--no-print-directory", "build", "OUT="+l.path("bin")) // #nosec G204 -- a temporary folder
	if _, err := lab.Run(build); err != nil {
		return err
	}
	ca, err := swtpm.NewCA(l.path("tpm-maker"))
	if err != nil {
		return err
	}
	if err := ca.Manufacture(ctx, l.path("tpm")); err != nil {
		return err
	}
	if l.tpm, err = swtpm.Start(ctx, l.path("tpm")); err != nil {
		return err
	}
	l.closers = append(l.closers, l.tpm.Stop)
	return errors.Join(l.configurePDP(ca), l.startPDP(ctx))
}

// configurePDP lays out the folder of a PDP that has a user of its own.
func (l *laptop) configurePDP(ca *swtpm.CA) error {
	if err := os.MkdirAll(l.path("pdp/endorsement-cas"), 0o700); err != nil {
		return err
	}
	for _, from := range []string{ca.Root(), ca.Issuer()} {
		certificate, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(l.path("pdp/endorsement-cas"), filepath.Base(from)), certificate, 0o600); err != nil {
			return err
		}
	}
	web, err := lab.NewWebPKI(l.path("pdp"))
	if err != nil {
		return err
	}
	certificate, key, err := web.Issue("pdp.bench.test")
	if err != nil {
		return err
	}
	err = l.write("pdp/pdp.yaml", map[string]any{
		"data":    l.path("pdp/data"),
		"web":     map[string]any{"listen": "127.0.0.1:8443", "origin": "https://pdp.bench.test", "certificate": certificate, "key": key},
		"agents":  map[string]any{"listen": "127.0.0.1:8444", "names": []string{"127.0.0.1"}},
		"proxies": map[string]any{"listen": "127.0.0.1:8445"},
		"admin":   map[string]any{"socket": l.path("pdp/admin.sock")},
		"attestation": map[string]any{
			"endorsement_cas": l.path("pdp/endorsement-cas"), "supported_os": []string{"debian 12"},
		},
	})
	if err != nil {
		return err
	}
	if err := os.Chmod(l.dir, 0o711); err != nil { // #nosec G302 -- the PDP's user passes through
		return err
	}
	return filepath.WalkDir(l.path("pdp"), func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, pdpUser, pdpUser))
	})
}

// write writes a configuration as JSON, which is YAML.
func (l *laptop) write(name string, config map[string]any) error {
	raw, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(l.path(name), raw, 0o600)
}

func (l *laptop) program(name string, args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(l.path("bin"), name), args...) // #nosec G204 -- this file's own words
}

func (l *laptop) start(name string, cmd *exec.Cmd) (*lab.Process, error) {
	p, err := lab.Start(l.dir, name, cmd)
	if err == nil {
		l.closers = append(l.closers, func() error { p.Kill(); return nil })
	}
	return p, err
}

func (l *laptop) startPDP(ctx context.Context) error {
	if _, err := lab.Run(l.pdp("init", "--agency", "moda", "--agency-zh", "數位發展部", "--agency-en", "Ministry of Digital Affairs",
		"--account", "chen.my", "--name", "陳美玉")); err != nil {
		return err
	}
	pdp, err := l.start("pdp", l.pdp("run"))
	if err != nil {
		return err
	}
	return pdp.Until(ctx, 20*time.Second, func() error { _, err := l.ctl("status"); return err })
}

// pdp is the PDP's program as its own user.
func (l *laptop) pdp(args ...string) *exec.Cmd {
	cmd := l.program("menshen-pdp", append([]string{"--config", l.path("pdp/pdp.yaml")}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: pdpUser, Gid: pdpUser}}
	return cmd
}

func (l *laptop) ctl(args ...string) (string, error) {
	return lab.Run(l.program("menshenctl", append([]string{"--socket", l.path("pdp/admin.sock")}, args...)...))
}

// runAgent enrols the agent, starts it, and reads its footprint once the PDP
// has appraised its Evidence.
func (l *laptop) runAgent(ctx context.Context) (f footprint, err error) {
	config := map[string]any{
		"tpm": l.tpm.Device(), "pdp": "127.0.0.1:8444", "state": l.path("state.json"), "helper": l.path("helper.sock"),
		"control": l.path("agent.sock"), "seat": "none", "allow_root": true,
	}
	if err := l.write("agent.yaml", config); err != nil {
		return f, err
	}
	helper, err := l.start("helper", l.agent("helper"))
	if err != nil {
		return f, err
	}
	if err := helper.Until(ctx, 10*time.Second, func() error { _, err := os.Stat(l.path("helper.sock")); return err }); err != nil {
		return f, err
	}
	if err := l.enrol(); err != nil {
		return f, err
	}
	began := time.Now()
	running, err := l.start("agent", l.agent("run"))
	if err != nil {
		return f, err
	}
	if err := answers(ctx, running); err != nil {
		return f, err
	}
	f.Start = time.Since(began)
	if err := running.Until(ctx, 30*time.Second, l.attested); err != nil {
		return f, err
	}
	time.Sleep(settle)
	if f.RSS, f.Share, err = inspect(running.PID(), l.watched); err != nil {
		return f, err
	}
	binary, err := os.Stat(filepath.Join(l.path("bin"), "menshen-agent"))
	if err != nil {
		return f, err
	}
	f.Binary = binary.Size()
	return f, nil
}

func (l *laptop) agent(verb string, args ...string) *exec.Cmd {
	return l.program("menshen-agent", append([]string{verb, "--config", l.path("agent.yaml")}, args...)...)
}

func (l *laptop) enrol() error {
	out, err := l.ctl("device", "code", "LT-2231", "--agency", "moda", "--json")
	if err != nil {
		return err
	}
	var issued struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal([]byte(out), &issued); err != nil {
		return err
	}
	_, err = lab.Run(l.agent("enrol", issued.Code))
	return err
}

// answers returns once the agent's loopback listener takes connections.
func answers(ctx context.Context, agent *lab.Process) error {
	address := fmt.Sprintf("127.0.0.1:%d", wire.DefaultLoopbackPort)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("the agent does not listen: %w: %s", err, agent.Tail())
		}
	}
}

// attested says whether the agent knows what the PDP thinks of it: `status`
// ends with 2 where it cannot tell (pages.md, 10).
func (l *laptop) attested() error {
	_, err := lab.Run(l.agent("status"))
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 { // something fails, and that is known
		return nil
	}
	return err
}
