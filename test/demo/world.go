//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/internal/swtpm"
	"github.com/menshen-zt/menshen/test/firmware"
	"github.com/menshen-zt/menshen/test/lab"
)

const (
	pdpHost    = "pdp.menshen.test"
	portalHost = "hr.menshen.test"
	pdpURL     = "https://" + pdpHost
	portalURL  = "https://" + portalHost

	// Users of the demo's programs; none of them exists on the host.
	pdpUID, agentUID, personUID, portalUID = 64010, 64011, 64012, 64013

	interval    = 8 * time.Second
	silentAfter = 4 * time.Second
)

// world is the demo's stage: three places and the programs in them.
type world struct {
	ctx  context.Context
	dir  string // everything that is written, except pictures
	bin  string
	pics string
	net  *lab.Network
	pki  *lab.WebPKI
	ca   *swtpm.CA // who made the laptop's TPM
	tpm  *swtpm.TPM
	pc   firmware.Machine // what boots on it

	pdp, helper, agent, nginx, portal *lab.Process
	browser                           *lab.Browser

	closers []func() error
}

func newWorld(ctx context.Context, bin, pictures string) (w *world, err error) {
	w = &world{ctx: ctx, bin: bin}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "menshen-demo-"); err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() error { return os.RemoveAll(w.dir) })
	if err := os.Chmod(w.dir, 0o755); err != nil { // #nosec G302 -- several users' folders lie below
		return w, err
	}
	if w.pics, err = filepath.Abs(pictures); err != nil {
		return w, err
	}
	if err := os.MkdirAll(w.pics, 0o750); err != nil {
		return w, err
	}
	if err := w.build(); err != nil {
		return w, err
	}
	if w.net, err = lab.NewNetwork(strconv.Itoa(os.Getpid())); err != nil {
		return w, err
	}
	w.closers = append(w.closers, w.net.Close)
	// Ports below 1024 are for unprivileged users too, in this namespace alone.
	if _, err := lab.Run(lab.Where{Place: w.net.Gate}.Command("sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start")); err != nil {
		return w, err
	}
	if err := w.furnish(); err != nil {
		return w, err
	}
	return w, w.manufacture()
}

// build makes the binaries as a release would.
func (w *world) build() error {
	if w.bin != "" {
		abs, err := filepath.Abs(w.bin)
		w.bin = abs
		return err
	}
	fmt.Println("Building the binaries …")
	w.bin = filepath.Join(w.dir, "bin")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", w.bin+"/",
		"./cmd/menshen-agent", "./cmd/menshen-pdp", "./cmd/menshenctl", "./plugins/networknovelty", "./plugins/threatlist", "./examples/portal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	_, err := lab.Run(cmd)
	return err
}

// furnish lays out what an installer and an agency's own CA would have left.
func (w *world) furnish() error {
	for name, uid := range map[string]int{"pdp": pdpUID, "agent": agentUID, "person": personUID, "portal": portalUID, "root": 0} {
		if err := os.Mkdir(w.path(name), 0o700); err != nil {
			return err
		}
		if err := os.Chown(w.path(name), uid, uid); err != nil {
			return err
		}
	}
	hosts := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n%s %s\n", lab.PDPIP, pdpHost, lab.PortalIP, portalHost)
	if err := os.WriteFile(w.path("hosts"), []byte(hosts), 0o644); err != nil { // #nosec G306 -- /etc/hosts is for everybody
		return err
	}
	pki, err := lab.NewWebPKI(w.path("root"))
	if err != nil {
		return err
	}
	w.pki = pki
	if err := pki.TrustIn(w.path("person")); err != nil {
		return err
	}
	cert, key, err := pki.Issue(pdpHost)
	if err != nil {
		return err
	}
	return errors.Join(w.give(cert, "pdp/web.pem", pdpUID), w.give(key, "pdp/web.key", pdpUID))
}

// give moves a file to where its user can read it.
func (w *world) give(from, to string, uid int) error {
	return errors.Join(os.Rename(from, w.path(to)), os.Chown(w.path(to), uid, uid))
}

// manufacture makes the laptop's TPM, with an EK certificate of its maker.
func (w *world) manufacture() (err error) {
	if w.ca, err = swtpm.NewCA(w.path("root", "tpm-maker")); err != nil {
		return err
	}
	if err := w.ca.Manufacture(w.ctx, w.path("agent", "tpm")); err != nil {
		return err
	}
	if w.tpm, err = swtpm.Start(w.ctx, w.path("agent", "tpm")); err != nil {
		return err
	}
	w.closers = append(w.closers, w.tpm.Stop)
	w.pc = firmware.Laptop(laptopName)
	return errors.Join(os.Chmod(w.path("agent", "tpm"), 0o711), w.powerOn(w.pc)) // #nosec G302 -- a way through, no list
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// at says where a program runs; every place knows the lab's host names.
func (w *world) at(p lab.Place, uid int) lab.Where {
	return lab.Where{Place: p, UID: uid, Bind: map[string]string{"/etc/hosts": w.path("hosts")}}
}

func (w *world) start(name string, where lab.Where, argv ...string) (*lab.Process, error) {
	p, err := lab.Start(w.dir, name, where.Command(argv...))
	if err == nil {
		w.closers = append(w.closers, func() error { p.Kill(); return nil })
	}
	return p, err
}

// ctl runs menshenctl on the gate and returns what it printed.
func (w *world) ctl(args ...string) (string, error) {
	argv := append([]string{filepath.Join(w.bin, "menshenctl"), "--socket", w.path("pdp", "admin.sock"), "--lang", "en"}, args...)
	out, err := lab.Run(w.at(w.net.Gate, 0).Command(argv...))
	return strings.TrimSpace(out), err
}

// Close takes the stage down, last part first.
func (w *world) Close() error {
	if w.browser != nil {
		w.browser.Close()
	}
	var all error
	for i := len(w.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, w.closers[i]())
	}
	w.closers = nil
	return all
}

// Explain returns the last lines of every program's log, for a step that failed.
func (w *world) Explain() error {
	var all error
	for _, p := range []*lab.Process{w.pdp, w.helper, w.agent, w.nginx, w.portal} {
		if p != nil {
			all = errors.Join(all, fmt.Errorf("--- %s\n%s", p.Name, p.Tail()))
		}
	}
	return all
}
