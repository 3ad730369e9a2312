package proxies

import (
	"net"
	"path/filepath"
	"testing"
)

func TestCaddy(t *testing.T) {
	t.Parallel()
	pass(t, proxy{name: "caddy", start: func(t *testing.T, s site) {
		t.Helper()
		configure(t, shipped("caddy"), s.dir, map[string]string{
			"/etc/menshen/caddy/":                             s.dir + "/",
			"/etc/menshen/unavailable":                        unavailable(t),
			"/etc/menshen/pdp-ca.pem":                         s.ca,
			"/etc/ssl/portal/fullchain.pem":                   s.certificate,
			"/etc/ssl/portal/key.pem":                         s.key,
			"https://127.0.0.1:8445":                          "https://" + s.pdp,
			"127.0.0.1:8080":                                  s.application,
			"http://hr.example.gov.tw":                        "http://hr.example.gov.tw:" + port(s.plain),
			"https://hr.example.gov.tw":                       "https://hr.example.gov.tw:" + port(s.address),
			"https:// {":                                      "https://:" + port(s.address) + " {",
			"response_header_timeout 10s":                     "response_header_timeout " + s.patience.String(),
			"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": s.secret,
		})
		run(t, nil, "env", "XDG_CONFIG_HOME="+s.dir, "XDG_DATA_HOME="+s.dir, program(t, "caddy"), "run", "--adapter", "caddyfile", "--config", filepath.Join(s.dir, "Caddyfile"))
	}})
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
