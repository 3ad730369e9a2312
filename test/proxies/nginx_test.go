package proxies

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNginx(t *testing.T) {
	t.Parallel()
	pass(t, nginx())
}

// nginx is nginx with what a site has of its own in the server block.
func nginx(own ...string) proxy {
	return proxy{name: "nginx", start: func(t *testing.T, s site) {
		t.Helper()
		configure(t, shipped("nginx"), s.dir, map[string]string{
			"/etc/menshen/nginx/":                             s.dir + "/",
			"/etc/menshen/pdp-ca.pem":                         s.ca,
			"/etc/menshen/unavailable/":                       unavailable(t),
			"/etc/ssl/portal/fullchain.pem":                   s.certificate,
			"/etc/ssl/portal/key.pem":                         s.key,
			"/var/log/nginx/":                                 s.dir + "/",
			"/run/nginx.pid":                                  filepath.Join(s.dir, "nginx.pid"),
			"server 127.0.0.1:8080;":                          "server " + s.application + ";",
			"server 127.0.0.1:8445;":                          "server " + s.pdp + ";",
			"listen 443 ssl":                                  "listen " + s.address + " ssl",
			"listen 80;":                                      "listen " + s.plain + ";",
			"proxy_read_timeout 10s;":                         "proxy_read_timeout " + s.patience.String() + ";",
			"        location / {":                            "client_body_temp_path " + s.dir + "/body;\n" + strings.Join(own, "\n") + "        location / {",
			"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": s.secret,
		})
		run(t, []string{filepath.Join(s.dir, "error.log")}, "nginx", "-p", s.dir, "-e", filepath.Join(s.dir, "error.log"), "-c", filepath.Join(s.dir, "nginx.conf"), "-g", "daemon off; master_process off;")
	}}
}

// A site's own locations do not take over the sign-in's, and its log holds no
// login code, which is in the callback's address.
func TestNginxKeepsTheSignInsAddresses(t *testing.T) {
	t.Parallel()
	g := newGate(t, nginx(`location ~ ^/(\.menshen|x)/ { proxy_pass http://portal_application; }`))
	if got := g.send("GET", "/x/", ""); got.text != "application /x/" || len(g.take()) != 1 {
		t.Fatal("the site's location is not in use:", got.status)
	}
	cookie, _ := g.signedIn("/report")
	if got := g.send("GET", "/.menshen/auth", ""); got.status != http.StatusNotFound {
		t.Error(got.status)
	}
	if got := g.send("GET", "/logged", "", "Cookie", cookie); got.status != http.StatusOK || len(g.reached()) != 1 {
		t.Error("a sign-in's address reached the application:", got.status)
	}
	var logged string // in order, and after the answer
	for range 200 {
		raw, err := os.ReadFile(filepath.Join(g.site.dir, "access.log"))
		check(t, err)
		if logged = string(raw); strings.Contains(logged, "/logged") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !strings.Contains(logged, "/logged") || strings.Contains(logged, "code=") {
		t.Errorf("logged: %s", logged)
	}
}
