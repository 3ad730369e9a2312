package proxies

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestApache(t *testing.T) {
	t.Parallel()
	pass(t, apache())
}

func apache() proxy {
	return proxy{name: "apache", start: func(t *testing.T, s site) {
		t.Helper()
		_, port, _ := strings.Cut(s.pdp, ":")
		configure(t, shipped("apache"), s.dir, map[string]string{
			"/etc/menshen/apache/":          s.dir + "/",
			"/etc/menshen/pdp-ca.pem":       s.ca,
			"/etc/menshen/unavailable/":     unavailable(t),
			"/etc/ssl/portal/fullchain.pem": s.certificate,
			"/etc/ssl/portal/key.pem":       s.key,
			"/var/log/apache2/":             s.dir + "/",
			"/run/apache2":                  s.dir,
			"http://127.0.0.1:8080/":        "http://" + s.application + "/",
			"port = 8445":                   "port = " + port,
			"patience = 10":                 "patience = " + strconv.Itoa(int(s.patience.Seconds())),
			"Listen 443":                    "Listen " + s.address,
			"Listen 80":                     "Listen " + s.plain,
			"*:443":                         s.address,
			"*:80":                          s.plain,
			"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": s.secret,
		})
		readable(t, filepath.Dir(s.dir))
		run(t, []string{filepath.Join(s.dir, "error.log")}, "apache2", "-f", filepath.Join(s.dir, "apache2.conf"), "-DFOREGROUND")
	}}
}

// readable lets a user that Apache becomes read what it reads as that user.
func readable(t *testing.T, dir string) {
	t.Helper()
	check(t, os.Chmod(filepath.Dir(dir), 0o711)) // #nosec G302 -- of this test's own folder
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o755) // #nosec G302 -- of this test's own folder
		}
		return os.Chmod(path, 0o644) // #nosec G302 -- of this test's own folder
	}))
}
