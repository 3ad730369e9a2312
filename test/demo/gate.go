//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/test/lab"
)

const proxiesPort = "127.0.0.1:8445"

// startPDP makes the PDP's keys and first administrator, and runs it as a user
// of its own.
func (w *world) startPDP(ctx context.Context, _ *narrator, tell tell) error {
	if err := w.configurePDP(); err != nil {
		return err
	}
	out, err := lab.Run(w.at(w.net.Gate, pdpUID).Command(w.pdpCommand("init",
		"--agency", "moda", "--agency-zh", "數位發展部", "--agency-en", "Ministry of Digital Affairs",
		"--account", "chen.my", "--name", "陳美玉")...))
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "agents-ca-sha256") {
			tell("private CA made, its fingerprint goes into every enrolment code: %.16s…", strings.Fields(line)[1])
		}
	}
	if err := w.runPDP(ctx); err != nil {
		return err
	}
	status, err := w.ctl("status")
	if err != nil {
		return err
	}
	tell("%s", strings.Join(strings.Fields(strings.SplitN(status, "\n", 2)[0]), " "))
	return nil
}

func (w *world) pdpCommand(args ...string) []string {
	return append([]string{filepath.Join(w.bin, "menshen-pdp"), "--config", w.path("pdp", "pdp.yaml")}, args...)
}

func (w *world) configurePDP() error {
	var sums []string
	for _, plugin := range [...]string{"networknovelty", "threatlist"} {
		sum, err := digest(filepath.Join(w.bin, plugin))
		if err != nil {
			return err
		}
		sums = append(sums, sum)
	}
	release, err := osRelease()
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`data: %[1]s/data
web:
  listen: "%[2]s:443"
  origin: %[3]s
  certificate: %[1]s/web.pem
  key: %[1]s/web.key
agents:
  listen: "%[2]s:8444"
  names: [%[4]s]
proxies:
  listen: "%[5]s"
  names: [127.0.0.1, localhost]
admin:
  socket: %[1]s/admin.sock
attestation:
  interval: %[6]v
  silent_after: %[7]v
  endorsement_cas: %[1]s/endorsement-cas
  supported_os: ["%[8]s"]
policy:
  folder: %[1]s/policy
webauthn:
  permit_test_authenticators: true
trust:
  refresh: 2s
plugins:
  folder: %[9]s
  run:
    - name: networknovelty
      cluster: network
      sha256: %[10]s
    - name: threatlist
      cluster: network
      sha256: %[11]s
      read: [%[1]s/lists]
      settings: {networks: [%[1]s/lists/networks.txt], every: 1s}
log:
  level: debug
`, w.path("pdp"), lab.PDPIP, pdpURL, pdpHost, proxiesPort, interval, silentAfter, release, w.bin, sums[0], sums[1])
	if err := os.WriteFile(w.path("pdp", "pdp.yaml"), []byte(config), 0o644); err != nil { // #nosec G306 -- no secrets
		return err
	}
	return errors.Join(w.writePolicy(), w.threats(), w.endorse())
}

// endorse makes the laptop's TPM, whose maker the PDP trusts from now on.
func (w *world) endorse() error {
	folder := w.path("pdp", "endorsement-cas")
	if err := os.Mkdir(folder, 0o755); err != nil { // #nosec G301 -- public certificates
		return err
	}
	for _, from := range []string{w.ca.Root(), w.ca.Issuer()} {
		pem, err := os.ReadFile(from) // #nosec G304 -- the lab's own CA
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(from)), pem, 0o644); err != nil { // #nosec G306 -- public certificates
			return err
		}
	}
	return nil
}

// runPDP starts the PDP and waits until it says that it can decide.
func (w *world) runPDP(ctx context.Context) (err error) {
	if w.pdp, err = w.start("pdp", w.at(w.net.Gate, pdpUID), w.pdpCommand("run")...); err != nil {
		return err
	}
	return w.pdp.Until(ctx, 20*time.Second, func() error {
		_, err := w.ctl("status")
		return err
	})
}

// openPortal creates person and portal, and starts application and proxy.
func (w *world) openPortal(ctx context.Context, _ *narrator, tell tell) error {
	if _, err := w.ctl("person", "create", "wang.xm", "--agency", "moda", "--name", "王小明"); err != nil {
		return err
	}
	out, err := w.ctl("portal", "create", portalURL, "--agency", "moda", "--name-zh", "人事資料系統",
		"--name-en", "Personnel records", "--sensitivity", "normal", "--json")
	if err != nil {
		return err
	}
	var portal struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal([]byte(out), &portal); err != nil || portal.Secret == "" {
		return fmt.Errorf("portal create printed no secret: %w", errors.Join(errMissing, err))
	}
	tell("王小明 (wang.xm) and the portal %s are known; the proxy got its secret", portalURL)
	if err := w.startApplication(ctx); err != nil {
		return err
	}
	if err := w.startNginx(ctx, portal.Secret); err != nil {
		return err
	}
	closed, err := w.from(w.net.Laptop, request{Method: "GET", URL: portalURL + "/", Accept: "text/html"})
	if err != nil {
		return err
	}
	if closed.Status != 303 || !strings.HasPrefix(closed.Location, pdpURL+"/sign-in?h=") {
		return fmt.Errorf("a stranger got %d %s", closed.Status, closed.Location)
	}
	tell("a request without a session: %d to %.60s", closed.Status, closed.Location)
	return nil
}

func (w *world) startApplication(ctx context.Context) (err error) {
	if err := copyFile(w.pki.CAFile(), w.path("portal", "web-ca.pem"), portalUID); err != nil {
		return err
	}
	if w.portal, err = w.start("portal", w.at(w.net.Gate, portalUID), filepath.Join(w.bin, "portal"),
		"-listen", "127.0.0.1:8080", "-issuer", pdpURL+"/a/moda", "-origin", portalURL,
		"-ca", w.path("portal", "web-ca.pem")); err != nil {
		return err
	}
	return w.portal.Until(ctx, 10*time.Second, func() error { return w.reachable("127.0.0.1:8080") })
}

// startNginx lays the shipped configuration out with this lab's addresses.
func (w *world) startNginx(ctx context.Context, secret string) error {
	ca, err := lab.Run(w.at(w.net.Gate, pdpUID).Command(w.pdpCommand("ca")...))
	if err != nil {
		return err
	}
	cert, key, err := w.pki.Issue(portalHost)
	if err != nil {
		return err
	}
	root := w.path("nginx")
	for _, part := range []string{"nginx", "unavailable"} {
		if err := os.CopyFS(filepath.Join(root, part), os.DirFS(filepath.Join("installer/proxies", part))); err != nil {
			return err
		}
	}
	secrets := fmt.Sprintf("map $server_name $menshen_portal_secret {\n    default \"\";\n    %s %q;\n}\n", portalHost, secret)
	for name, text := range map[string]string{
		"pdp-ca.pem":        ca,
		"nginx/secret.conf": secrets,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := relocate(root, map[string]string{
		"/etc/menshen":                  root,
		"listen 443":                    "listen " + lab.PortalIP + ":443",
		"listen 80;":                    "listen " + lab.PortalIP + ":80;",
		"hr.example.gov.tw":             portalHost,
		"/etc/ssl/portal/fullchain.pem": cert,
		"/etc/ssl/portal/key.pem":       key,
		"/run/nginx.pid":                filepath.Join(root, "nginx.pid"),
		"/var/log/nginx":                root,
	}); err != nil {
		return err
	}
	if w.nginx, err = w.start("nginx", w.at(w.net.Gate, 0), "nginx", "-c", filepath.Join(root, "nginx/nginx.conf"),
		"-p", root, "-e", filepath.Join(root, "error.log"), "-g", "daemon off;"); err != nil {
		return err
	}
	return w.nginx.Until(ctx, 10*time.Second, func() error { return w.reachable(lab.PortalIP + ":443") })
}

// relocate replaces the shipped configuration's paths and names in every file
// below root.
func relocate(root string, names map[string]string) error {
	var pairs []string
	for from, to := range names {
		pairs = append(pairs, from, to)
	}
	replacer := strings.NewReplacer(pairs...)
	return filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".conf") {
			return err
		}
		raw, err := os.ReadFile(path) // #nosec G304 G122 -- the demo's own folder
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(replacer.Replace(string(raw))), 0o600) // #nosec G703 -- the demo's own folder
	})
}

// reachable reports whether something listens at address on the gate.
func (w *world) reachable(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	_, err = lab.Run(w.at(w.net.Gate, 0).Command("bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%s", host, port)))
	return err
}
