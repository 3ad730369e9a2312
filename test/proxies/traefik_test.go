//go:build traefik

package proxies

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// TestTraefik needs .tools/bin/traefik, which takes minutes to build: `make
// proxies` builds and runs it.
func TestTraefik(t *testing.T) {
	t.Parallel()
	pass(t, proxy{name: "traefik", tidies: true, rewrites: true, pageless: true, hands101: true, clients: time.Minute, except: []string{
		"is closed on an endless header", // it reads up to 10 MB: a true 200, over the PDP's authenticated TLS
	}, start: func(t *testing.T, s site) {
		t.Helper()
		configure(t, shipped("traefik"), s.dir, map[string]string{
			"/etc/menshen/traefik/":         s.dir + "/",
			"/etc/menshen/pdp-ca.pem":       s.ca,
			"/etc/ssl/portal/fullchain.pem": s.certificate,
			"/etc/ssl/portal/key.pem":       s.key,
			"localhost:8445":                "localhost:" + port(s.pdp),
			"127.0.0.1:8080":                s.application,
			`":80"`:                         `"` + s.plain + `"`,
			`":443"`:                        `"` + s.address + `"`,
			"responseHeaderTimeout: 10s":    "responseHeaderTimeout: " + s.patience.String(),
			"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": s.secret,
		})
		run(t, nil, "traefik", "--configFile="+filepath.Join(s.dir, "static.yaml"))
		// It listens before it knows its routers.
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: host}}} // #nosec G402 -- the test's own proxy
		defer client.CloseIdleConnections()
		for range 500 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.address+"/.menshen/assets/x", nil)
			check(t, err)
			r.Host = host
			if answer, err := client.Do(r); err == nil {
				check(t, answer.Body.Close())
				if answer.StatusCode == http.StatusOK {
					return
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatal("Traefik knows no routers")
	}})
}
