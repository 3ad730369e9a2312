package proxies

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestHAProxy(t *testing.T) {
	t.Parallel()
	pass(t, haproxy())
}

func haproxy() proxy {
	return proxy{name: "haproxy", cuts: true, start: func(t *testing.T, s site) {
		t.Helper()
		replaced := map[string]string{
			"/etc/menshen/haproxy/":                           s.dir + "/",
			"/etc/menshen/pdp-ca.pem":                         s.ca,
			"/etc/menshen/unavailable/":                       unavailable(t),
			"/etc/ssl/portal/portal.pem":                      s.bundle,
			"server application 127.0.0.1:8080":               "server application " + s.application,
			"127.0.0.1:8445":                                  s.pdp,
			"abns@menshen-ask":                                "abns@menshen-ask-" + s.address, // such names are the whole machine's
			"bind :443":                                       "bind " + s.address,
			"bind :80":                                        "bind " + s.plain,
			"log /dev/log local0":                             "log stdout format raw local0",
			"MENSHEN_SILENCE 30":                              "MENSHEN_SILENCE " + strconv.Itoa(int(s.patience.Seconds())),
			"timeout server 10s":                              "timeout server " + s.patience.String(),
			"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": s.secret,
		}
		if os.Getuid() == 0 {
			replaced["/var/lib/haproxy"], replaced["user haproxy"], replaced["group haproxy"] = s.dir, "user root", "group root"
		} else { // only root can change root
			replaced["    chroot /var/lib/haproxy\n    user haproxy\n    group haproxy\n"] = ""
			replaced["/var/lib/haproxy/menshen-cut.sock user haproxy group haproxy"] = s.dir + "/menshen-cut.sock"
			replaced["unix@/menshen-cut.sock"] = "unix@" + s.dir + "/menshen-cut.sock"
		}
		configure(t, shipped("haproxy"), s.dir, replaced)
		run(t, nil, "haproxy", "-db", "-f", filepath.Join(s.dir, "haproxy.cfg"))
	}}
}
