package proxies

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHAProxy(t *testing.T) {
	t.Parallel()
	pass(t, haproxy())
}

func haproxy() proxy {
	return proxy{name: "haproxy", start: func(t *testing.T, s site) {
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
			"timeout server 10s":                              "timeout server " + s.patience.String(),
			"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED": s.secret,
		}
		if os.Getuid() == 0 {
			replaced["chroot /var/lib/haproxy"], replaced["user haproxy"], replaced["group haproxy"] = "chroot "+s.dir, "user root", "group root"
		} else { // only root can change root
			replaced["    chroot /var/lib/haproxy\n    user haproxy\n    group haproxy\n"] = ""
		}
		configure(t, shipped("haproxy"), s.dir, replaced)
		run(t, nil, "haproxy", "-db", "-f", filepath.Join(s.dir, "haproxy.cfg"))
	}}
}
