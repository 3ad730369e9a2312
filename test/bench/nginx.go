//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/menshen-zt/menshen/pdp/keyring"
)

const (
	shippedNginx = "installer/proxies/nginx"
	portalHost   = "hr.example.gov.tw" // as the shipped configuration has it
)

// throughNginx measures what a request costs nginx and the PDP together where
// nginx asks, beside what it costs the same nginx to pass it on unasked. Client
// and application are left out, and the client speaks to nginx without TLS.
func throughNginx(ctx context.Context, rounds int) (lines []line, err error) {
	dir, err := os.MkdirTemp("", "menshen-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := writeTLS(dir); err != nil {
		return nil, err
	}
	application, err := startServer(ctx, "serve-floor", dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, application.stop()) }()
	pdp, err := launchServer(ctx, "serve-decision", dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pdp.stop()) }()
	asked, bare, err := startNginx(ctx, dir, pdp, application.address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, asked.stop()) }()
	l := line{name: "nginx with the question, beside nginx alone"}
	for range rounds {
		if err := lowest(ctx, bare, &l.floor); err != nil {
			return nil, err
		}
		if err := lowest(ctx, asked, &l.figure); err != nil {
			return nil, err
		}
	}
	return []line{l}, nil
}

// writeTLS writes the certificate of the proxies' port, which a server in dir
// then answers with, and its CA's.
func writeTLS(dir string) error {
	ca, err := keyring.NewAuthority(time.Now())
	if err != nil {
		return err
	}
	own, err := ca.Issue([]string{"localhost"}, time.Now())
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "pdp-ca.pem"), ca.PEM(), 0o600),
		os.WriteFile(filepath.Join(dir, tlsCertificate), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}), 0o600),
		os.WriteFile(filepath.Join(dir, tlsKey), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600),
	)
}

var proofs = regexp.MustCompile(`(?s)Menshen-Portal-Secret: (\S+)\r\n.*(Cookie: \S+)\r\n`)

// startNginx runs the shipped configuration in front of the application, and
// beside it a server block that asks nobody.
func startNginx(ctx context.Context, dir string, pdp *child, application string) (asked, bare *child, err error) {
	with, err := freeAddress(ctx)
	if err != nil {
		return nil, nil, err
	}
	without, err := freeAddress(ctx)
	if err != nil {
		return nil, nil, err
	}
	proof := proofs.FindStringSubmatch(pdp.request)
	if proof == nil {
		return nil, nil, errors.New("the server's request proves nothing")
	}
	if err := configureNginx(dir, strings.NewReplacer(
		"/etc/menshen/nginx/", dir+"/", "/etc/menshen/pdp-ca.pem", dir+"/pdp-ca.pem", "/var/log/nginx/", dir+"/", "/run/nginx.pid", dir+"/nginx.pid",
		"server 127.0.0.1:8080;", "server "+application+";", "server 127.0.0.1:8445;", "server "+pdp.address+";",
		"REPLACE-WITH-THE-SECRET-THAT-MENSHENCTL-PRINTED", proof[1],
		"X-Real-IP $remote_addr", "X-Real-IP "+address.String(), // the network that the session has proven
		"listen 80;", "listen "+without+";", "return 308 https://$host$request_uri;",
		"location / { proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass http://portal_application; }",
		"listen 443 ssl http2;", "listen "+with+";", "access_log /var/log/nginx/access.log;", "access_log off;",
		"    # Every other name, in the handshake or in a request.\n    server {\n        listen 443 ssl http2 default_server;\n        ssl_reject_handshake on;\n        return 421;\n    }\n", "",
		"        ssl_certificate     /etc/ssl/portal/fullchain.pem;\n        ssl_certificate_key /etc/ssl/portal/key.pem;\n", "",
	)); err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, "nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off; master_process off;") // #nosec G204 -- a fixed program
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	request := fmt.Sprintf("GET /records?page=2 HTTP/1.1\r\nHost: %s\r\n%s\r\nAccept: text/html\r\nAccept-Language: zh-TW\r\nSec-Fetch-Mode: navigate\r\n\r\n", portalHost, proof[2])
	asked = &child{cmd: cmd, address: with, request: request, also: []*child{pdp}}
	bare = &child{cmd: cmd, address: without, request: request}
	return asked, bare, errors.Join(asked.ready(ctx), bare.ready(ctx))
}

func configureNginx(dir string, replace *strings.Replacer) error {
	files, err := filepath.Glob(filepath.Join(shippedNginx, "*.conf*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file) // #nosec G304 -- this tree's own
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".example")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(replace.Replace(string(raw))), 0o600); err != nil {
			return err
		}
	}
	return nil
}
