//go:build linux

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

//go:embed opa/portal.rego
var rego []byte

// opaQuestion is what the known session's facts are as OPA is asked.
const opaQuestion = `{"input":{"action":"read","person":{"active":true,"agency":"moda"},"portal":{"agency":"moda"},` +
	`"sign_in":{"aal":3,"age_seconds":60,"key_revoked":false,"user_verified":true,"hardware_key":true},` +
	`"device":{"active":true,"entitled":true,"agency":"moda","provenance":"tpm","standing":"fresh"},` +
	`"attestation":{"contraindicated":false,"instance_identity":"affirming"},"claims":{"os_release":"pass","firewall":"pass"},` +
	`"binding":{"way":"fetch","age_seconds":60,"seat":"active"},"network":{"proven":true},"trust":{"score":90},"host":{"named":false,"known":false}}}`

// opaServer is the Open Policy Agent with the policy that is nearest to the
// baseline, asked as its users ask it: POST /v1/data.
func opaServer(ctx context.Context, dir string) (*child, error) {
	install := exec.CommandContext(ctx, "scripts/tools", "opa")
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("building OPA from its module: %w", err)
	}
	file := filepath.Join(dir, "portal.rego")
	if err := os.WriteFile(file, rego, 0o600); err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	program, err := filepath.Abs(".tools/bin/opa")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "run", "--server", "--addr="+address, "--log-level=error", "--disable-telemetry", file) // #nosec G204 -- a tool of this tree
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	question := "POST /v1/data/menshen/allow HTTP/1.1\r\nHost: opa.test\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(opaQuestion)) + "\r\n\r\n" + opaQuestion
	c := &child{cmd: cmd, address: address, request: question, expect: `"result":true`}
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), ignoreExit(cmd.Wait()))
	}
	return c, nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ignoreExit drops that a program ended as it was told to.
func ignoreExit(err error) error {
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return nil
	}
	return err
}
